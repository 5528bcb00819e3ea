//! A report holds the last values of the node's metrics.
//!
//! 1. A node counts in 160 threads, eight at a time, and in a forked child, whose counts are nobody's.
//! 2. It dies, by a fault or unseen.
//! 3. Every value in the report is exact; a name that means something else already counts nothing, and of an info's
//!    labels those that hold are there.

use lifeboat_tests::Compiler;
use serde_json::json;

use crate::bench::{Bench, delivered, event};

const FIXTURE: &str = "metrics";
const ENDS: [&str; 3] = ["aborts", "killed", "restarts"];

#[test]
fn last_values_are_in_the_report() {
    check(&Bench::with(Compiler::Gcc, FIXTURE, &[]), |bench, end, state_dir| bench.node(&[end], state_dir));
}

#[test]
fn last_values_are_in_the_report_of_a_linked_node() {
    let bench = Bench::linked(Compiler::Gcc, FIXTURE, &delivered("lib/liblifeboat_reporter.a"));
    check(&bench, |bench, end, state_dir| {
        let run = bench.node_without(&[end]).env("LIFEBOAT", "on");
        run.env("LIFEBOAT_MONITOR", bench.monitor()).env("LIFEBOAT_STATE_DIR", state_dir)
    });
}

#[test]
fn last_values_are_in_the_report_of_a_musl_node() {
    check(&Bench::with(Compiler::MuslGcc, FIXTURE, &[]), |bench, end, state_dir| {
        bench.node(&[end], state_dir)
    });
}

fn check(bench: &Bench, run: impl Fn(&Bench, &'static str, &std::path::Path) -> lifeboat_tests::Run) {
    for end in ENDS {
        let state_dir = bench.state_dir();
        let _ = run(bench, end, &state_dir).finish();
        bench.settle();
        let event = event(&state_dir);
        // A node that stops and starts again counts on.
        let lives = if end == "restarts" { 2 } else { 1 };
        let mut metrics = event["contexts"]["metrics"].clone();
        metrics.as_object_mut().unwrap().remove("type");
        let expected = json!({
            "gossip_messages_total": 160_000 * lives,
            "gossip_delay_seconds_count": 160_000 * lives,
            "gossip_delay_seconds_sum": 40_000 * lives,
            "gossip_topics_total{topic=\"a \\\"b\\\"\"}": 800 * lives,
            "gossip_peers": 48.5,
            "gossip_build_info{version=\"1.4\",commit=\"two\"}": 1,
        });
        assert_eq!(metrics, expected, "{end}");
    }
}
