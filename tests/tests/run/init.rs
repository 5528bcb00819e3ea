//! As the first process of a PID namespace, a container's entry point.
//!
//! 1. `unshare` makes us the first process.
//! 2. Orphans are reaped, signals reach the program, the status comes out as a shell's.
//! 3. The report was on disk, and delivered, before the namespace went.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use lifeboat_tests::Run;
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, child_of, delivered, event, events, functions};

const UNSHARE: [&str; 3] = ["--pid", "--fork", "--mount-proc"];

/// Nothing where this machine does not let us make a namespace.
fn bench() -> Option<Bench> {
    let bench = Bench::new();
    if Run::new("unshare").args(UNSHARE).arg("true").finish().succeeded() {
        return Some(bench);
    }
    eprintln!("not tried: PID namespaces are not allowed here; run the tests as root");
    None
}

fn first_process(bench: &Bench, case: &str, state_dir: &Path) -> Run {
    let run = Run::new("unshare").args(UNSHARE).arg(delivered("bin/lifeboat")).args(["run", "--"]);
    run.arg(bench.program()).arg(case).env("LIFEBOAT_STATE_DIR", state_dir).folder(bench.scratch.path())
}

#[test]
fn ends_are_reported_with_a_shells_status() {
    let Some(bench) = bench() else { return };
    for (case, status, reports) in
        [("null", 139, 1), ("abort", 134, 1), ("exit-3", 3, 1), ("raise-9", 137, 1), ("exit-0", 0, 0)]
    {
        let state_dir = bench.state_dir();
        assert_eq!(first_process(&bench, case, &state_dir).finish().shell_status(), status, "{case}");
        assert_eq!(events(&state_dir).len(), reports, "{case}");
    }
    let state_dir = bench.state_dir();
    let _ = first_process(&bench, "null", &state_dir).finish();
    assert_eq!(functions(&event(&state_dir))[0], "decode_message");
}

#[test]
fn orphans_are_reaped() {
    let Some(bench) = bench() else { return };
    assert_eq!(first_process(&bench, "orphans", &bench.state_dir()).finish().shell_status(), 0);
}

#[test]
fn a_stop_of_the_container_reaches_the_program() {
    let Some(bench) = bench() else { return };
    for (case, status) in [("wait", 143), ("wait-handled", 3)] {
        let state_dir = bench.state_dir();
        let mut running = first_process(&bench, case, &state_dir).spawn();
        running.wait_for("ready");
        kill_process(Pid::from_raw(child_of(&running)).unwrap(), Signal::TERM).unwrap();
        assert_eq!(running.finish().shell_status(), status, "{case}");
        assert!(events(&state_dir).is_empty(), "{case}");
    }
}

#[test]
fn the_report_is_delivered_before_the_container_goes() {
    let Some(bench) = bench() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://0123456789abcdef@{}/42", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            reader.into_inner().write_all(answer.as_bytes()).unwrap();
            send.send(head).unwrap();
        }
    });
    let state_dir = bench.state_dir();
    let outcome = first_process(&bench, "null", &state_dir).env("SENTRY_DSN", dsn).finish();
    assert_eq!(outcome.shell_status(), 139);
    let head = receive.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(head.starts_with("POST /api/42/envelope/ HTTP/1.1\r\n"), "{head}");
    let sent = std::fs::read_dir(state_dir.join("sent")).unwrap().count();
    assert_eq!((sent, std::fs::read_dir(state_dir.join("spool")).unwrap().count()), (1, 0));
}
