//! A program that has the sentry SDK hands its events to the durable spool.
//!
//! 1. With a DSN of a dead server and no reporter it panics: its event is on disk, readable, with its debug images.
//! 2. With a reporter and a server both reports arrive: the SDK's of the panic, and ours of the death.
//! 3. `LIFEBOAT=off`, or a spool that others may write, takes nothing.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lifeboat_tests::Run;

use crate::bench::{Bench, build, events, rows};

const TIMEOUT: Duration = Duration::from_secs(60);
/// The discard port, where no server is.
const NOWHERE: &str = "http://0123456789abcdef@127.0.0.1:9/42";

fn program() -> PathBuf {
    let arguments = ["--features", "load,sentry", "--config", "profile.dev.debug=0"];
    build("examples/rust-node/Cargo.toml", "rust-sentry-node", &arguments)
}

#[test]
fn event_is_on_disk_without_a_server_or_a_reporter() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let run =
        || Run::new(program()).arg("panic").env("LIFEBOAT_STATE_DIR", &state_dir).env("SENTRY_DSN", NOWHERE);
    assert_eq!(run().finish().shell_status(), 101);
    let event = events(&state_dir).remove(0);
    let exception = &event["exception"]["values"][0];
    assert_eq!(exception["type"], "panic");
    assert!(exception["value"].as_str().unwrap().contains("the checksum is wrong"), "{exception}");
    let images = event["debug_meta"]["images"].as_array().unwrap();
    assert!(
        images.iter().any(|image| image["name"].as_str().unwrap().contains("rust-sentry-node")),
        "{images:?}"
    );
    assert_eq!(rows(&state_dir)[0]["state"], "pending");

    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let spool = state_dir.join("spool");
    let files: Vec<PathBuf> = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!((files.len(), mode(&files[0]), mode(&spool), mode(&state_dir)), (1, 0o600, 0o700, 0o700));

    assert_eq!(run().env("LIFEBOAT", "off").finish().shell_status(), 101);
    assert_eq!(rows(&state_dir).len(), 1, "LIFEBOAT=off takes nothing");
    fs::set_permissions(&spool, Permissions::from_mode(0o770)).unwrap();
    assert_eq!(run().finish().shell_status(), 101);
    assert_eq!(rows(&state_dir).len(), 1, "a spool that others may write takes nothing");
}

#[test]
fn both_reports_reach_the_server() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let (dsn, requests) = server();
    let run = bench.on(&program(), &state_dir).arg("panic").env("SENTRY_DSN", dsn);
    assert_eq!(run.finish().shell_status(), 101);
    for _ in 0..2 {
        requests.recv_timeout(TIMEOUT).unwrap();
    }
    bench.settle();
    let states: Vec<String> = rows(&state_dir).iter().map(|row| row["state"].to_string()).collect();
    assert_eq!(states, ["\"sent\"", "\"sent\""]);
    let causes =
        events(&state_dir).into_iter().filter(|event| event["contexts"]["death"]["cause"] == "panic");
    assert_eq!(causes.count(), 1, "one of the two is the death's");
}

/// The DSN of a server that takes everything, and a word for each report that it took.
fn server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://0123456789abcdef@{}/42", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream);
            if send.send(()).is_err() {
                return;
            }
        }
    });
    (dsn, receive)
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    reader
        .into_inner()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        .unwrap();
}
