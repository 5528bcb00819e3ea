//! A report holds the last values of a Rust node's metrics, whether it counts by our handles or by the facade `metrics`.
//!
//! 1. A node counts in 160 threads, eight at a time, and in a forked child, whose counts are nobody's.
//! 2. It dies, by a fault or unseen; or stops, starts again and counts on.
//! 3. Every value in the report is exact; what was refused, or asked for before start, counts nothing.

use std::path::Path;

use lifeboat_tests::Run;
use serde_json::{Value, json};

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

#[test]
fn more_series_than_there_is_room_for_are_counted_together() {
    let bench = Bench::new();
    let program = build(DEATHS, "metrics", &["--release", "--features", "load"]);
    let expected = json!({
        "gossip_messages_total{number=\"0\"}": 1,
        "gossip_messages_total{number=\"1\"}": 1,
        "gossip_messages_total{number=\"2\"}": 1,
        "gossip_messages_total{overflow=\"true\"}": 7,
    });
    assert_eq!(last_values(&bench, &program, &["overflows"]), expected);
}

#[test]
fn what_the_facade_counts_is_there_too() {
    let bench = Bench::new();
    let program = build(DEATHS, "facade", &["--release", "--features", "load,facade"]);
    let expected = json!({
        "gossip_messages_total": 8000,
        "gossip_messages_total{kind=\"a\",topic_name=\"b\"}": 16_000,
        "sent_bytes_total": 512,
        "blocks_total": 105,
        "open_files": 12.5,
        "request_duration_seconds_count": 8000,
        "request_duration_seconds_sum": 2000,
        "message_size_count": 3,
        "message_size_sum": 6144,
    });
    assert_eq!(last_values(&bench, &program, &[]), expected);
    // The public build's recorder counts nothing, and does not end the node either.
    let public = build(DEATHS, "facade", &["--release", "--features", "facade"]);
    assert_eq!(Run::new(public).finish().shell_status(), 134);
}

#[test]
fn labels_without_end_are_bounded() {
    let bench = Bench::new();
    let program = build(DEATHS, "facade", &["--release", "--features", "load,facade"]);
    let state_dir = bench.state_dir();
    let outcome = bench.on(&program, &state_dir).arg("floods").finish();
    // 300,000 keys of about half a KiB were counted.
    let resident_kib: u64 = outcome.stdout.trim().parse().unwrap();
    assert!(resident_kib < 64 << 10, "{resident_kib} KiB");
}

#[test]
fn a_registry_of_prometheus_client_serves_ours_too() {
    let bench = Bench::new();
    let program = build(DEATHS, "collector", &["--release", "--features", "load,collector"]);
    let outcome = bench.on(&program, &bench.state_dir()).finish();
    let pages: Vec<&str> = outcome.stdout.split("# EOF\n").collect();
    let [before, after, ours, ""] = pages.as_slice() else { panic!("{}", outcome.stdout) };
    assert_eq!(*before, "# HELP own The node's.\n# TYPE own counter\nown_total 1\n");
    // Each writes a bound in another place, and one of them a help that there is none.
    let lines = |page: &str| {
        let line = |line: &str| match line.split_once(['{', '}']).zip(line.split_once("le=\"")) {
            Some(((name, _), (_, rest))) => format!("{name} {}", rest.replace("\",topic=\"a\"}", "\"}")),
            None => line.trim_end().to_owned(),
        };
        let mut lines: Vec<String> = page.lines().map(line).collect();
        lines.retain(|line| line != "# HELP gossip_sent_bytes");
        lines.sort();
        lines
    };
    assert_eq!(lines(after), lines(&format!("{before}{ours}")));
    let samples = [
        "gossip_messages_total 4294967296\n",
        "gossip_messages_total{topic=\"a \\\"b\\\"\\n\\\\\",kind=\"ä\"} 3\n",
        "gossip_sent_bytes_total 512\n",
        "gossip_peers -1.5\n",
        "gossip_delay_seconds_bucket{topic=\"a\",le=\"1.0\"} 3\n",
        "gossip_delay_seconds_sum{topic=\"a\"} 9.5\n",
        "gossip_build_info{commit=\"a\"} 1\n",
    ];
    for sample in samples {
        assert!(ours.contains(sample), "{sample}{ours}");
    }
    // The public build's page is the node's alone.
    let public = build(DEATHS, "collector", &["--release", "--features", "collector"]);
    assert_eq!(Run::new(public).finish().stdout, format!("{before}# EOF\n{before}# EOF\n"));
}

fn last_values(bench: &Bench, program: &Path, arguments: &[&str]) -> Value {
    let (outcome, events) = bench.die(program, arguments);
    assert_eq!(events.len(), 1, "{arguments:?}: {}", outcome.stderr);
    let mut metrics = events[0]["contexts"]["metrics"].clone();
    metrics.as_object_mut().unwrap().remove("type");
    metrics
}

fn check(bench: &Bench, program: &Path, end: &str) {
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
        "gossip_build_info{commit=\"c\"}": 1,
    });
    assert_eq!(last_values(bench, program, &[end]), expected, "{end}");
}
