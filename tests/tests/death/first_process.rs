//! A node that is the first process of its PID namespace, as in a container: same reports, right status, nothing left.
//!
//! 1. `unshare` starts the node as PID 1; it dies, and its monitor with it.
//! 2. The status is that of a shell, 128 and the signal; the report was on disk before.
//! 3. No process lives on, and nothing waits in `recorders/`.

use std::path::Path;

use lifeboat_tests::Outcome;

use crate::bench::{Bench, Report, files};

const FIXTURE: &str = "death_ends";
const UNSHARE: [&str; 4] = ["unshare", "--pid", "--fork", "--mount-proc"];

/// Nothing where this machine does not let us make a namespace.
fn bench() -> Option<Bench> {
    let bench = Bench::new(FIXTURE);
    if bench.node_behind(&UNSHARE, &["return-0"]).finish().succeeded() {
        return Some(bench);
    }
    eprintln!("not tried: PID namespaces are not allowed here; run the tests as root");
    None
}

fn die(bench: &Bench, case: &str, state_dir: &Path) -> Outcome {
    let outcome = bench.on(bench.node_behind(&UNSHARE, &[case]), state_dir).finish();
    bench.settle();
    outcome
}

#[test]
fn deaths_of_the_first_process() {
    let Some(bench) = bench() else { return };
    let cases = [
        ("null", 139, vec![Report::of_signal("SIGSEGV")]),
        ("abort", 134, vec![Report::of_signal("SIGABRT")]),
        ("raise-segv", 139, vec![Report::of_signal("SIGSEGV")]),
        ("return-3", 3, vec![Report::of_exit(3)]),
        ("fatal-then-exit", 1, vec![Report::of_exit(1)]),
        ("handler-exits", 1, vec![Report { status: Some(1), ..Report::of_signal("SIGSEGV") }]),
        ("repaired", 0, vec![]),
        ("return-0", 0, vec![]),
        ("stop-then-exit", 1, vec![]),
    ];
    for (case, status, expected) in cases {
        let state_dir = bench.state_dir();
        let outcome = die(&bench, case, &state_dir);
        assert_eq!(outcome.shell_status(), status, "{case}");
        assert_eq!(bench.reports(&state_dir), expected, "{case}");
        assert!(bench.is_tidy(&state_dir), "{case}");
    }
}

#[test]
fn signal_that_the_kernel_spares_it_from() {
    let Some(bench) = bench() else { return };
    let without = bench.node_behind(&UNSHARE, &["signal-from-child"]).finish();
    let state_dir = bench.state_dir();
    let with = die(&bench, "signal-from-child", &state_dir);
    assert_eq!((with.shell_status(), &with.stdout), (without.shell_status(), &without.stdout));
    assert_eq!(with.output(), "child 0\nlived\n");
    assert!(bench.reports(&state_dir).is_empty());
}

#[test]
fn counts_that_somebody_else_holds_cost_no_report() {
    let Some(bench) = bench() else { return };
    let state_dir = bench.state_dir();
    assert!(bench.node(&["return-0"], &state_dir).finish().succeeded());
    bench.settle();
    let lock = std::fs::File::options().write(true).open(state_dir.join("nodes/.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // A first process waits five times as long for its report: less than others may hold the counts.
    let node = bench.node_behind(&UNSHARE, &["null"]).env("TIMEOUT_MS", "800");
    assert_eq!(bench.on(node, &state_dir).finish().shell_status(), 139);
    drop(lock);
    bench.settle();
    assert_eq!(bench.reports(&state_dir), [Report::of_signal("SIGSEGV")]);
}

#[test]
fn first_process_whose_own_handler_ends_it() {
    let Some(bench) = bench() else { return };
    let state_dir = bench.state_dir();
    assert_eq!(die(&bench, "handler-of-fault", &state_dir).shell_status(), 1);
    // What its handler would do could not be awaited: the next start in this place makes the report. One that is itself
    // the first process, and is over before that, may leave a half-written file, which the spool sweeps later.
    assert_eq!(die(&bench, "return-0", &state_dir).shell_status(), 0);
    let outside = bench.node(&["return-0"], &state_dir).finish();
    assert!(outside.succeeded());
    let [report] = &bench.reports(&state_dir)[..] else { panic!("{:?}", bench.reports(&state_dir)) };
    assert_eq!((report.cause.as_str(), report.signal.as_deref()), ("signal", Some("SIGSEGV")));
    assert!(files(&state_dir, "recorders", "").is_empty());
}
