//! A report holds the last values of a Rust node's metrics.
//!
//! 1. A node counts in 160 threads, eight at a time, and in a forked child, whose counts are nobody's.
//! 2. It dies, by a fault or unseen; or stops, starts again and counts on.
//! 3. Every value in the report is exact; what was refused, or asked for before start, counts nothing.

use serde_json::json;

use crate::bench::{Bench, build};

const DEATHS: &str = "tests/fixtures/rust/Cargo.toml";

#[test]
fn last_values_are_in_the_report() {
    let bench = Bench::new();
    for (features, ends) in [("load", ["aborts", "killed", "restarts"].as_slice()), ("link", &["aborts"])] {
        let program = build(DEATHS, "metrics", &["--release", "--features", features]);
        for end in ends {
            check(&bench, &program, end);
        }
    }
}

fn check(bench: &Bench, program: &std::path::Path, end: &str) {
    let (outcome, events) = bench.die(program, &[end]);
    assert_eq!(events.len(), 1, "{end}: {}", outcome.stderr);
    let mut metrics = events[0]["contexts"]["metrics"].clone();
    metrics.as_object_mut().unwrap().remove("type");
    let lives = if end == "restarts" { 2 } else { 1 };
    let expected = json!({
        "gossip_messages_total": 160_000 * lives,
        "gossip_delay_seconds_count": 160_000 * lives,
        "gossip_delay_seconds_sum": 40_000 * lives,
        "gossip_size_bytes_count{direction=\"in\"}": 160 * lives,
        "gossip_size_bytes_sum{direction=\"in\"}": 160 * 512 * lives,
        "gossip_topics_total{topic=\"a \\\"b\\\"\"}": 800 * lives,
        "gossip_dials_total{peer_kind=\"kind-0\"}": 160_000 * lives,
        "gossip_dials_total{peer_kind=\"kind-1\"}": 160_000 * lives,
        "gossip_open": 160 * lives,
        "gossip_peers": 48.5,
    });
    assert_eq!(metrics, expected, "{end}");
}
