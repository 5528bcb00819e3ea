//! Signals reach the program as if it were alone, and a stop that was asked for is no death.
//!
//! 1. The program waits, looked after. 2. Signals come: to us, to it, to both. 3. It gets each once, and ends alike.

use std::fs;

use lifeboat_tests::Outcome;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::bench::{Bench, child_of, event, events, functions, title, wait_until};

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

/// The state of a process, `T` where it is stopped; the process behind `name (state`.
fn state(process: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or_else(String::new, |(_, rest)| rest[..1].to_owned())
}

/// Starts the program looked after, sends us a signal, and waits for the end.
fn ended_by(bench: &Bench, options: &[&str], case: &str, signal: Signal) -> (Outcome, usize) {
    let state_dir = bench.state_dir();
    let mut running = bench.run(options, &[case], &state_dir).spawn();
    running.wait_for("ready");
    running.signal(signal);
    let outcome = running.finish();
    (outcome, events(&state_dir).len())
}

#[test]
fn a_requested_stop_is_no_death() {
    let bench = Bench::new();
    for options in [&[][..], &["--no-trace"]] {
        for (case, signal, status) in [
            ("wait", Signal::TERM, 143),
            ("wait", Signal::INT, 130),
            ("wait", Signal::HUP, 129),
            ("wait-handled", Signal::TERM, 3),
        ] {
            let (outcome, reports) = ended_by(&bench, options, case, signal);
            assert_eq!((outcome.shell_status(), reports), (status, 0), "{options:?} {case} {signal:?}");
        }
    }
}

#[test]
fn what_is_sent_to_us_reaches_it() {
    let bench = Bench::new();
    let (outcome, reports) = ended_by(&bench, &[], "wait", Signal::USR1);
    assert_eq!((outcome.shell_status(), reports), (6, 1), "an exit with 6 that nobody asked for");
    // A watchdog's way to have the stacks told.
    let state_dir = bench.state_dir();
    let mut running = bench.run(&[], &["wait"], &state_dir).spawn();
    running.wait_for("ready");
    running.signal(Signal::ABORT);
    assert_eq!(running.finish().shell_status(), 134);
    let event = event(&state_dir);
    assert!(title(&event).starts_with("SIGABRT"));
    assert!(functions(&event).contains(&"wait_for_signals".into()), "{:?}", functions(&event));
}

#[test]
fn what_is_sent_to_both_arrives_once() {
    let bench = Bench::new();
    let mut running = bench.run(&[], &["wait-count"], &bench.state_dir()).spawn();
    running.wait_for("ready");
    kill_process_group(pid(running.pid().cast_signed()), Signal::TERM).unwrap();
    let outcome = running.finish();
    assert_eq!((outcome.shell_status(), outcome.stdout.as_str()), (3, "ready\nreceived 1\n"));
}

#[test]
fn it_can_be_stopped_and_continued() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let mut running = bench.run(&[], &["wait"], &state_dir).spawn();
    running.wait_for("ready");
    let program = child_of(&running);
    for signal in [Signal::STOP, Signal::TSTP] {
        kill_process(pid(program), signal).unwrap();
        wait_until("it stands still", || ["T", "t"].contains(&state(program).as_str()));
        kill_process(pid(program), Signal::CONT).unwrap();
        wait_until("it runs on", || !["T", "t"].contains(&state(program).as_str()));
    }
    // A whole job, as a shell's fg and bg do it.
    let group = pid(running.pid().cast_signed());
    kill_process_group(group, Signal::TSTP).unwrap();
    wait_until("all stand still", || {
        state(program).to_lowercase() == "t" && state(running.pid().cast_signed()) == "T"
    });
    kill_process_group(group, Signal::CONT).unwrap();
    wait_until("all run on", || ![state(program), state(running.pid().cast_signed())].contains(&"T".into()));
    kill_process(pid(program), Signal::USR1).unwrap();
    assert_eq!(running.finish().shell_status(), 6);
    assert_eq!(events(&state_dir).len(), 1);
}

#[test]
fn a_kill_of_the_program_is_told_and_one_of_us_is_not_its_end() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let mut running = bench.run(&[], &["wait"], &state_dir).spawn();
    running.wait_for("ready");
    kill_process(pid(child_of(&running)), Signal::KILL).unwrap();
    assert_eq!(running.finish().shell_status(), 137);
    let killed = event(&state_dir);
    assert_eq!(killed["contexts"]["death"]["cause"], "killed");
    assert!(killed["contexts"]["process"]["resident_bytes"].as_u64() > Some(0), "what it needed is told");
    let mut running = bench.run(&[], &["wait"], &bench.state_dir()).spawn();
    running.wait_for("ready");
    let program = child_of(&running);
    running.signal(Signal::KILL);
    let outcome = running.finish();
    assert_eq!(outcome.shell_status(), 137);
    assert!(["S", "R"].contains(&state(program).as_str()), "the program lives on: {}", state(program));
    kill_process(pid(program), Signal::KILL).unwrap();
}
