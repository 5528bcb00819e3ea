//! Metrics that are used as they should not be cost nobody else a count, and the node nothing.
//!
//! 1. A node uses a name for two kinds, names that are none, labels without end, numbers that are none, handles too early
//!    or after their labels are gone, and more threads than there are rows.
//! 2. Its page holds what Prometheus' own clients would show, exactly, and nothing of what was refused.
//! 3. So from a build with -O0, with clang, with musl, and in C++.

use std::collections::BTreeMap;

use lifeboat_tests::{Compiler, Memory};
use rustix::process::Signal;

use crate::bench::Bench;

const FIXTURE: &str = "metrics_odd";
/// What `series_max` is here.
const SERIES_MAX: u32 = 100;

#[test]
fn in_c() {
    check(&Bench::with(Compiler::Gcc, FIXTURE, &["-lm"]));
}

#[test]
fn in_c_without_optimisation() {
    check(&Bench::with(Compiler::Gcc, FIXTURE, &["-O0", "-lm"]));
}

#[test]
fn in_c_by_clang() {
    check(&Bench::with(Compiler::Clang, FIXTURE, &["-lm"]));
}

#[test]
fn in_c_with_musl() {
    check(&Bench::with(Compiler::MuslGcc, FIXTURE, &["-lm"]));
}

#[test]
fn in_c_where_no_number_is_none() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &["-O2", "-ffast-math", "-lm"]);
    let (samples, _) = numbers(&bench, "odd-values");
    assert_eq!(samples["gossip_size_bytes_count"], 2.0, "{samples:?}");
    assert_eq!(samples["gossip_size_bytes_count{topic=\"a\"}"], 1.0, "{samples:?}");
}

#[test]
fn labels_without_end() {
    let (samples, memory) = numbers(&Bench::with(Compiler::Gcc, FIXTURE, &["-lm"]), "without-end");
    let snapshot = memory.snapshot().unwrap();
    assert!(samples.len() < 3 * SERIES_MAX as usize && snapshot.series_used <= SERIES_MAX, "{samples:?}");
    let of = |name: &str| {
        samples.iter().filter(|(known, _)| known.starts_with(name)).map(|(_, value)| value).sum::<f64>()
    };
    assert_eq!(of("gossip_messages_total"), 1e6);
    assert!(samples["gossip_messages_total{overflow=\"true\"}"] > 999_000.0, "{samples:?}");
    // Of these the rest would mean nothing: it is counted as refused.
    assert!(of("gossip_peers") + of("gossip_size_bytes_count") < f64::from(SERIES_MAX));
    assert!(snapshot.overflowed > 2_900_000, "{snapshot:?}");
    let bytes = memory.resident_bytes().unwrap();
    assert!(bytes < 256 << 10, "{bytes}");
}

#[test]
fn more_threads_than_rows() {
    let (samples, memory) = numbers(&Bench::with(Compiler::Gcc, FIXTURE, &["-lm"]), "threads");
    assert_eq!(samples["gossip_messages_total"], 30_000.0);
    let rounds: Vec<_> = samples.iter().filter(|(name, _)| name.starts_with("gossip_rounds_total")).collect();
    assert!(rounds.len() == 50 && rounds.iter().all(|(_, value)| **value == 600.0), "{rounds:?}");
    assert_eq!(samples["gossip_size_bytes_count"], 30_000.0);
    assert_eq!(samples["gossip_size_bytes_sum"], 30_000.0);
    assert_eq!(memory.snapshot().unwrap().rows_used, 256);
}

#[test]
fn a_child_of_vfork_takes_no_row() {
    let (samples, memory) = numbers(&Bench::with(Compiler::Gcc, FIXTURE, &["-lm"]), "vfork");
    assert_eq!(samples["gossip_messages_total"], 103.0);
    assert_eq!(memory.snapshot().unwrap().rows_used, 2, "both threads have rows of their own");
}

#[test]
fn checks_at_once_are_counted() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &["-lm"]);
    let run = |most: &str| {
        let state_dir = bench.state_dir();
        let mut node = bench.node(&["checks"], &state_dir).env("LIFEBOAT_SERIES_MAX", most).spawn();
        node.wait_for("ready");
        let samples = Memory::of(bench.watching(&node, &state_dir).pid.unsigned_abs()).unwrap().samples();
        node.signal(Signal::KILL);
        let _ = node.finish();
        bench.settle();
        samples
    };
    for round in 0..4 {
        let samples = run("1000");
        let checks: Vec<_> =
            samples.iter().filter(|(name, _)| name.starts_with("lifeboat_checks_total")).collect();
        assert!(
            checks.len() == 100 && checks.iter().all(|(_, value)| **value == 24.0),
            "{round}: {checks:?}"
        );
    }
}

fn check(bench: &Bench) {
    let is = |what: &str, expected: &[String]| {
        let mut shown: Vec<_> =
            numbers(bench, what).0.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let mut expected: Vec<_> =
            expected.iter().flat_map(|lines| lines.lines()).map(|line| format!("gossip_{line}")).collect();
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected, "{what}");
    };
    let line = |text: &str| text.to_owned();
    is("other-kinds", &[line("messages_total 2\npeers 3"), sizes("", [0, 1, 1, 1, 1, 1], "100")]);
    let counters = "messages_total 1\nmessages_total{topic=\"a\"} 2\nmessages_total{kind=\"b\"} 3\n\
                    messages_total{topic=\"a\",kind=\"b\"} 9\npeers{topic=\"a\",kind=\"b\"} 6.5";
    is("other-labels", &[line(counters), sizes("topic=\"a\"", [0, 1, 2, 2, 2, 2], "1025")]);
    is("no-names", &[]);
    let many: Vec<_> = (0..32).map(|number| format!("l{number}=\"x\"")).collect();
    let hostile = "messages_total{topic=\"a\\\"b\\\\c\\nd \u{20ac} ?\"} 3\nmessages_total 1";
    is("odd-labels", &[format!("messages_total{{{}}} 2", many.join(",")), line(hostile)]);
    let odd = [
        line("peers NaN\ndepth -inf"),
        sizes("", [1, 1, 1, 1, 1, 2], "inf"),
        sizes("topic=\"a\"", [1; 6], "-inf"),
    ];
    is("odd-values", &odd);
    is("infos", &[line("build_info{commit=\"2\"} 1")]);
    let handles = line("messages_total{topic=\"a\"} 2\npeers{topic=\"a\"} 2");
    is("handles", &[handles, sizes("topic=\"a\"", [1; 6], "3")]);
}

/// The lines of one series of the fixture's histogram.
fn sizes(labels: &str, counts: [u32; 6], sum: &str) -> String {
    let more = if labels.is_empty() { "" } else { "," };
    let bounds = ["64", "512", "4096", "32768", "262144", "+Inf"].into_iter().zip(counts);
    let mut lines: Vec<_> =
        bounds.map(|(le, count)| format!("size_bytes_bucket{{{labels}{more}le=\"{le}\"}} {count}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    lines.push(format!("size_bytes_sum{labels} {sum}"));
    lines.push(format!("size_bytes_count{labels} {}", counts[5]));
    lines.join("\n")
}

/// What a node's page says once it did that, and the memory behind it.
fn numbers(bench: &Bench, what: &str) -> (BTreeMap<String, f64>, Memory) {
    let state_dir = bench.state_dir();
    let run = bench.node(&[what], &state_dir).env("LIFEBOAT_SERIES_MAX", SERIES_MAX.to_string());
    let mut node = run.spawn();
    node.wait_for("ready");
    let memory = Memory::of(bench.watching(&node, &state_dir).pid.unsigned_abs()).unwrap();
    let samples = memory.samples();
    node.signal(Signal::KILL);
    let _ = node.finish();
    bench.settle();
    (samples, memory)
}
