//! A module that dies is a death with a cause and a report, though the core lives on; one that is unloaded is not.
//!
//! 1. Modules without Lifeboat fault, abort, exit with a status and are killed, each reported once, by name.
//! 2. Unload, SIGTERM and exit 0 are stops.
//! 3. A module with Lifeboat is reported by its own monitor, once; with `LIFEBOAT_SHARED` by the host's, the only one.
//! 4. Modules of a host that carries nothing, behind `lifeboat run`, are reported too.
//! 5. A module that has joined leaves neither a thread nor a mapping behind.
//! 6. When the host ends, by its own death or on request, its modules end with it: no report of theirs.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Host, Modules, wait_for_end, wait_until};

#[test]
fn a_death_of_a_module_is_reported_by_name() {
    let bench = Bench::new("logos-deaths");
    let host = bench.start(Modules::Plain, &["delivery_module", "storage_module"], &[]);
    let cases = [
        ("exit 1", "exit", "exit: module delivery_module: exited with status 1"),
        ("segv", "signal", "SIGSEGV: module delivery_module: "),
        ("abort", "signal", "SIGABRT: module delivery_module: aborted"),
        ("", "killed", "SIGKILL: module delivery_module: "),
    ];
    for (at, (command, cause, title)) in cases.into_iter().enumerate() {
        let pid = host.seen("delivery_module");
        if command.is_empty() {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        } else {
            host.tell_module("delivery_module", command);
        }
        wait_for_end(pid);
        let events = host.wait_for_reports(at + 1);
        let is_it = |event: &&Value| event["contexts"]["process"]["pid"] == pid;
        let event =
            events.iter().find(is_it).unwrap_or_else(|| panic!("no report of {command:?}: {events:?}"));
        check(event, cause, title);
        host.load("delivery_module");
    }
    host.stop(&bench);
    // And nothing else: neither the other module's stop nor the host's.
    assert_eq!(bench.reports(), cases.len());
}

#[test]
fn a_stop_of_a_module_is_no_death() {
    let bench = Bench::new("logos-stops");
    let host = bench.start(Modules::Plain, &["chat_module", "demo_module"], &[]);
    for command in ["unload", "terminate", "exit 0"] {
        let pid = host.seen("chat_module");
        match command {
            "unload" => host.tell("unload chat_module"),
            "terminate" => kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap(),
            other => host.tell_module("chat_module", other),
        }
        wait_for_end(pid);
        host.load("chat_module");
    }
    // The host's own death takes its modules with it: one report.
    let modules = ["chat_module", "demo_module"].map(|name| host.module(name));
    host.tell("segv");
    modules.into_iter().for_each(wait_for_end);
    let state_dir = host.state_dir();
    assert_eq!(host.running.finish().shell_status(), 128 + 11);
    bench.settle();
    let events = crate::bench::events(&state_dir);
    let causes: Vec<_> = events.iter().map(|event| &event["tags"]["module"]).collect();
    assert_eq!(causes, [&Value::Null], "the host's death alone is reported");
}

#[test]
fn modules_of_an_unmodified_host_are_looked_after() {
    let bench = Bench::new("logos-run");
    let host = bench.start(Modules::OfUnmodified, &["demo_module"], &[]);
    let pid = host.seen("demo_module");
    host.tell_module("demo_module", "exit 1");
    wait_for_end(pid);
    let [event] = host.wait_for_reports(1).try_into().unwrap();
    let exception = &event["exception"]["values"][0];
    assert_eq!(exception["value"], "module demo_module: exited with status 1");
    assert_eq!(
        (&event["tags"]["module"], &event["tags"]["node"]),
        (&"demo_module".into(), &"host-01".into())
    );
    host.stop(&bench);
    assert_eq!(bench.reports(), 1);
}

#[test]
fn who_is_not_asked_for_is_not_looked_after() {
    let bench = Bench::new("logos-off");
    let host = bench.start(Modules::Plain, &["demo_module"], &[("LIFEBOAT_MODULES", "")]);
    let pid = host.module("demo_module");
    host.tell_module("demo_module", "exit 1");
    wait_for_end(pid);
    host.stop(&bench);
    assert_eq!(bench.reports(), 0);
}

#[test]
fn a_module_that_reports_itself_is_reported_once() {
    let bench = Bench::new("logos-own");
    let host = bench.start(Modules::WithLifeboat, &["demo_module", "other_module"], &[]);
    let pid = host.seen("demo_module");
    wait_until("each process has a monitor", || host.monitors().len() == 3);
    check_own_report(&host, pid);
    host.stop(&bench);
    assert_eq!(bench.reports(), 1);
}

#[test]
fn host_and_modules_share_one_monitor() {
    let bench = Bench::new("logos-shared");
    let host =
        bench.start(Modules::WithLifeboat, &["demo_module", "other_module"], &[("LIFEBOAT_SHARED", "1")]);
    let others = ["demo_module", "other_module"].map(|name| host.seen(name));
    wait_until("the modules' own monitors have left", || host.monitors().len() == 1);
    check_own_report(&host, others[0]);
    // Last words, and the status that nobody else sees.
    host.tell_module("other_module", "fatal 3");
    wait_for_end(others[1]);
    let events = host.wait_for_reports(2);
    let told = events.iter().find(|event| event["contexts"]["process"]["pid"] == others[1]).unwrap();
    assert_eq!(told["contexts"]["death"]["exit_status"], 3);
    assert_eq!(told["exception"]["values"][0]["type"], "DatabaseError");
    // One that comes later joins, too, and outlives nothing.
    host.load("demo_module");
    host.seen("demo_module");
    wait_until("it has joined", || host.monitors().len() == 1);
    let module = host.module("demo_module");
    host.tell("segv");
    wait_for_end(module);
    let state_dir = host.state_dir();
    assert_eq!(host.running.finish().shell_status(), 128 + 11);
    bench.settle();
    assert_eq!(crate::bench::events(&state_dir).len(), 3, "the host's own death is the third, and the last");
}

#[test]
fn modules_that_have_ended_leave_nothing_in_the_monitor() {
    const LIVES: usize = 6;
    let bench = Bench::new("logos-lives");
    let host =
        bench.start(Modules::WithLifeboat, &["demo_module", "other_module"], &[("LIFEBOAT_SHARED", "1")]);
    let next_life = || {
        let pid = host.module("demo_module");
        host.tell_module("demo_module", "exit 0");
        wait_for_end(pid);
        host.load("demo_module");
        host.seen("demo_module");
        wait_until("it has joined", || host.monitors().len() == 1);
    };
    next_life();
    let monitor = host.monitors()[0];
    let recorders = || {
        let maps = std::fs::read_to_string(format!("/proc/{monitor}/maps")).unwrap();
        maps.lines().filter(|line| line.contains("/memfd:lifeboat")).count()
    };
    let threads = || std::fs::read_dir(format!("/proc/{monitor}/task")).unwrap().count();
    wait_until("the first life has left no recorder", || recorders() == 3);
    let before = threads();
    (0..LIVES).for_each(|_| next_life());
    wait_until("the host's recorder and its modules' are mapped", || recorders() == 3);
    wait_until(&format!("there are {before} threads again"), || threads() <= before);
    host.stop(&bench);
    assert_eq!(bench.reports(), 0);
}

/// The module faults: there is one report, and it has its stack.
fn check_own_report(host: &Host, pid: i32) {
    host.tell_module("demo_module", "segv");
    wait_for_end(pid);
    let [event] = host.wait_for_reports(1).try_into().unwrap();
    assert_eq!(event["release"], "demo_module@0.4.0");
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    assert_eq!(frames.last().unwrap()["function"], "act");
}

fn check(event: &Value, cause: &str, title: &str) {
    let exception = event["exception"]["values"].as_array().unwrap().last().unwrap();
    let told = format!("{}: {}", exception["type"].as_str().unwrap(), exception["value"].as_str().unwrap());
    assert!(told.starts_with(title), "{told:?} begins with {title:?}");
    let tags = &event["tags"];
    assert_eq!((&tags["module"], &tags["cause"]), (&"delivery_module".into(), &cause.into()));
    assert_eq!((&tags["node"], &tags["fleet"]), (&"host-01".into(), &"logos.test".into()));
    assert_eq!(event["release"], "logoscore@0.9.0");
    assert_eq!(event["contexts"]["death"]["cause"], cause);
    assert!(event["contexts"]["process"]["program"].as_str().unwrap().ends_with("/logos_host_qt"));
    let metrics = event["contexts"]["metrics"].as_object().unwrap();
    let memory = &metrics["logos_module_resident_memory_bytes{module=\"delivery_module\"}"];
    assert!(memory.as_f64().unwrap() > 100_000.0, "{metrics:?}");
    let notes = &event["contexts"]["death"]["notes"];
    assert_eq!(notes, &serde_json::json!(["the module carries no reporter: its stack is not known"]));
    // A command line stays on the machine.
    let text = event.to_string();
    assert!(!text.contains("token-source") && !text.contains("--path"), "{text}");
}
