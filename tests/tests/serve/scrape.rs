//! A node that has metrics already: its endpoint is shown again, byte for byte, and its values are in the report.
//!
//! 1. an endpoint as nim-metrics writes it  2. a node beside it, by a reporter or under `lifeboat run`  3. its pages, and
//!    its report after its end

use std::io::{Read, Write};
use std::net::TcpListener;

use lifeboat_tests::Run;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Bench, Node, delivered, sample, wait_until};
use lifeboat_tests::http::get;

/// With the faults of its writer: a raw line feed in a label, no end, samples under others' types.
const PAGE: &str = "# HELP waku_peers Peers.\n# TYPE waku_peers gauge\nwaku_peers 7.0\n\n\
                    # TYPE waku_messages counter\nwaku_messages_total{topic=\"a\\\nb\"} 3.0 1700000000000\n\
                    waku_messages_created{topic=\"a\\\nb\"} 1.7e9\n\
                    waku_peer_score{peerId=\"16Uiu2HAm\"} 5.0\n\
                    waku_bound{where=\"/ip4/203.0.113.7/tcp/60000\"} 1.0\n";
const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Serves the page until the test ends; answers where.
fn endpoint() -> String {
    endpoint_with("")
}

/// The same, with one more line in its head.
fn endpoint_with(header: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\n{header}Connection: close\r\n\r\n"
            );
            let _ = stream.write_all((head + PAGE).as_bytes());
        }
    });
    address
}

fn shown_again(node: &Node) {
    wait_until("the page is there", || node.get("/node/metrics").status == 200);
    let again = node.get("/node/metrics");
    assert_eq!((again.text().as_str(), again.header("Content-Type")), (PAGE, Some(CONTENT_TYPE)));
    assert_eq!(node.sample("lifeboat_scrape_up").as_deref(), Some("1"));
    assert!(!node.get("/metrics").text().contains("waku_"));
}

fn report(node: &Node) -> Value {
    let lifeboat = |arguments: &[&str]| {
        let run = Run::new(delivered("bin/lifeboat")).args(arguments).arg("--state-dir").arg(&node.state_dir);
        run.finish().stdout
    };
    wait_until("the report is made", || lifeboat(&["reports", "--json"]).lines().count() == 1);
    let stored: Value = serde_json::from_str(lifeboat(&["reports", "--json"]).trim()).unwrap();
    serde_json::from_str(&lifeboat(&["show", stored["event_id"].as_str().unwrap(), "--json"])).unwrap()
}

fn values_are_told(node: &Node) {
    let metrics = report(node)["contexts"]["metrics"].clone();
    assert_eq!(metrics["waku_peers"], 7, "{metrics:#}");
    assert_eq!(metrics["waku_messages_total{topic=\"a\\nb\"}"], 3, "{metrics:#}");
    let text = metrics.to_string();
    for untold in ["16Uiu2HAm", "203.0.113.7", "_created"] {
        assert!(!text.contains(untold), "{metrics:#}");
    }
    assert!(text.contains("waku_bound"), "{metrics:#}");
}

#[test]
fn a_nodes_own_endpoint_is_shown_and_reported() {
    let url = format!("http://{}/metrics", endpoint());
    let node = Bench::get().start(|run| run.env("LIFEBOAT_SCRAPE", url).env("LIFEBOAT_SCRAPE_INTERVAL", "1"));
    shown_again(&node);
    node.running.signal(Signal::SEGV);
    values_are_told(&node);
    assert_eq!(node.get("/node/metrics").status, 503);
    node.end();
}

#[test]
fn a_page_that_is_packed_is_not_shown_as_if_it_were_not() {
    let url = format!("http://{}/metrics", endpoint_with("Content-Encoding: gzip\r\n"));
    let node = Bench::get().start(|run| run.env("LIFEBOAT_SCRAPE", url).env("LIFEBOAT_SCRAPE_INTERVAL", "1"));
    wait_until("it was read", || node.sample("lifeboat_scrape_up").is_some());
    assert_eq!(node.sample("lifeboat_scrape_up").as_deref(), Some("0"));
    let refused = node.get("/node/metrics");
    assert!(refused.status == 503 && refused.text().contains("encoding gzip"), "{}", refused.text());
    node.end();
}

#[test]
fn a_program_that_carries_nothing_is_served_under_lifeboat_run() {
    let (bench, url) = (Bench::get(), format!("http://{}/metrics", endpoint()));
    let state_dir = bench.folder().join("state");
    let run = Run::new(delivered("bin/lifeboat")).args([
        "run",
        "--",
        "sh",
        "-c",
        "echo ready; read line < /dev/zero",
    ]);
    let run = run.env("LIFEBOAT_STATE_DIR", &state_dir).env("LIFEBOAT_METRICS", "127.0.0.1:0");
    let mut running = run.env("LIFEBOAT_SCRAPE", url).env("LIFEBOAT_SCRAPE_INTERVAL", "1").spawn();
    running.wait_for("ready");
    let said = || crate::bench::endpoints(&state_dir).into_iter().next();
    let address = || Some(said()?["address"].as_str()?.to_owned());
    wait_until("it is served", || address().is_some());
    let (address, program) = (address().unwrap(), said().unwrap()["node_pid"].as_i64().unwrap());
    let page = || get(&address, "/metrics", &[]).text();
    assert_eq!(sample(&page(), "lifeboat_node_up").as_deref(), Some("1"));
    assert!(sample(&page(), "process_resident_memory_bytes").is_some(), "{}", page());
    wait_until("its own page is there", || get(&address, "/node/metrics", &[]).status == 200);
    let program = rustix::process::Pid::from_raw(program.try_into().unwrap()).unwrap();
    rustix::process::kill_process(program, Signal::KILL).unwrap();
    let _ = running.finish();
    wait_until("the death is told", || {
        sample(&page(), "lifeboat_deaths_total{cause=\"killed\"}").as_deref() == Some("1")
    });
    assert_eq!(sample(&page(), "lifeboat_node_up").as_deref(), Some("0"));
    let serve = said().unwrap()["serve_pid"].as_i64().unwrap();
    let serve = rustix::process::Pid::from_raw(serve.try_into().unwrap()).unwrap();
    rustix::process::kill_process(serve, Signal::TERM).unwrap();
    wait_until("serve has left", || said().is_none());
}
