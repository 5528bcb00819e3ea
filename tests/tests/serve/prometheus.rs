//! Two generations of Prometheus take the pages, and hold the right values.
//!
//! 1. a node is served  2. `promtool check metrics` reads its page  3. a Prometheus scrapes it, and is asked for values

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use lifeboat_tests::{Run, repository};
use serde_json::Value;

use crate::bench::{Bench, Node, wait_until};
use crate::client::get;

fn installed(generation: u32) -> PathBuf {
    std::env::var_os(format!("LIFEBOAT_TEST_PROMETHEUS{generation}"))
        .map_or_else(|| repository(&format!("target/prometheus/{generation}")), PathBuf::from)
}

fn promtool_takes(node: &Node, generation: u32) {
    let (promtool, file) = (installed(generation).join("promtool"), Bench::get().folder().join("page"));
    fs::write(&file, node.get("/metrics").body).unwrap();
    let script = "\"$0\" check metrics < \"$1\"";
    let outcome = Run::new("sh").args(["-c", script]).arg(promtool).arg(file).finish();
    assert!(outcome.succeeded() && outcome.stderr.is_empty(), "{}{}", outcome.stdout, outcome.stderr);
}

fn prometheus_holds(node: &Node, generation: u32) {
    let folder = Bench::get().folder();
    let target = node.address().unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: node\n  static_configs:\n  - targets: ['{target}']\n"
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let server = Run::new(installed(generation).join("prometheus"))
        .arg(format!("--config.file={}", folder.join("config.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .spawn();
    wait_until("Prometheus listens", || std::net::TcpStream::connect(&address).is_ok());
    let ask = |query: &str| {
        let answer = get(&address, &format!("/api/v1/query?query={query}"), &[]);
        let document: Value = if answer.status == 200 { answer.json() } else { Value::Null };
        document["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    for (query, expected) in [
        ("up", "1"),
        ("serve_peers", "48.5"),
        ("serve_topics_total", "5"),
        ("serve_delay_seconds_count", "1"),
        ("lifeboat_node_up", "1"),
        ("lifeboat_health_score", "100"),
        ("lifeboat_node_info%7Bapp=%22serve%22%7D", "1"),
    ] {
        wait_until(query, || ask(query).is_some());
        assert_eq!(ask(query).as_deref(), Some(expected), "{query}");
    }
    drop(server);
}

#[test]
fn prometheus_2_takes_it() {
    let node = Bench::get().node();
    promtool_takes(&node, 2);
    prometheus_holds(&node, 2);
    node.end();
}

#[test]
fn prometheus_3_takes_it() {
    let node = Bench::get().node();
    promtool_takes(&node, 3);
    prometheus_holds(&node, 3);
    node.end();
}
