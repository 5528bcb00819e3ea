//! A node's own handlers run as without Lifeboat, after ours.
//!
//! 1. A node installs a handler, starts its lifeboat, and a signal comes.
//! 2. What the handler sees (errno, stack, mask, flags, siginfo, backtrace) is what it sees without a reporter.
//! 3. What it repairs is no death; what it does not is reported once.

use lifeboat_tests::Compiler;

use crate::bench::{Bench, Report, same_end};

const FIXTURE: &str = "death_handlers";

fn check_all(cases: &[(&str, &[Report])]) {
    let bench = Bench::new(FIXTURE);
    for (case, reports) in cases {
        bench.check(&[case], reports);
    }
}

#[test]
fn handler_is_called_as_it_asked() {
    let segv = [Report::of_signal("SIGSEGV")];
    for compiler in [Compiler::Gcc, Compiler::MuslGcc] {
        let bench = Bench::with(compiler, FIXTURE, &[]);
        for case in ["info", "plain", "on-stack", "no-defer", "reset-hand", "all-flags"] {
            bench.check(&[case], &segv);
            let said = bench.die_without(&[case]).stdout;
            let (on_stack, is_glibc) = (case == "on-stack" || case == "all-flags", compiler == Compiler::Gcc);
            for line in [
                "errno 2a".to_owned(),
                format!("on its own stack {}", u8::from(on_stack)),
                format!("backtrace reaches who called {}", u8::from(is_glibc)),
            ] {
                assert_eq!(
                    said.lines().filter(|said| *said == line).count(),
                    1,
                    "{case}: {line:?} in {said}"
                );
            }
        }
    }
}

#[test]
fn handler_that_quits() {
    let quit = Report { status: Some(1), ..Report::of_signal("SIGSEGV") };
    let reports = [quit];
    check_all(&[("quits-at-once", &reports), ("quits", &reports)]);
}

#[test]
fn repaired_fault_is_no_death() {
    check_all(&[("repairs", &[]), ("repairs-plainly", &[]), ("repairs-often", &[]), ("notes", &[])]);
}

#[test]
fn fault_after_a_repaired_one_is() {
    let segv = [Report::of_signal("SIGSEGV")];
    check_all(&[
        ("repairs-and-dies", &segv),
        ("repairs-plainly-and-dies", &segv),
        ("repairs-often-and-dies", &segv),
        ("repairs-only-once", &segv),
    ]);
}

#[test]
fn abort_survives_its_handler() {
    check_all(&[("notes-abort", &[Report::of_signal("SIGABRT")])]);
}

#[test]
fn handler_that_jumps_out() {
    check_all(&[("jumps-out", &[]), ("jumps-out-and-dies", &[Report::of_signal("SIGSEGV")])]);
}

#[test]
fn handler_installed_after_the_start() {
    check_all(&[("installs-later", &[Report { status: Some(1), ..Report::of_signal("SIGSEGV") }])]);
}

#[test]
fn handler_that_calls_ours() {
    let segv = [Report::of_signal("SIGSEGV")];
    check_all(&[("calls-former", &segv), ("calls-former-rearmed", &segv)]);
    // Without a reporter there is nothing to call, and a raised signal passes. With one it ends the loop.
    let bench = Bench::new(FIXTURE);
    let death = bench.die(&["calls-former-raised"]);
    same_end(&["calls-former-raised"], &death.outcome, &bench.die(&["calls-former-rearmed"]).outcome);
    assert_eq!(death.reports, segv);
}

#[test]
fn ignored_signals_stay_ignored() {
    check_all(&[("ignores", &[]), ("ignores-a-fault", &[Report::of_signal("SIGSEGV")])]);
}

#[test]
fn handler_of_a_stop_is_called_as_it_asked() {
    check_all(&[("stop-told", &[]), ("stop-told-on-stack", &[]), ("stop-told-once", &[])]);
}
