//! Two generations of Prometheus take the pages, and hold the right values.
//!
//! 1. a node is served  2. `promtool check metrics` reads its page  3. a Prometheus scrapes it, and is asked for values

use std::fs;

use lifeboat_tests::Run;
use lifeboat_tests::engines::{Generation, Loopback, Prometheus};

use crate::bench::{Bench, Node};

fn promtool_takes(node: &Node, generation: Generation) {
    let (promtool, file) = (generation.program("promtool"), Bench::get().folder().join("page"));
    fs::write(&file, node.get("/metrics").body).unwrap();
    let script = "\"$0\" check metrics < \"$1\"";
    let outcome = Run::new("sh").args(["-c", script]).arg(promtool).arg(file).finish();
    assert!(outcome.succeeded() && outcome.stderr.is_empty(), "{}{}", outcome.stdout, outcome.stderr);
}

fn prometheus_holds(node: &Node, generation: Generation) {
    let config = Bench::get().folder().join("config.yml");
    let target = node.address().unwrap();
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: node\n  static_configs:\n  - targets: ['{target}']\n"
    );
    fs::write(&config, text).unwrap();
    let prometheus = Prometheus::start(generation, &config, &Loopback::new().address(1, 9090));
    for (query, expected) in [
        ("up", 1.0),
        ("serve_peers", 48.5),
        ("serve_topics_total", 5.0),
        ("serve_delay_seconds_count", 1.0),
        ("lifeboat_node_up", 1.0),
        ("lifeboat_health_score", 100.0),
        ("lifeboat_node_info{app=\"serve\"}", 1.0),
    ] {
        let result = prometheus.wait_for(query);
        assert_eq!(result.first().map(|sample| sample.value), Some(expected), "{query}: {result:?}");
    }
}

#[test]
fn prometheus_2_takes_it() {
    let node = Bench::get().node();
    promtool_takes(&node, Generation::Two);
    prometheus_holds(&node, Generation::Two);
    node.end();
}

#[test]
fn prometheus_3_takes_it() {
    let node = Bench::get().node();
    promtool_takes(&node, Generation::Three);
    prometheus_holds(&node, Generation::Three);
    node.end();
}
