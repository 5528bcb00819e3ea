//! What a node in Nim counts, in Lifeboat's words or in nim-metrics', is in its report.
//!
//! 1. Threads that come and go count, with labels that are declared or known late, before start and after.
//! 2. Every value in the report is exact, with both Nims, both kinds of memory management, debug and release.
//! 3. Without `-d:sentry` the module that stands for nim-metrics is nim-metrics.
//! 4. What nim-metrics would raise for when the program starts, the compiler refuses.

use std::ffi::OsString;
use std::fs;

use lifeboat_tests::Scratch;
use serde_json::{Value, json};

use crate::bench::{Bench, events};
use crate::build::{Build, Nim, bindings, fixture};

#[test]
fn values_by_nim_1() {
    check(&Build::new(Nim::One, &["-d:sentry", "--mm:refc"]));
    check(&Build::new(Nim::One, &["-d:sentry", "--mm:orc", "-d:release"]));
}

#[test]
fn values_by_nim_2() {
    check(&Build::new(Nim::Two, &["-d:sentry", "--mm:refc", "-d:release"]));
    check(&Build::new(Nim::Two, &["-d:sentry", "--mm:orc"]));
}

fn check(build: &Build) {
    let bench = Bench::new("nim-metrics");
    let node = build.compile(&fixture("metrics.nim"), &bench.scratch.join("node"), &bindings(), &[]);
    // Turned off it does the same, and counts nothing.
    let off = bench.node_off(&node).finish();
    assert_eq!((off.status.code(), off.stdout.as_str()), (Some(1), "done\n"), "{build:?}: {off:?}");
    let state_dir = bench.state_dir();
    let outcome = bench.node(&node, &state_dir).finish();
    assert_eq!(
        (outcome.status.code(), outcome.stdout.as_str()),
        (Some(1), "done\n"),
        "{build:?}: {outcome:?}"
    );
    bench.settle();
    let mut metrics = events(&state_dir)[0]["contexts"]["metrics"].clone();
    let all = metrics.as_object_mut().unwrap();
    // What depends on the run: the id of a thread, the garbage collector's memory, a time.
    let told = |all: &serde_json::Map<String, Value>, name: &str| all.keys().any(|key| key.starts_with(name));
    assert!(told(all, "nim_gc_mem_bytes{thread_id=") && told(all, "nim_gc_mem_occupied_bytes{"), "{all:?}");
    let seconds = all["slept_seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 10.0, "{seconds}");
    all.retain(|name, _| !name.starts_with("nim_gc_") && !["type", "slept_seconds"].contains(&name.as_str()));
    assert_eq!(metrics, expected(), "{build:?}");
}

fn expected() -> Value {
    let mut expected = own_words();
    let all = expected.as_object_mut().unwrap();
    all.extend(words_of_nim_metrics().as_object().unwrap().clone());
    all.extend((0..100).map(|i| (format!("gossip_topics_total{{number=\"{i}\"}}"), json!(2 * i))));
    expected
}

fn own_words() -> Value {
    json!({
        "gossip_messages_total": 4000,
        "gossip_messages_total{topic=\"bytes \u{1}?\t\",kind=\"\"}": 3,
        "gossip_topics_total{topic=\"a \\\"b\\\"\\n\\\\\",kind=\"é\"}": 20,
        "gossip_topics_total{topic=\"late 0\"}": 1332,
        "gossip_topics_total{topic=\"late 1\"}": 1336,
        "gossip_topics_total{topic=\"late 2\"}": 1332,
        "gossip_topics_total{topic=\"bound 72\"}": 8000,
        "gossip_peers{topic=\"bound\"}": 1000,
        "gossip_delay_seconds_count{topic=\"bound\"}": 4,
        "gossip_delay_seconds_sum{topic=\"bound\"}": 2,
        "gossip_in_proc_total": 4000,
        "gossip_peers": 47.5,
        "gossip_peers{thread=\"any\"}": 1000,
        "gossip_delay_seconds_count": 4000,
        "gossip_delay_seconds_sum": 1000,
        "gossip_size_bytes_count{peer=\"p0\"}": 2000,
        "gossip_size_bytes_sum{peer=\"p0\"}": 198_000,
        "gossip_size_bytes_count{peer=\"p1\"}": 2000,
        "gossip_size_bytes_sum{peer=\"p1\"}": 200_000,
        "lifeboat_checks_total{check=\"store\",result=\"passed\"}": 1,
        "gossip_build_info{commit=\"def\"}": 1,
    })
}

fn words_of_nim_metrics() -> Value {
    json!({
        "waku_node_errors_total{type=\"insert_failure\"}": 1,
        "waku_node_errors_total{type=\"odd \\\"quotes\\\"\\n\\\\ 16\"}": 2,
        "waku_node_messages_total{type=\"relay\"}": 4000,
        "waku_store_peers": 6,
        "waku_version{version=\"v0.38.0-12-gabc\"}": 1,
        "waku_histogram_message_size_count": 4000,
        "waku_histogram_message_size_sum": 4000,
        "waku_service_network_bytes_total{service=\"store 0\",direction=\"in\"}": 0,
        "waku_service_network_bytes_total{service=\"store 1\",direction=\"in\"}": 1000,
        "waku_service_network_bytes_total{service=\"store 2\",direction=\"in\"}": 0,
        "waku_service_network_bytes_total{service=\"store 3\",direction=\"in\"}": 1000,
        // 4,000 times 12.5 ms.
        "event_loop_accumulated_lag_secs_total": 50,
        "waku_store_time_seconds{phase=\"query-db\"}": 0.125,
        // 123 and twice 0.75.
        "waku_relay_network_bytes_total{topic=\"/waku/2/rs/1/4\",type=\"net\",direction=\"in\"}": 124,
        "payload_size_count{kind=\"a\"}": 2,
        "payload_size_sum{kind=\"a\"}": 10.5,
        "waku_swap_balance_count{peer=\"x\"}": 1,
        "waku_swap_balance_sum{peer=\"x\"}": -300,
        "in_progress": 3,
        "node_failures_total": 2,
        "one_off_total": 3,
        "one_off_gauge": 0.5,
    })
}

#[test]
fn without_the_flag_it_is_nim_metrics() {
    let scratch = Scratch::new("nim-compat");
    fs::create_dir_all(scratch.join("theirs")).unwrap();
    scratch.write("theirs/metrics.nim", "const isNimMetrics* = true\n");
    let program = "import lifeboat/metrics_compat\nwhen declared(isNimMetrics): {.warning: \"theirs\".}\n";
    let source = scratch.write("node.nim", program);
    let mut path = OsString::from("--path:");
    path.push(scratch.join("theirs"));
    let said = |flags| {
        let build = Build::new(Nim::Two, flags);
        let more = [path.clone(), "--compileOnly".into()];
        let outcome = build.try_compile(&source, &scratch.join("node"), &bindings(), &more);
        assert!(outcome.succeeded(), "{outcome:?}");
        outcome.stdout + &outcome.stderr
    };
    assert!(said(&[]).contains("theirs [User]"));
    assert!(!said(&["-d:sentry"]).contains("theirs [User]"));
}

#[test]
fn words_of_nim_metrics_need_no_threads() {
    let scratch = Scratch::new("nim-threads");
    let source = scratch.write("node.nim", "import lifeboat/metrics_compat\nupdateThreadMetrics()\n");
    for nim in [Nim::One, Nim::Two] {
        let build = Build::new(nim, &["-d:sentry", "--mm:refc", "--threads:off"]);
        build.compile(&source, &scratch.join("node"), &bindings(), &[]);
    }
}

#[test]
fn the_compiler_refuses() {
    let refused = [
        ("declareCounter a, \"h\", name = \"foo:bar\"", "not a name of a metric"),
        ("declareGauge a, \"h\", [\"1st\"]", "not labels of a metric"),
        ("declareGauge a, \"h\", [\"b\", \"b\"]", "not labels of a metric"),
        ("declareHistogram a, \"h\", buckets = [2.0, 1.0]", "not the buckets of a histogram"),
        ("declareHistogram a, \"h\", buckets = [Inf]", "not the buckets of a histogram"),
    ];
    let scratch = Scratch::new("nim-refused");
    for (declaration, reason) in refused {
        let source = scratch.write("node.nim", format!("import lifeboat/metrics_compat\n{declaration}\n"));
        let build = Build::new(Nim::One, &["-d:sentry", "--compileOnly"]);
        let outcome = build.try_compile(&source, &scratch.join("node"), &bindings(), &[]);
        let said = outcome.stdout.clone() + &outcome.stderr;
        assert!(!outcome.succeeded() && said.contains(reason), "{declaration}: {said}");
    }
}
