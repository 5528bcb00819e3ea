//! A report reaches the server within the node's own end, and what a server does not take stays on disk.
//!
//! 1. A server listens on the loopback; a node with its DSN dies.
//! 2. The server gets one POST to its envelope address, with the DSN's key; the report is `sent`.
//! 3. A server that answers 500 gets it, too, and the report stays `pending`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lifeboat_tests::Run;

use crate::bench::{Bench, delivered, processes_below, wait_until};

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The first request's head and body, from a server that answers all with this status.
fn server(status: &'static str) -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://0123456789abcdef@{}/42", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let request = answer(stream, status);
            if send.send(request).is_err() {
                return;
            }
        }
    });
    (dsn, receive)
}

fn answer(stream: TcpStream, status: &str) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    reader.into_inner().write_all(answer.as_bytes()).unwrap();
    (head, body)
}

fn states(state_dir: &Path) -> Vec<String> {
    let run = Run::new(delivered("bin/lifeboat")).args(["reports", "--json", "--state-dir"]).arg(state_dir);
    let lines = run.finish().stdout;
    let state = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["state"].to_string();
    lines.lines().map(state).collect()
}

#[test]
fn server_gets_the_report() {
    let bench = Bench::new("content");
    let (dsn, requests) = server("200 OK");
    let state_dir = bench.state_dir();
    assert_eq!(bench.node(&[], &state_dir).env("SENTRY_DSN", dsn).finish().shell_status(), 139);
    let (head, body) = requests.recv_timeout(TIMEOUT).unwrap();
    assert!(head.starts_with("POST /api/42/envelope/ HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("sentry_key=0123456789abcdef"), "{head}");
    assert!(!body.is_empty());
    // With nobody to serve and nothing to send every process of ours leaves.
    bench.settle();
    assert_eq!(states(&state_dir), ["\"sent\""]);
    assert!(requests.try_recv().is_err(), "sent once");
}

#[test]
fn report_stays_where_the_server_fails() {
    let bench = Bench::new("content");
    let (dsn, requests) = server("500 Internal Server Error");
    let state_dir = bench.state_dir();
    let _ = bench.node(&["exit"], &state_dir).env("SENTRY_DSN", dsn).finish();
    requests.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(states(&state_dir), ["\"pending\""]);
    // Only the delivering process stays behind, to try again.
    let roles = || processes_below(bench.scratch.path()).iter().map(|it| it.command()).collect::<Vec<_>>();
    wait_until("the watching process has left", || {
        roles().iter().all(|command| command.get(1).is_some_and(|role| role == "post"))
    });
    for process in processes_below(bench.scratch.path()) {
        process.signal(rustix::process::Signal::TERM);
    }
    bench.settle();
    assert_eq!(states(&state_dir), ["\"pending\""]);
}
