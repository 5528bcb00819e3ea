//! Trouble with the monitor, the state directory or the server is never the node's.
//!
//! 1. The monitor is missing, unsafe, killed or stopped, or there is no place to write: the node dies as ever.
//! 2. What no monitor could take lies in `recorders/` until the next start, which makes a report of it.
//! 3. A node dies a hundred times while its server is down: a hundred reports, and one monitor that delivers.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use lifeboat_abi::Status;
use lifeboat_tests::Run;
use rustix::process::Signal;

use crate::bench::{Bench, Report, files, processes_below, reports, wait_until};

#[test]
fn monitor_that_cannot_be_had() {
    let bench = Bench::new("death_ends");
    let without = bench.die_without(&["exit-0"]);
    assert!(without.succeeded());
    let unsafe_monitor = bench.scratch.join("bin/anybody's");
    fs::copy(bench.monitor(), &unsafe_monitor).unwrap();
    fs::set_permissions(&unsafe_monitor, Permissions::from_mode(0o757)).unwrap();
    let cases = [
        (bench.scratch.join("missing"), Status::MonitorMissing),
        (bench.scratch.path().to_path_buf(), Status::MonitorMissing),
        (bench.reporter().with_extension("txt"), Status::MonitorMissing),
        (unsafe_monitor, Status::MonitorUnsafe),
    ];
    for (monitor, status) in cases {
        let run = bench.node(&["null"], &bench.state_dir()).env("LIFEBOAT_MONITOR", &monitor);
        let outcome = run.finish();
        // The fixture ends with 98 and the status' sentence where the start says no.
        assert_eq!(outcome.shell_status(), 98, "{}", monitor.display());
        assert_eq!(outcome.stdout, status.text().to_str().unwrap(), "{}", monitor.display());
    }
    assert!(processes_below(bench.scratch.path()).is_empty());
}

#[test]
fn no_place_to_write() {
    let bench = Bench::new("death_ends");
    let open = bench.scratch.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    for state_dir in [bench.scratch.write("a-file", "").join("state"), bench.scratch.join("a-file"), open] {
        let outcome = bench.node(&["null"], &state_dir).finish();
        assert_eq!(outcome.shell_status(), 98, "{}", state_dir.display());
        assert_eq!(outcome.stdout, Status::StateDirUnusable.text().to_str().unwrap());
    }
    assert!(processes_below(bench.scratch.path()).is_empty());
}

#[test]
fn place_to_write_that_is_lost() {
    let bench = Bench::new("death_signals");
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["sent"], &state_dir).spawn();
    node.wait_for("ready");
    bench.watching(&node, &state_dir);
    fs::remove_dir_all(&state_dir).unwrap();
    fs::write(&state_dir, "").unwrap();
    node.signal(Signal::SEGV);
    assert_eq!(node.finish().shell_status(), 139);
    bench.settle();
}

#[test]
fn captures_that_a_stranger_made() {
    let bench = Bench::new("death_ends");
    let state_dir = bench.state_dir();
    let folder = state_dir.join("recorders");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("noise.capture"), [0x5A; 5_000]).unwrap();
    fs::write(folder.join("noise.recorder"), [0xA5; 1_200_000]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link.capture")).unwrap();
    fs::create_dir(folder.join("folder.capture")).unwrap();
    assert!(Run::new("mkfifo").arg(folder.join("pipe.recorder")).finish().succeeded());
    let outcome = bench.node(&["null"], &state_dir).finish();
    assert_eq!(outcome.shell_status(), 139);
    // What is no capture makes no report, keeps nobody waiting, and is still there for whoever put it there.
    assert_eq!(bench.reports(&state_dir), [Report::of_signal("SIGSEGV")]);
    assert_eq!(files(&state_dir, "recorders", "").len(), 5);
    assert_eq!(files(&state_dir, "recorders", ".refused").len(), 2);
}

#[test]
fn monitor_that_was_killed() {
    let bench = Bench::new("death_signals");
    let state_dir = bench.state_dir();
    // Far beyond the test's own time: a node that waited for the dead would not end.
    let mut node = bench.node(&["sent"], &state_dir).env("TIMEOUT_MS", "60000").spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    monitor.signal(Signal::KILL);
    monitor.wait();
    node.signal(Signal::SEGV);
    let outcome = node.finish();
    assert_eq!(outcome.shell_status(), 139);
    bench.settle();
    assert_eq!(files(&state_dir, "recorders", ".recorder").len(), 1);
    assert!(reports(&state_dir).is_empty());
    next_start_reports_it(&state_dir);
}

fn next_start_reports_it(state_dir: &std::path::Path) {
    let next = Bench::new("death_ends");
    assert!(next.node(&["exit-0"], state_dir).finish().succeeded());
    let [report] = &next.reports(state_dir)[..] else { panic!("{:?}", reports(state_dir)) };
    assert_eq!((report.cause.as_str(), report.signal.as_deref()), ("signal", Some("SIGSEGV")));
    assert!(next.is_tidy(state_dir));
}

#[test]
fn monitor_that_hangs() {
    let bench = Bench::new("death_signals");
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["sent"], &state_dir).env("TIMEOUT_MS", "100").spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    monitor.signal(Signal::STOP);
    node.signal(Signal::SEGV);
    let outcome = node.finish();
    let captures = files(&state_dir, "recorders", ".recorder").len();
    // It comes to itself, also where this test fails: it holds the recorder, so nobody else need take note.
    monitor.signal(Signal::CONT);
    assert_eq!((outcome.shell_status(), captures), (139, 0));
    assert_eq!(bench.reports(&state_dir), [Report::of_signal("SIGSEGV")]);
}

#[test]
fn hundred_deaths_while_the_server_is_down() {
    let bench = Bench::new("death_ends");
    let state_dir = bench.state_dir();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dsn = format!("http://key@127.0.0.1:{port}/1");
    for _ in 0..100 {
        let outcome = bench.node(&["null"], &state_dir).env("SENTRY_DSN", &dsn).finish();
        assert_eq!(outcome.shell_status(), 139);
    }
    let delivers = || {
        let living = processes_below(bench.scratch.path());
        living.iter().all(|process| process.command().get(1).is_some_and(|role| role == "post"))
    };
    wait_until("only those who deliver are left", delivers);
    wait_until("one of them is left", || processes_below(bench.scratch.path()).len() <= 1);
    let reports = reports(&state_dir);
    assert_eq!(reports.len(), 100);
    assert!(reports.iter().all(|report| *report == Report::of_signal("SIGSEGV")));
    for process in processes_below(bench.scratch.path()) {
        process.signal(Signal::TERM);
        process.wait();
    }
}
