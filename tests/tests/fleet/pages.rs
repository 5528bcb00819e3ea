//! A node's page speaks for that node alone, and an alert of a node with an owner of its own is that owner's.
//!
//! 1. pages of a node that is well, of one that lies, of one that is endless and of one that sends the scraper elsewhere
//! 2. what is rendered for them, in a real Prometheus with a rule of the operator's own  3. what it holds, and tells

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use lifeboat_tests::engines::{Alertmanager, Generation, Loopback, Prometheus, QUICK};
use lifeboat_tests::{Scratch, wait_until};

use crate::configuration::render;

const OWN_RULES: &str = "groups: [{name: own, rules: [{alert: Mine, expr: 'libp2p_peers > 0', \
                         labels: {severity: P2, owner: operators}}]}]\n";

/// In the name of Prometheus, of its rules and of others, at a time long ago.
const LIES: &str = "up 0\nscrape_samples_scraped 0\nALERTS{alertname=\"NodeDied\",alertstate=\"firing\"} 1\n\
    fleet:node_expected:info{fleet=\"logos.test\",node=\"ghost\"} 1\n\
    libp2p_peers{fleet=\"other\",node=\"well\",job=\"lifeboat\"} 7 1000\n";

/// Answers everybody the same.
struct Page {
    address: String,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Page {
    fn start(address: &str, answer: String) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let is_over = Arc::<AtomicBool>::default();
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                let mut reader = BufReader::new(stream.unwrap());
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    line.clear();
                }
                // Who has seen enough leaves.
                drop(reader.get_mut().write_all(answer.as_bytes()));
            }
        });
        Self { address: address.into(), is_over, thread: Some(thread) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn metrics(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n{body}")
}

fn check(generation: Generation) {
    let (scratch, hosts) = (Scratch::new("pages"), Loopback::new());
    let endless: String = (0..60_000).map(|number| format!("m{{n=\"{number}\"}} 1\n")).collect();
    let elsewhere = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/metrics\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        hosts.address(10, 8008)
    );
    let answers = [metrics("libp2p_peers 25\n"), metrics(LIES), metrics(&endless), elsewhere];
    let pages = (10..).zip(answers).map(|(number, answer)| Page::start(&hosts.address(number, 8008), answer));
    let _pages: Vec<Page> = pages.collect();
    let (prometheus, alertmanager) = (hosts.address(1, 9090), hosts.address(2, 9093));
    let mut inventory = format!(
        "[prometheus]\naddress = \"{prometheus}\"\n[alertmanager]\naddress = \"{alertmanager}\"\n\
         [[fleet]]\nname = \"logos.test\"\nprofile = \"libp2p-generic\"\n"
    );
    for (number, (node, owner)) in
        (10..).zip([("well", "bob"), ("liar", "operators"), ("endless", "operators"), ("elsewhere", "carol")])
    {
        let host = hosts.host(number);
        inventory +=
            &format!("[[fleet.node]]\nname = \"{node}\"\naddress = \"{host}\"\nowner = \"{owner}\"\n");
    }
    let out = render(&scratch, &inventory, &["--accelerate=15"]);
    fs::create_dir(out.join("prometheus/rules.d")).unwrap();
    fs::write(out.join("prometheus/rules.d/own.yml"), OWN_RULES).unwrap();
    let alertmanager =
        Alertmanager::start(generation, &out.join("alertmanager/alertmanager.yml"), &alertmanager);
    let prometheus =
        Prometheus::start_with(generation, &out.join("prometheus/prometheus.yml"), &prometheus, &QUICK);
    let up =
        |node: &str| prometheus.value(&format!("up{{job=\"node\",fleet=\"logos.test\",node=\"{node}\"}}"));
    wait_until("every page is asked for", || {
        ["well", "liar", "endless", "elsewhere"].iter().all(|node| up(node).is_some())
    });
    let ups = ["well", "liar", "endless", "elsewhere"].map(|node| up(node).unwrap());
    assert_eq!(ups, [1.0, 1.0, 0.0, 0.0]);
    let lies = prometheus.query("libp2p_peers{node=\"liar\"}");
    let labels =
        ["fleet", "job", "exported_fleet", "exported_node", "exported_job"].map(|name| lies[0].label(name));
    assert_eq!(labels, ["logos.test", "node", "other", "well", "lifeboat"]);
    for query in ["m", "{exported_node=\"ghost\"}", "ALERTS{alertname=\"NodeDied\"}", "{node=\"ghost\"}"] {
        assert_eq!(prometheus.query(query), [], "{query}");
    }
    // The engines' own pages are there for the alerts about the alert path.
    let engines = "count(up{job=~\"prometheus|alertmanager\"} == 1) == 2";
    assert!(!prometheus.wait_for(engines).is_empty());
    wait_until("Alertmanager knows whom each alert is for", || {
        let alerts = alertmanager.alerts();
        let has = |node: &str, owner: &str| {
            alerts.iter().any(|alert| alert["labels"]["node"] == node && alert["labels"]["owner"] == owner)
        };
        has("well", "bob") && has("liar", "operators")
    });
}

#[test]
fn a_page_speaks_for_its_node_alone_in_prometheus_2() {
    check(Generation::Two);
}

#[test]
fn a_page_speaks_for_its_node_alone_in_prometheus_3() {
    check(Generation::Three);
}
