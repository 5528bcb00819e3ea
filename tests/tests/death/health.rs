//! What a node says of its health, and its checks.
//!
//! 1. A node says how its components are and gives heartbeats; its report holds what was not well, scrubbed, and how old
//!    each heartbeat was.
//! 2. Checks are counted; one that fails has a report of its own.
//! 3. Its metrics as text are the whole text or none, and the strict parser of OpenMetrics reads what was counted.

use std::path::PathBuf;

use lifeboat_tests::{Compiler, Run, repository};
use serde_json::{Value, json};

use crate::bench::{Bench, events};

const FIXTURE: &str = "health";

#[test]
fn health_and_checks_are_told() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &[]);
    let state_dir = bench.state_dir();
    let said = bench.node(&[], &state_dir).finish().stdout;
    bench.settle();
    for line in ["check 0 6 0", "health 0 0 0 0 0 0 6 6 6 6", "heartbeat 0 0 0 0 6"] {
        assert!(said.lines().any(|said| said == line), "no {line:?} in {said}");
    }
    let events = events(&state_dir);
    assert_eq!(events.len(), 2);
    let of = |level: &str| events.iter().find(|event| event["level"] == level).unwrap();

    let failed = of("warning");
    let exception = &failed["exception"]["values"][0];
    assert_eq!(exception["type"], "check failed: disk-space");
    let detail = exception["value"].as_str().unwrap();
    assert!(detail.starts_with("3 % left at ") && !detail.contains("10.1.2.3"), "{detail}");

    let death = of("fatal");
    let health = death["contexts"]["health"].as_object().unwrap();
    let mut names: Vec<_> = health.keys().filter(|key| *key != "type").collect();
    names.sort();
    assert_eq!(names, ["heartbeat.event-loop", "peers", "store", "sync"]);
    let text = |key: &str| health[key].as_str().unwrap();
    assert!(text("store").starts_with("failing since ") && text("store").contains(" s: no answer from "));
    assert!(text("peers").starts_with("degraded since ") && text("peers").ends_with(" s"));
    assert!(text("sync").starts_with("unknown since "));
    assert!(text("heartbeat.event-loop").ends_with(" s old, due every 30 s"));
    assert!(!death.to_string().contains("10.1.2.3"));
    assert_eq!(death["contexts"]["death"]["recorder_dropped"], 3, "names that do not fit");

    let metrics = &death["contexts"]["metrics"];
    let counts = [
        ("lifeboat_checks_total{check=\"disk-space\",result=\"passed\"}", 3),
        ("lifeboat_checks_total{check=\"disk-space\",result=\"failed\"}", 1),
        ("lifeboat_checks_total{check=\"clock\",result=\"passed\"}", 1),
        ("lifeboat_check_failures_total{check=\"disk-space\",severity=\"warning\"}", 1),
    ];
    for (name, count) in counts {
        assert_eq!(metrics[name], count, "{name} in {metrics}");
    }
}

#[test]
fn strict_parser_reads_the_text() {
    let python = std::env::var_os("LIFEBOAT_TEST_PYTHON")
        .map_or_else(|| repository("target/venv/bin/python"), PathBuf::from);
    for compiler in [Compiler::Gcc, Compiler::MuslGcc] {
        let bench = Bench::with(compiler, FIXTURE, &[]);
        let said = bench.node(&["text"], &bench.state_dir()).finish();
        assert!(said.succeeded() && !said.stdout.contains("wrong"), "{}", said.stdout);
        let (_, page) = said.stdout.split_once("check 0 6 0\n").unwrap();
        assert!(page.ends_with("# EOF\n"), "{page}");
        let file = bench.scratch.write("page", page);
        let check = repository("tests/fixtures/openmetrics_check.py");
        let parsed = Run::new(&python).arg(check).arg(file).finish();
        assert!(parsed.succeeded(), "{}{}\n{page}", parsed.stdout, parsed.stderr);
        let samples: Vec<Value> = serde_json::from_str(&parsed.stdout).unwrap();
        let value = |name: &str, labels: Value| {
            let mut found =
                samples.iter().filter(|sample| sample["name"] == name && sample["labels"] == labels);
            found.next().unwrap_or_else(|| panic!("no {name} {labels} in {page}"))["value"].as_str().unwrap()
        };
        let odd = json!({"topic": "a \"b\" \\ c\nd\tα🦀", "empty": ""});
        assert_eq!(value("gossip_topics_total", odd), "1.8446744073709552e+19");
        assert_eq!(value("gossip_topics_total", json!({"topic": "x?y"})), "1.0");
        assert_eq!(value("gossip_odd", json!({})), "-inf");
        assert_eq!(value("gossip_delay_seconds_bucket", json!({"le": "0.25"})), "0.0");
        assert_eq!(value("gossip_delay_seconds_bucket", json!({"le": "0.5"})), "1.0");
        assert_eq!(value("gossip_delay_seconds_bucket", json!({"le": "+Inf"})), "2.0");
        assert_eq!(value("gossip_delay_seconds_count", json!({})), "2.0");
        assert_eq!(value("gossip_delay_seconds_sum", json!({})), "1000000000.3");
        let delay = samples.iter().find(|sample| sample["family"] == "gossip_delay_seconds").unwrap();
        assert_eq!((&delay["type"], &delay["unit"]), (&json!("histogram"), &json!("seconds")));
        let help = &samples.iter().find(|sample| sample["family"] == "gossip_odd").unwrap()["help"];
        assert_eq!(help, "Numbers that are 'none', and a \\.");
    }
}

#[test]
fn cpp_has_the_text_as_a_string() {
    let bench = Bench::with(Compiler::Gxx, "metrics_text", &[]);
    let said = bench.node(&[], &bench.state_dir()).finish();
    let expected = "# HELP gossip_messages Messages.\n# TYPE gossip_messages counter\ngossip_messages_total 3\n# EOF\nsame\n";
    assert_eq!(said.stdout, expected);
    assert_eq!(bench.node_without(&[]).finish().shell_status(), 98);
}
