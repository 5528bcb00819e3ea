//! A loop that gives no proof of life is reported while the node lives on, with the function that it is in.
//!
//! 1. A node's thread beats, then stays in a loop; or the whole process is stopped; or a job ends properly.
//! 2. There is one report for each hang, with the stack of the thread that beat last; no call of another thread fails.
//! 3. Where tracing is forbidden the node lets the monitor in, asked by a signal; else the report tells what else is known.
//! 4. A node that dies in a hang says so in the report of its death.

use std::path::Path;
use std::time::Duration;

use lifeboat_tests::{Compile, Compiler, Run, Running};
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Bench, delivered, events, files, source, wait_until};

const FIXTURE: &str = "hang";
/// What the report is called; numbers are left out.
const TITLE: &str = "heartbeat gossip: # s old, due every # s";

#[test]
fn an_endless_loop_is_reported_once_and_again_when_it_comes_back() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["spins"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::USR1);
    let first = only(reported(&state_dir, 1));
    check_loop(&first, node.pid());
    assert!(!notes(&first).iter().any(|note| note.contains("refused")), "{first:#}");
    let busy = first["contexts"]["hang"]["busy_threads"].to_string();
    assert!(busy.contains("gossip ("), "{busy}");

    node.signal(Signal::USR1);
    node.wait_for("back");
    node.signal(Signal::USR1);
    let both = reported(&state_dir, 2);
    both.iter().for_each(|event| check_loop(event, node.pid()));
    assert_ne!(both[0]["event_id"], both[1]["event_id"]);
    for _ in 0..2 {
        step(&node);
    }
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(events(&state_dir).len(), 2);
    assert!(bench.is_tidy(&state_dir));
}

#[test]
fn a_job_that_ended_properly_owes_nothing() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["ends"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::USR1);
    let event = only(reported(&state_dir, 1));
    assert_eq!(title(&event), TITLE);
    assert!(!event.to_string().contains("heartbeat job"), "{event:#}");
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(events(&state_dir).len(), 1);
}

#[test]
fn a_stopped_process_stays_stopped() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["beats"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::STOP);
    let event = only(reported(&state_dir, 1));
    assert_eq!(title(&event), format!("{TITLE}; the process was stopped, by SIGSTOP or its like"));
    assert!(functions(&event).contains(&"beats".to_owned()), "{event:#}");
    assert!(state(node.pid()).starts_with('T'), "{}", state(node.pid()));
    node.signal(Signal::CONT);
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(events(&state_dir).len(), 1);
}

#[test]
fn every_stop_is_reported() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["beats-again"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::STOP);
    drop(reported(&state_dir, 1));
    node.signal(Signal::USR1);
    node.signal(Signal::CONT);
    node.wait_for("back");
    node.signal(Signal::STOP);
    for event in reported(&state_dir, 2) {
        assert_eq!(title(&event), format!("{TITLE}; the process was stopped, by SIGSTOP or its like"));
    }
    node.signal(Signal::CONT);
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(events(&state_dir).len(), 2);
}

#[test]
fn no_call_of_another_thread_fails() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["undisturbed"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::USR1);
    let event = only(reported(&state_dir, 1));
    check_loop(&event, node.pid());
    let stacks = event["threads"]["values"].as_array().unwrap().iter();
    assert!(stacks.filter(|thread| thread["stacktrace"].is_object()).count() >= 8, "{event:#}");
    node.signal(Signal::USR1);
    assert_eq!(node.finish().output(), "ready\ndisturbed 0\n");
}

#[test]
fn a_death_while_the_monitor_looks_is_whole() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["dies-watched"], &state_dir).spawn();
    node.wait_for("ready");
    node.signal(Signal::USR1);
    // A look that nobody saw is reported, and the node dies when told to.
    wait_until("the monitor has looked", || !files(&state_dir, "spool", ".envelope").is_empty());
    node.signal(Signal::USR1);
    assert_eq!(node.finish().shell_status(), 128 + 6);
    bench.settle();
    let events = events(&state_dir);
    let death = events.iter().find(|event| event["contexts"]["death"]["cause"] == "signal").unwrap();
    let threads = death["threads"]["values"].as_array().unwrap().iter();
    let others: Vec<_> = threads.filter(|thread| thread["crashed"] != true).collect();
    assert!(others.len() >= 2 && others.iter().all(|thread| thread["stacktrace"].is_object()), "{death:#}");
}

/// As where the loop that hangs has the node's memory map locked.
#[test]
fn a_look_that_the_kernel_keeps_waiting_keeps_nobody_else() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["keeps-waiting"], &state_dir).spawn();
    node.wait_for("waits");
    let error = only(reported(&state_dir, 1));
    assert_eq!(error["exception"]["values"][0]["value"], "while somebody waits");
    node.signal(Signal::USR1);
    let both = reported(&state_dir, 2);
    assert_eq!(both.iter().filter(|event| event["tags"]["cause"] == "hang").count(), 1);
    step(&node);
    assert!(node.finish().succeeded());
    bench.settle();
}

#[test]
fn a_node_lets_the_monitor_in_where_tracing_is_forbidden() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["spins"], &state_dir).spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    let mut tracer = tracer(&bench, "lets-in", &node);
    node.signal(Signal::USR1);
    let event = only(reported(&state_dir, 1));
    check_loop(&event, node.pid());
    // What was refused at first was granted then.
    assert!(!notes(&event).iter().any(|note| note.contains("signal")), "{event:#}");
    tracer.wait_for(&format!("allowed {}\n", monitor.pid));
    assert!(tracer.finish().succeeded());
    for _ in 0..4 {
        step(&node);
    }
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(events(&state_dir).len(), 1);
}

#[test]
fn a_refusal_is_told_with_what_else_is_known() {
    let bench = Bench::new(FIXTURE);
    for (case, setting, told) in [
        // It has let the monitor in, which may read its memory, but another one traces it.
        ("spins", "48", "threads have names only, because tracing was refused"),
        ("spins", "0", "no signal is reserved for letting the monitor in (LIFEBOAT_HANG_SIGNAL)"),
        ("takes-signal", "48", "signal # is the program's own: name a free one in LIFEBOAT_HANG_SIGNAL"),
        ("owns-signal", "48", "signal # is the program's own: name a free one in LIFEBOAT_HANG_SIGNAL"),
    ] {
        let state_dir = bench.state_dir();
        let mut node = bench.node(&[case], &state_dir).env("LIFEBOAT_HANG_SIGNAL", setting).spawn();
        node.wait_for("ready");
        let tracer = tracer(&bench, "holds", &node);
        node.signal(Signal::USR1);
        let event = only(reported(&state_dir, 1));
        assert_eq!(title(&event), TITLE);
        let stack = &event["exception"]["values"][0]["stacktrace"];
        assert_eq!(stack.is_null(), told.contains("signal"), "{event:#}");
        assert!(notes(&event).iter().any(|note| without_numbers(note).contains(told)), "{case}: {event:#}");
        let hang = &event["contexts"]["hang"];
        assert_eq!(hang["thread_state"], "R (running)", "{hang:#}");
        assert!(hang["busy_threads"].to_string().contains("gossip ("), "{hang:#}");
        drop(tracer);
        for _ in 0..4 {
            step(&node);
        }
        assert_eq!(node.finish().output(), "ready\nback\n", "{case}");
        bench.settle();
    }
}

#[test]
fn a_debugger_may_take_its_time() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["spins"], &state_dir).spawn();
    node.wait_for("ready");
    let mut debugger = tracer(&bench, "stops", &node);
    node.signal(Signal::USR1);
    debugger.signal(Signal::USR1);
    debugger.wait_for("stopped");
    // Long enough for a report of a node that nobody holds.
    std::thread::sleep(Duration::from_secs(4));
    assert!(files(&state_dir, "spool", ".envelope").is_empty());
    drop(debugger);
    let event = only(reported(&state_dir, 1));
    check_loop(&event, node.pid());
    let notes = notes(&event);
    assert!(notes[0].ends_with("(tracer), a debugger, held the node when a heartbeat was due"), "{notes:?}");
    for _ in 0..4 {
        step(&node);
    }
    assert!(node.finish().succeeded());
}

#[test]
fn a_death_says_that_the_node_hung() {
    let bench = Bench::new(FIXTURE);
    for (signal, cause) in [(Signal::KILL, "killed"), (Signal::ABORT, "signal")] {
        let state_dir = bench.state_dir();
        let mut node = bench.node(&["spins"], &state_dir).spawn();
        node.wait_for("ready");
        node.signal(Signal::USR1);
        drop(reported(&state_dir, 1));
        node.signal(signal);
        let _ = node.finish();
        bench.settle();
        let events = events(&state_dir);
        let of = |wanted: &str| {
            let mut found = events.iter().filter(|event| event["contexts"]["death"]["cause"] == wanted);
            found.next().unwrap_or_else(|| panic!("no {wanted} in {events:#?}"))
        };
        assert!(of("hang")["contexts"]["death"]["hung"].is_null());
        let hung = of(cause)["contexts"]["death"]["hung"].as_str().unwrap();
        assert_eq!(without_numbers(hung), TITLE);
    }
}

#[test]
fn a_health_check_fails_while_a_loop_hangs() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["spins"], &state_dir).env("LIFEBOAT_METRICS", "127.0.0.1:0").spawn();
    node.wait_for("ready");
    let ask = || Run::new(delivered("bin/lifeboat")).args(["health", "--state-dir"]).arg(&state_dir).finish();
    wait_until("all is well", || ask().succeeded());
    assert!(ask().stdout.starts_with("ok"));
    node.signal(Signal::USR1);
    wait_until("the hang is seen", || ask().shell_status() == 1);
    let said = without_numbers(&ask().stderr);
    assert_eq!(said, format!("lifeboat: failing: {TITLE}\n"));
    node.signal(Signal::USR1);
    node.wait_for("back");
    wait_until("all is well again", || ask().succeeded());
    for _ in 0..3 {
        step(&node);
    }
    assert!(node.finish().succeeded());
    bench.settle();
}

/// The tracer's program, at work on this node.
fn tracer(bench: &Bench, mode: &str, node: &Running) -> Running {
    let program = bench.scratch.join("tracer");
    if !program.is_file() {
        Compile::new(Compiler::Gcc).flag("-O2").source(source("tracer")).build(&program);
    }
    // Elsewhere than the bench, which waits for all of its own.
    let mut tracer = Run::new(program).arg(mode).arg(node.pid().to_string()).spawn();
    tracer.wait_for("holding");
    tracer
}

/// Tells the node to go on, and waits until it has heard it.
fn step(node: &Running) {
    node.signal(Signal::USR1);
    let is_pending = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap_or_default();
        let mut pending =
            status.lines().filter(|line| line.starts_with("SigPnd") || line.starts_with("ShdPnd"));
        pending.any(|line| !line.ends_with("0000000000000000"))
    };
    wait_until("the node has heard", || !is_pending());
}

/// The reports, once there are so many.
fn reported(state_dir: &Path, count: usize) -> Vec<Value> {
    wait_until("the report is there", || files(state_dir, "spool", ".envelope").len() >= count);
    let events = events(state_dir);
    assert_eq!(events.len(), count);
    events
}

fn only(mut events: Vec<Value>) -> Value {
    events.remove(0)
}

/// The report of the node's endless loop.
fn check_loop(event: &Value, pid: u32) {
    assert_eq!(title(event), TITLE);
    // Error is what an event is that names no level.
    assert_eq!((&event["level"], &event["tags"]["cause"]), (&Value::Null, &"hang".into()));
    assert_eq!(event["exception"]["values"][0]["mechanism"]["type"], "hang");
    let functions = functions(event);
    let looping = functions.iter().position(|name| name == "decode_forever");
    assert!(looping.is_some_and(|at| functions[at + 1..].iter().all(|name| name == "chew")), "{functions:?}");
    let crashed =
        event["threads"]["values"].as_array().unwrap().iter().filter(|thread| thread["crashed"] == true);
    assert_eq!(crashed.count(), 1, "{event:#}");
    assert_eq!(event["contexts"]["process"]["pid"], pid);
    let place = event["transaction"].as_str().unwrap();
    assert!(["decode_forever", "chew"].contains(&place), "{place}");
}

fn title(event: &Value) -> String {
    let exception = &event["exception"]["values"][0];
    assert_eq!(exception["type"], "hang");
    without_numbers(exception["value"].as_str().unwrap())
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            '.' if out.ends_with('#') => {}
            other => out.push(other),
        }
    }
    out
}

fn functions(event: &Value) -> Vec<String> {
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    frames.iter().filter_map(|frame| Some(frame["function"].as_str()?.to_owned())).collect()
}

fn notes(event: &Value) -> Vec<String> {
    let notes = event["contexts"]["death"]["notes"].as_array().cloned().unwrap_or_default();
    notes.iter().map(|note| note.as_str().unwrap().to_owned()).collect()
}

fn state(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("State:\t")).unwrap().to_owned()
}
