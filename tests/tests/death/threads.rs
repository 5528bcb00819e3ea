//! Deaths among threads, locks and children.
//!
//! 1. Many threads die at once, or one dies while a lock of libc is held: one report, and no hang.
//! 2. A child of fork or vfork dies: its parent sees the status that it would have seen, lives, and has no report.
//! 3. Thousands of threads come and go: they share a few signal stacks.

use lifeboat_tests::{Compile, Compiler};

use crate::bench::{Bench, Report, source};

const FIXTURE: &str = "death_threads";

fn check_all(cases: &[(&str, &[Report])]) {
    let bench = Bench::new(FIXTURE);
    for (case, reports) in cases {
        bench.check(&[case], reports);
    }
}

#[test]
fn threads_that_die_together_are_one_death() {
    let segv = [Report::of_signal("SIGSEGV")];
    let abort = [Report::of_signal("SIGABRT")];
    for compiler in [Compiler::Gcc, Compiler::MuslGcc] {
        let bench = Bench::with(compiler, FIXTURE, &[]);
        bench.check(&["crash-of-one"], &segv);
        for _ in 0..5 {
            bench.check(&["crash-of-twenty"], &segv);
            bench.check(&["abort-of-twenty"], &abort);
        }
    }
}

#[test]
fn locks_of_libc_are_held() {
    let bench = Bench::new(FIXTURE);
    let plugin = Compile::new(Compiler::Gcc).flags(["-shared", "-fPIC", "-DPLUGIN", "-DLIFEBOAT_LOAD"]);
    let plugin = plugin.source(source(FIXTURE)).build(bench.scratch.join("plugin.so"));
    let plugin = plugin.to_str().unwrap();
    bench.check(&["malloc-lock"], &[Report::of_signal("SIGABRT")]);
    bench.check(&["loader-lock", plugin], &[Report::of_signal("SIGSEGV")]);
    bench.check(&["constructor", plugin], &[Report::of_signal("SIGSEGV")]);
}

#[test]
fn fault_at_exit() {
    check_all(&[("at-exit", &[Report::of_signal("SIGSEGV")])]);
}

#[test]
fn death_of_a_child_is_not_the_parents() {
    check_all(&[
        ("fork-fault", &[]),
        ("fork-abort", &[]),
        ("fork-raise", &[]),
        ("fork-exit", &[]),
        ("vfork-fault", &[]),
        ("vfork-raise", &[]),
    ]);
}

#[test]
fn calls_of_a_child_do_nothing() {
    check_all(&[("fork-calls", &[]), ("fork-calls-then-dies", &[Report::of_signal("SIGSEGV")])]);
}

#[test]
fn child_may_have_a_lifeboat_of_its_own() {
    check_all(&[("fork-starts", &[Report::of_signal("SIGSEGV")])]);
}

#[test]
fn stop_of_a_child_is_not_the_parents() {
    check_all(&[("vfork-stopped-then-exits", &[Report::of_exit(4)])]);
}

#[test]
fn threads_share_signal_stacks() {
    let bench = Bench::new(FIXTURE);
    let death = bench.die(&["attach-often"]);
    assert_eq!(death.outcome.shell_status(), 0, "{}", death.outcome.stdout);
}
