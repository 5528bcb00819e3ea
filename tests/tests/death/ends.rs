//! Ends without a fatal signal: a death is reported, a stop that somebody asked for is not.
//!
//! 1. A node exits, is told to stop, or is killed; the same program without a reporter ends with the same status.
//! 2. One report where it died, none where it stopped.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use lifeboat_tests::{Compiler, Run};
use rustix::process::Signal;

use crate::bench::{Bench, Report, same_end};

const FIXTURE: &str = "death_ends";

fn check_all(cases: &[(&str, &[Report])]) {
    let bench = Bench::new(FIXTURE);
    for (case, reports) in cases {
        bench.check(&[case], reports);
    }
}

/// Sends each signal once the node has said what stands beside it.
fn check_sent(case: &str, signals: &[(&str, Signal)], expected: &[Report]) {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let end = |run: Run| {
        let mut node = run.spawn();
        for (word, signal) in signals {
            node.wait_for(word);
            node.signal(*signal);
        }
        node.finish()
    };
    let (without, with) = (end(bench.node_without(&[case])), end(bench.node(&[case], &state_dir)));
    same_end(&[case], &with, &without);
    assert_eq!(bench.reports(&state_dir), expected, "{case} {signals:?}");
}

#[test]
fn exit_with_a_status() {
    check_all(&[
        ("fatal-then-exit", &[Report::of_exit(1)]),
        ("exit-1", &[Report::of_exit(1)]),
        ("exit-1-under-filter", &[Report::of_exit(1)]),
        ("return-3", &[Report::of_exit(3)]),
        ("exit-at-once", &[Report::of_exit(3)]),
        ("exit-of-thread", &[Report::of_exit(5)]),
    ]);
}

#[test]
fn exit_without_one() {
    check_all(&[("exit-0", &[]), ("return-0", &[]), ("last-thread-returns", &[])]);
}

#[test]
fn clean_end() {
    check_all(&[
        ("stop-then-exit", &[]),
        ("stop-then-fault", &[]),
        ("stop-start-then-fault", &[Report::of_signal("SIGSEGV")]),
    ]);
}

#[test]
fn requested_stop() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        check_sent("waits", &[("ready", signal)], &[]);
    }
    for signal in [Signal::TERM, Signal::INT] {
        check_sent("handler-to-0", &[("ready", signal)], &[]);
        check_sent("handler-to-1", &[("ready", signal)], &[]);
    }
}

#[test]
fn death_while_stopping() {
    check_sent("handler-faults", &[("ready", Signal::TERM)], &[Report::of_signal("SIGSEGV")]);
}

#[test]
fn killed() {
    check_sent("waits", &[("ready", Signal::KILL)], &[Report::of_unseen_signal("killed", "SIGKILL")]);
    check_sent("handler-stays", &[("ready", Signal::TERM), ("stays", Signal::KILL)], &[]);
}

#[test]
fn programs_of_another_libc() {
    let bench = Bench::with(Compiler::MuslGcc, FIXTURE, &[]);
    bench.check(&["exit-1"], &[Report::of_exit(1)]);
    bench.check(&["return-3"], &[Report::of_exit(3)]);
    bench.check(&["exit-at-once"], &[Report::of_exit(3)]);
    bench.check(&["exit-0"], &[]);
    bench.check(&["stop-then-exit"], &[]);
}

#[test]
fn reader_of_the_node_sees_its_end() {
    let bench = Bench::new(FIXTURE);
    // The shell's pipe ends when nobody holds it any more: a monitor that did would keep `cat`, and this, waiting.
    let node = bench.scratch.join("node");
    let script = format!("'{}' handler-of-fault | cat; echo end of file", node.display());
    let run = Run::new("sh").arg("-c").arg(script).folder(bench.scratch.path());
    let state_dir = bench.state_dir();
    assert_eq!(bench.on(run, Path::new(&state_dir)).finish().output(), "end of file\n");
    assert_eq!(bench.reports(&state_dir).len(), 1);
}

#[test]
fn node_without_standard_descriptors() {
    let bench = Bench::new(FIXTURE);
    for (case, status, report) in
        [("null", 139, Report::of_signal("SIGSEGV")), ("return-3", 3, Report::of_exit(3))]
    {
        let script = "exec \"$0\" \"$1\" <&- >&- 2>&-";
        let node = bench.program().to_str().unwrap();
        let run = Run::new("sh").args(["-c", script, node, case]).folder(bench.scratch.path());
        let state_dir = bench.state_dir();
        assert_eq!(bench.on(run, &state_dir).finish().shell_status(), status, "{case}");
        assert_eq!(bench.reports(&state_dir), [report], "{case}");
    }
}

/// Nobody may trace what another traces: the exact status and the report are found without.
#[test]
fn traced_node() {
    let bench = Bench::new(FIXTURE);
    for (case, status, report) in
        [("null", 139, Report::of_signal("SIGSEGV")), ("return-3", 3, Report::of_exit(3))]
    {
        let state_dir = bench.state_dir();
        let run = bench.node_behind(&["strace", "--follow-forks", "--output=/dev/null"], &[case]);
        assert_eq!(bench.on(run, &state_dir).finish().shell_status(), status, "{case}");
        assert_eq!(bench.reports(&state_dir), [report], "{case}");
    }
}

#[test]
fn node_of_an_unprivileged_user() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: all nodes of these tests are unprivileged already");
        return;
    }
    let bench = Bench::new(FIXTURE);
    fs::set_permissions(bench.scratch.path(), Permissions::from_mode(0o755)).unwrap();
    let cases = [
        ("null", 139, Report::of_signal("SIGSEGV")),
        ("undumpable-null", 139, Report::of_signal("SIGSEGV")),
        ("return-3", 3, Report::of_exit(3)),
        ("exit-at-once", 3, Report::of_exit(3)),
        ("undumpable-exit", 6, Report::of_exit(6)),
    ];
    for (case, status, report) in cases {
        let state_dir = bench.state_dir();
        fs::create_dir(&state_dir).unwrap();
        chown(&state_dir, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(&state_dir, Permissions::from_mode(0o700)).unwrap();
        let outcome = bench.node(&[case], &state_dir).user(NOBODY, NOBODY).finish();
        assert_eq!(outcome.shell_status(), status, "{case}");
        assert_eq!(bench.reports(&state_dir), [report], "{case}");
    }
}
