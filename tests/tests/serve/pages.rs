//! Both formats of `/metrics` hold what the node counted and what the monitor saw, and strict parsers take them.
//!
//! 1. a node counts, with labels that hold what breaks careless pages  2. its page is asked for in each format, packed and
//!    not  3. the strict parsers of `prometheus-client` read it

use std::fs;

use lifeboat_tests::{Run, repository};
use serde_json::Value;

use crate::bench::{Bench, sample, wait_until};
use lifeboat_tests::http::{Answer, get};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `prometheus-client` reads: an object of `name{labels}` and values.
fn parsed(answer: &Answer) -> Value {
    let python = std::env::var_os("LIFEBOAT_TEST_PYTHON")
        .unwrap_or_else(|| repository("target/venv/bin/python").into_os_string());
    let file = Bench::get().folder().join("page");
    fs::write(&file, &answer.body).unwrap();
    let format = if answer.header("Content-Type") == Some(OPEN_METRICS) { "openmetrics" } else { "text" };
    let run = Run::new(python).arg(repository("tests/fixtures/read_metrics.py")).arg(format).arg(file);
    serde_json::from_str(&run.finish().output()).unwrap()
}

#[test]
fn both_formats_hold_the_same_and_are_read_by_strict_parsers() {
    let node = Bench::get().node();
    let address = node.address().unwrap();
    for (accept, content_type) in [("application/openmetrics-text", OPEN_METRICS), ("*/*", TEXT)] {
        let answer = get(&address, "/metrics", &[("Accept", accept)]);
        assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(content_type)));
        let values = parsed(&answer);
        for (name, expected) in [
            ("serve_topics_total{topic=a \"b\"\\\nж}", 5.0),
            ("serve_peers{}", 48.5),
            ("serve_delay_seconds_count{}", 1.0),
            ("serve_delay_seconds_bucket{le=+Inf}", 1.0),
            ("lifeboat_node_up{}", 1.0),
            ("lifeboat_node_info{app=serve,commit=,fleet=,node=,version=1.2}", 1.0),
            ("lifeboat_health_state{component=store}", 0.0),
            ("lifeboat_heartbeat_deadline_seconds{name=main}", 1.0),
            ("lifeboat_health_score{}", 100.0),
            ("lifeboat_health_coverage_ratio{}", 1.0),
            ("lifeboat_deaths_total{cause=signal}", 0.0),
            ("lifeboat_restarts_total{}", 0.0),
            ("lifeboat_metrics_refused_total{}", 0.0),
        ] {
            assert_eq!(values[name], expected, "{name} of {values:#}");
        }
        for name in [
            "process_resident_memory_bytes{}",
            "process_open_fds{}",
            "process_start_time_seconds{}",
            "lifeboat_process_threads{}",
        ] {
            assert!(values[name].as_f64().is_some_and(|value| value > 0.0), "{name} of {values:#}");
        }
    }
    node.end();
}

#[test]
fn a_page_is_packed_for_who_asks() {
    let node = Bench::get().node();
    let answer = get(&node.address().unwrap(), "/metrics", &[("Accept-Encoding", "br, gzip")]);
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    let file = Bench::get().folder().join("page.gz");
    fs::write(&file, &answer.body).unwrap();
    let page = Run::new("gzip").arg("-dc").arg(file).finish().output();
    assert_eq!(sample(&page, "serve_peers").as_deref(), Some("48.5"));
    let plain = node.get("/metrics");
    assert_eq!(plain.header("Content-Encoding"), None);
    node.end();
}

#[test]
fn health_says_what_is_wrong() {
    let node = Bench::get().node();
    let well = node.get("/health");
    assert_eq!((well.status, well.json()["status"].as_str()), (200, Some("ok")));
    assert_eq!(node.get("/livez").status, 200);
    node.running.signal(rustix::process::Signal::USR2);
    wait_until("the component fails", || node.get("/health").status == 503);
    assert_eq!(node.get("/health").json()["reason"], "component store: failing: disk full");
    let checks = node.get("/health/checks");
    let document = checks.json();
    assert_eq!((checks.status, &document["status"]), (503, &"failing".into()));
    assert_eq!((&document["score"], &document["coverage"]), (&60.into(), &1.0.into()));
    assert_eq!(document["deductions"][0]["points"], 40);
    assert_eq!(document["components"][0]["state"], "failing");
    assert_eq!(document["heartbeats"][0]["state"], "ok");
    assert_eq!(document["process"]["state"], "alive");
    assert_eq!(node.sample("lifeboat_health_state{component=\"store\"}").as_deref(), Some("2"));
    node.end();
}
