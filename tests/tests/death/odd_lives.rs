//! Lives and ends that nobody plans: the node is still reported once, as what it died of, and nothing is left behind.
//!
//! 1. A node jumps out of its handler, writes wildly, has no descriptors, no room for files, no main thread, no monitor.
//! 2. It ends as without a reporter where both can be compared; one report for each death and each error.
//! 3. Nothing waits in `recorders/`, and no process stays.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use lifeboat_tests::Run;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Bench, Report, event, events, files, processes_below, reports, wait_until};

const FIXTURE: &str = "death_odd";
const UNSHARE: [&str; 4] = ["unshare", "--pid", "--fork", "--mount-proc"];
/// Far beyond the time that a node with a short way to its end may take.
const PROMPT: Duration = Duration::from_secs(30);
/// For a node that would wait for somebody who is not there.
const LONG_TIMEOUT_MS: &str = "60000";

fn check_all(cases: &[(&str, &[Report])]) {
    let bench = Bench::new(FIXTURE);
    for (case, reports) in cases {
        bench.check(&[case], reports);
    }
}

/// Functions of the node's own in which the thread that died stood.
fn own_functions(event: &Value) -> Vec<&str> {
    let values = event["exception"]["values"].as_array().unwrap();
    let frames = values.last().unwrap()["stacktrace"]["frames"].as_array().unwrap();
    let own = frames.iter().filter(|frame| frame["in_app"] == true);
    own.filter_map(|frame| frame["function"].as_str()).collect()
}

#[test]
fn death_after_a_jump_out_of_the_handler() {
    let bench = Bench::new(FIXTURE);
    for (case, end) in
        [("jumps-then-aborts", Report::of_signal("SIGABRT")), ("jumps-then-exits", Report::of_exit(1))]
    {
        let state_dir = bench.state_dir();
        let mut node = bench.node(&[case], &state_dir).spawn();
        node.wait_for("jumped");
        wait_until("the fault is reported", || !files(&state_dir, "spool", ".envelope").is_empty());
        let is_making = || {
            let living = processes_below(bench.scratch.path());
            living.iter().any(|process| process.command().get(1).is_some_and(|role| role == "report"))
        };
        wait_until("its report is made", || !is_making());
        node.signal(Signal::USR1);
        let _ = node.finish();
        let found = bench.reports(&state_dir);
        assert_eq!(found.len(), 2, "{case}: {found:?}");
        assert!(found.contains(&end), "{case}: {found:?}");
        let first = found.iter().find(|report| **report != end).unwrap();
        assert_eq!((first.signal.as_deref(), first.is_recorded), (Some("SIGSEGV"), true), "{case}");
        assert!(bench.is_tidy(&state_dir), "{case}");
    }
}

#[test]
fn container_whose_init_ends_with_the_node() {
    let bench = Bench::new(FIXTURE);
    if !bench.node_behind(&UNSHARE, &["returns"]).finish().succeeded() {
        eprintln!("not tried: PID namespaces are not allowed here; run the tests as root");
        return;
    }
    let cases =
        [("faults", Some("SIGSEGV"), None), ("aborts", Some("SIGABRT"), None), ("exits", None, Some(1))];
    for (case, signal, status) in cases.into_iter().cycle().take(4 * cases.len()) {
        let state_dir = bench.state_dir();
        // The shell is the first process, and runs the node as its child, because it has more to do.
        let script = "\"$0\" \"$1\" 2> /dev/null; exit 7";
        let run = Run::new("unshare").args(&UNSHARE[1..]).args(["sh", "-c", script]);
        let run = run.arg(bench.program()).arg(case).folder(bench.scratch.path());
        assert_eq!(bench.on(run, &state_dir).finish().shell_status(), 7, "{case}");
        bench.settle();
        assert!(bench.node(&["returns"], &state_dir).finish().succeeded());
        let found = bench.reports(&state_dir);
        let [report] = &found[..] else { panic!("{case}: {found:?} in {}", state_dir.display()) };
        assert_eq!((report.signal.as_deref(), report.status), (signal, status), "{case}");
        assert!(files(&state_dir, "recorders", "").is_empty(), "{case}");
    }
}

#[test]
fn monitor_that_is_told_to_stop() {
    let bench = Bench::new(FIXTURE);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        for (case, report) in
            [("waits-then-faults", Report::of_signal("SIGSEGV")), ("waits-then-exits", Report::of_exit(1))]
        {
            let state_dir = bench.state_dir();
            let mut node = bench.node(&[case], &state_dir).spawn();
            node.wait_for("ready");
            let monitor = bench.watching(&node, &state_dir);
            monitor.signal(signal);
            node.signal(Signal::USR1);
            let _ = node.finish();
            // It may be over already, where the machine is quick.
            for process in processes_below(bench.scratch.path()) {
                process.signal(signal);
            }
            assert_eq!(bench.reports(&state_dir), [report], "{signal:?} {case}");
            assert!(bench.is_tidy(&state_dir), "{signal:?} {case}");
        }
    }
}

#[test]
fn recorder_that_was_written_wildly() {
    let bench = Bench::new(FIXTURE);
    bench.check(&["wild-count-then-exits"], &[Report::of_exit(1)]);
    let found = bench.die(&["wild-count-then-error"]).reports;
    // Whether there is room for the error depends on whether the monitor has seen the count: the death counts.
    let deaths = found.iter().filter(|report| **report == Report::of_exit(1)).count();
    assert!(deaths == 1 && found.len() <= 2, "{found:?}");
}

#[test]
fn node_that_takes_another_process_for_itself() {
    let bench = Bench::new(FIXTURE);
    let mut bystander = bench.node_without(&["bystander"]).spawn();
    bystander.wait_for("ready");
    let pid = bystander.pid().to_string();
    for (case, signal, status, cause) in [
        ("mistaken-then-exits", None, Some(1), "exit"),
        ("mistaken-then-leaves", None, Some(1), "exit"),
        ("mistaken-then-faults", Some("SIGSEGV"), None, "signal"),
    ] {
        let state_dir = bench.state_dir();
        let _ = bench.node(&[case, &pid], &state_dir).finish();
        let only_it = || processes_below(bench.scratch.path()).iter().all(|it| it.pid.to_string() == pid);
        wait_until("the monitor has left", only_it);
        let found = reports(&state_dir);
        let [report] = &found[..] else { panic!("{case}: {found:?}") };
        assert_eq!(
            (report.cause.as_str(), report.signal.as_deref(), report.status),
            (cause, signal, status),
            "{case}"
        );
        let event = event(&state_dir).to_string();
        assert!(!event.contains("bystander"), "{case}: {event}");
        assert!(bench.is_tidy(&state_dir), "{case}");
    }
    bystander.signal(Signal::USR1);
    assert!(bystander.finish().succeeded());
}

#[test]
fn handler_that_came_later_calls_the_one_it_found() {
    check_all(&[
        ("repairs-between", &[]),
        ("repairs-between-then-faults", &[Report::of_signal("SIGSEGV")]),
        ("stopped-between", &[]),
    ]);
    let bench = Bench::new(FIXTURE);
    for case in ["repairs-between", "stopped-between"] {
        assert_eq!(bench.die(&[case]).outcome.output(), "first 1\nlater 1\n", "{case}");
    }
}

#[test]
fn reload_is_no_stop() {
    check_all(&[("reloads-then-exits", &[Report::of_exit(1)])]);
}

#[test]
fn own_frames_are_named_in_need() {
    let bench = Bench::new(FIXTURE);
    for (case, others) in [("no-descriptors", "main"), ("without-main", "fault_alone")] {
        let state_dir = bench.state_dir();
        assert_eq!(bench.node(&[case], &state_dir).finish().shell_status(), 139, "{case}");
        assert_eq!(bench.reports(&state_dir), [Report::of_signal("SIGSEGV")], "{case}");
        let event = event(&state_dir);
        let named = own_functions(&event);
        for function in ["fault", "in_need", others] {
            assert!(named.contains(&function), "{case}: {function} in {named:?}");
        }
    }
}

#[test]
fn errors_leave_no_zombies() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dsn = format!("http://key@127.0.0.1:{port}/1");
    let mut node = bench.node(&["eight-errors"], &state_dir).env("SENTRY_DSN", dsn).spawn();
    node.wait_for("ready");
    wait_until("all errors are reported", || files(&state_dir, "spool", ".envelope").len() == 8);
    let is_at_rest = || {
        let roles = processes_below(bench.scratch.path()).into_iter().map(|process| process.command());
        let roles: Vec<_> = roles.filter_map(|command| command.into_iter().nth(1)).collect();
        let are = |name| roles.iter().filter(|role| *role == name).count();
        are("report") == 0 && are("post") == 1 && are("watch") == 1
    };
    wait_until("one process watches and one delivers", is_at_rest);
    let monitor = bench.watching(&node, &state_dir);
    wait_until("no child of the monitor's is a zombie", || zombies_of(monitor.pid) == 0);
    node.signal(Signal::USR1);
    assert_eq!(node.finish().output(), "ready\n");
    monitor.wait();
    for process in processes_below(bench.scratch.path()) {
        process.signal(Signal::TERM);
    }
    let found = bench.reports(&state_dir);
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(found.iter().all(|report| report.cause == "error"), "{found:?}");
}

/// How many of its children have ended and were not waited for.
fn zombies_of(parent: i32) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_one = |stat: &String| {
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut fields = rest.split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&parent.to_string())
    };
    stats.filter(is_one).count()
}

#[test]
fn a_flood_of_errors_leaves_room_for_others_and_for_the_death() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    assert_eq!(bench.node(&["flood-of-errors"], &state_dir).finish().shell_status(), 134);
    bench.settle();
    let events = events(&state_dir);
    let of =
        |kind: &str| events.iter().filter(|event| event["exception"]["values"][0]["type"] == kind).count();
    assert_eq!((of("flood"), of("rare"), of("SIGABRT")), (8, 1, 1), "{events:#?}");
    let rare = events.iter().find(|event| event["exception"]["values"][0]["type"] == "rare").unwrap();
    let notes = rare["contexts"]["death"]["notes"].to_string();
    assert!(notes.contains("192 handled errors before this one have no report"), "{notes}");
}

#[test]
fn errors_before_a_stop_are_reported() {
    let bench = Bench::new(FIXTURE);
    let death = bench.die(&["five-errors-then-stop"]);
    assert_eq!(death.outcome.shell_status(), 0);
    assert_eq!(death.outcome.stdout, "");
    assert_eq!(death.reports.len(), 5, "{:?}", death.reports);
}

#[test]
fn raw_capture_that_does_not_fit() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let run = bench.node(&["small-files"], &state_dir).env("TIMEOUT_MS", LONG_TIMEOUT_MS);
    let mut node = run.timeout(PROMPT).spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    monitor.signal(Signal::KILL);
    monitor.wait();
    node.signal(Signal::USR1);
    assert_eq!(node.finish().shell_status(), 139);
    bench.settle();
    assert!(files(&state_dir, "recorders", "").is_empty(), "{:?}", files(&state_dir, "recorders", ""));
}

#[test]
fn monitor_that_ends_at_once() {
    const CAPTURES_MAX: usize = 32;
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let die = |case: &str, status: i32| {
        let run = bench.node(&[case], &state_dir).env("LIFEBOAT_MONITOR", "/bin/true");
        let outcome = run.env("TIMEOUT_MS", LONG_TIMEOUT_MS).timeout(PROMPT).finish();
        assert_eq!(outcome.shell_status(), status, "{case} said {:?}", outcome.stdout);
    };
    die("exits", 1);
    die("returns", 0);
    for _ in 0..40 {
        die("faults", 139);
    }
    let captures = files(&state_dir, "recorders", "");
    assert!((1..=CAPTURES_MAX).contains(&captures.len()), "{} captures", captures.len());
    assert!(captures.iter().all(|path| path.extension().is_some_and(|ending| ending == "recorder")));
}

#[test]
fn threads_of_a_child_have_their_own_signal_stacks() {
    let bench = Bench::new(FIXTURE);
    let death = bench.die(&["child-with-threads"]);
    assert_eq!(death.outcome.output(), "have stacks 1\nhave their own 1\n");
    assert!(death.reports.is_empty(), "{:?}", death.reports);
}
