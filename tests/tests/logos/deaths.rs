//! A module that dies is a death with a cause and a report, though the core lives on; one that is unloaded is not.
//!
//! 1. Modules without Lifeboat fault, abort, exit with a status and are killed, each reported once, by name.
//! 2. Unload, SIGTERM and exit 0 are stops.
//! 3. When the host ends, by its own death or on request, its modules end with it: no report of theirs.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Modules, wait_for_end};

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
        let pid = host.module("delivery_module");
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
        let pid = host.module("chat_module");
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
    let host = bench.start(Modules::WithLifeboat, &["demo_module"], &[]);
    let pid = host.module("demo_module");
    host.wait_for_own_reporter(pid);
    host.tell_module("demo_module", "segv");
    wait_for_end(pid);
    let [event] = host.wait_for_reports(1).try_into().unwrap();
    // Its own report has its stack.
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    assert!(frames.iter().any(|frame| frame["function"].as_str().is_some_and(|it| it.starts_with("act("))));
    host.stop(&bench);
    assert_eq!(bench.reports(), 1);
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
    // A command line stays on the machine.
    let text = event.to_string();
    assert!(!text.contains("token-source") && !text.contains("--path"), "{text}");
}
