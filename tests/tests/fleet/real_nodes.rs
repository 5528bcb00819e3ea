//! Real nodes with their monitors, under real engines: one dies, one hangs, and both are told of.
//!
//! 1. three example nodes, the blackbox exporter, and all that watches them  2. nothing fires, and their dashboards show them
//! 3. a node is killed by SIGSEGV: NodeDied, with its cause  4. another is stopped by SIGSTOP: NodeHung
//! 5. that one goes on: NodeHung is over

use std::time::Duration;

use lifeboat_tests::ExampleNodes;
use lifeboat_tests::engines::{Engine, Generation, Watch, Wish};
use rustix::process::Signal;
use serde_json::Value;

use crate::dashboards::panels_that_show;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Panels that have something of nodes that do exist.
const SHOWN: [&str; 9] = [
    "fleet: Nodes up",
    "fleet: Nodes",
    "node: Up",
    "node: Uptime",
    "node: Processor",
    "node: Memory",
    "node: File descriptors",
    "node: Heartbeats",
    "deaths: Deaths in the last hour by cause",
];

#[test]
fn a_death_and_a_hang_of_real_nodes_are_told() {
    let generation = Generation::Three;
    let wish = Wish { prometheus: generation, alertmanager: generation, accelerate: 15, is_simulated: false };
    let mut nodes = None;
    let watch = Watch::start(wish, |hosts| {
        let started = ExampleNodes::start(hosts, 3);
        let fleet = started.fleet("real");
        nodes = Some(started);
        fleet
    });
    let nodes = nodes.unwrap();
    let address = watch.hosts.address(3, 9115);
    let config = format!("--config.file={}", watch.rendered("blackbox/blackbox.yml").display());
    let listen = format!("--web.listen-address={address}");
    let _blackbox = Engine::start(generation, "blackbox-exporter", &address, &[&config, &listen]);

    watch.prometheus.wait_for("count(lifeboat_node_up == 1) == 3 and count(probe_success == 1) == 3");
    // Rates want some scrapes.
    watch.prometheus.wait_for("count(count_over_time(lifeboat_node_up[20s]) >= 6) == 3");
    let show = panels_that_show(&watch.prometheus, &watch.rendered("grafana/dashboards"), "real");
    for panel in SHOWN {
        assert!(show.contains(panel), "{panel} is empty; these are not: {show:#?}");
    }
    let dead = &nodes.nodes[1];
    dead.signal(Signal::SEGV);
    let died = wait(&watch, "NodeDied", &dead.name, "firing");
    assert_eq!(died["labels"]["cause"], "signal", "{died:#}");
    assert_eq!(died["labels"]["owner"], "team-real", "{died:#}");
    assert_eq!(died["annotations"]["runbook_url"], "https://runbooks.example.org/NodeDied.md");
    assert_eq!(watch.prometheus.value("lifeboat_node_up{node=\"node-1\"}"), Some(0.0));

    let hung = &nodes.nodes[2];
    hung.signal(Signal::STOP);
    let _ = wait(&watch, "NodeHung", &hung.name, "firing");
    hung.signal(Signal::CONT);
    let _ = wait(&watch, "NodeHung", &hung.name, "resolved");
    let of_others = watch.webhook.requests().into_iter().flat_map(|request| request.alerts());
    let of_first = of_others.filter(|alert| alert["labels"]["node"] == nodes.nodes[0].name.as_str());
    assert_eq!(of_first.collect::<Vec<_>>(), [] as [Value; 0]);
}

fn wait(watch: &Watch, alert: &str, node: &str, status: &str) -> Value {
    let is_it = |told: &Value| {
        told["status"] == status && told["labels"]["alertname"] == alert && told["labels"]["node"] == node
    };
    watch.webhook.wait_for_alert(&format!("{alert} of {node}, {status}"), PATIENCE, is_it).1
}
