//! What a node's heartbeats and components say, the service manager hears; nothing else tells it that the node lives.
//!
//! 1. A node is started as systemd starts a service of type notify with a watchdog; its socket is this test's.
//! 2. It is ready with its first heartbeat, once, and feeds the watchdog while every loop beats, by its own calls alone.
//! 3. Its status is the worst component's; a component cannot say more than that.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;

use crate::bench::Bench;

const FIXTURE: &str = "hang";
const MARK: &str = "the test itself";

/// A service manager's socket.
struct Manager {
    address: SocketAddr,
    heard: Receiver<String>,
}

impl Manager {
    fn listen(address: SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let (send, heard) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if send.send(text).is_err() {
                    return;
                }
            }
        });
        Self { address, heard }
    }

    /// The lines that came until now.
    fn lines(&self) -> Vec<String> {
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to_addr(MARK.as_bytes(), &self.address).unwrap();
        let heard = self.heard.iter().take_while(|text| text != MARK);
        heard.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

#[test]
fn heartbeats_reach_the_service_manager() {
    let bench = Bench::new(FIXTURE);
    let path = bench.scratch.join("notify");
    check(&bench, SocketAddr::from_pathname(&path).unwrap(), path.to_str().unwrap());
    let name = format!("lifeboat-test-{}", std::process::id());
    check(&bench, SocketAddr::from_abstract_name(&name).unwrap(), &format!("@{name}"));
}

fn check(bench: &Bench, address: SocketAddr, named: &str) {
    let manager = Manager::listen(address);
    let state_dir = bench.state_dir();
    let run = bench.node(&["serves"], &state_dir).env("NOTIFY_SOCKET", named);
    let mut node = run.env("LIFEBOAT_SYSTEMD", "1").env("WATCHDOG_USEC", "30000").spawn();
    node.wait_for("started");
    assert_eq!(manager.lines(), [""; 0]);
    node.signal(Signal::USR1);
    node.wait_for("said");
    let status = "STATUS=failing: database: disk image is malformed MAINPID=1";
    let told = |lines: &[String], wanted: &str| lines.iter().filter(|line| *line == wanted).count();
    let mut lines = Vec::new();
    while told(&lines, "WATCHDOG=1") < 5 || told(&lines, status) == 0 {
        lines.extend(manager.lines());
    }

    node.signal(Signal::USR1);
    node.wait_for("late");
    lines.extend(manager.lines());
    // Another loop beats on, and the watchdog is not fed.
    node.wait_for("hung");
    let hung = manager.lines();
    assert!(hung.iter().all(|line| line.starts_with("STATUS=")), "{hung:?}");
    lines.extend(hung);

    node.signal(Signal::USR1);
    let mut later = Vec::new();
    while told(&later, "WATCHDOG=1") < 5 || told(&later, "STATUS=ok") == 0 {
        later.extend(manager.lines());
    }
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    later.extend(manager.lines());
    lines.extend(later);
    let known = ["READY=1", "WATCHDOG=1", "STATUS=ok", status];
    assert!(lines.iter().all(|line| known.contains(&line.as_str())), "{lines:?}");
    assert_eq!(told(&lines, "READY=1"), 1, "{lines:?}");
}

#[test]
fn a_loop_that_is_late_for_a_moment_starves_nobody() {
    let bench = Bench::new(FIXTURE);
    let path = bench.scratch.join("notify");
    let manager = Manager::listen(SocketAddr::from_pathname(&path).unwrap());
    let run = bench.node(&["flickers"], &bench.state_dir()).env("NOTIFY_SOCKET", &path);
    let node = run.env("LIFEBOAT_SYSTEMD", "1").env("WATCHDOG_USEC", "3000000").spawn();
    assert!(node.finish().succeeded());
    let mut lines = manager.lines();
    lines.sort();
    // With the first beat, and with the first after which none is late.
    assert_eq!(lines, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
}

#[test]
fn a_status_that_nobody_took_is_said_again() {
    let bench = Bench::new(FIXTURE);
    let path = bench.scratch.join("notify");
    let run = bench.node(&["is-unheard"], &bench.state_dir()).env("NOTIFY_SOCKET", &path);
    let mut node = run.env("LIFEBOAT_SYSTEMD", "1").spawn();
    node.wait_for("said");
    let manager = Manager::listen(SocketAddr::from_pathname(&path).unwrap());
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    let mut lines = manager.lines();
    lines.sort();
    assert_eq!(lines, ["READY=1", "STATUS=failing: database: gone"]);
}

#[test]
fn nobody_is_told_who_was_not_asked_for() {
    let bench = Bench::new(FIXTURE);
    let path = bench.scratch.join("notify");
    let manager = Manager::listen(SocketAddr::from_pathname(&path).unwrap());
    let heard = |variables: &[(&str, &str)]| {
        let run = bench.node(&["beats"], &bench.state_dir()).env("NOTIFY_SOCKET", &path);
        let mut node = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).spawn();
        node.wait_for("ready");
        node.signal(Signal::USR1);
        assert!(node.finish().succeeded());
        manager.lines()
    };
    assert_eq!(heard(&[("WATCHDOG_USEC", "1000")]), [""; 0]);
    assert_eq!(heard(&[("LIFEBOAT_SYSTEMD", "off"), ("WATCHDOG_USEC", "1000")]), [""; 0]);
    // A watchdog of another process's is not fed.
    let others = [("LIFEBOAT_SYSTEMD", "1"), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    assert_eq!(heard(&others), ["READY=1"]);
}

#[test]
fn a_socket_that_is_none_hurts_nobody() {
    let bench = Bench::new(FIXTURE);
    let nowhere = bench.scratch.join("nowhere");
    let long = format!("/{}", "x".repeat(300));
    for address in
        [nowhere.to_str().unwrap(), Path::new("relative").to_str().unwrap(), "vsock:2:1234", "@", &long]
    {
        let run = bench.node(&["beats"], &bench.state_dir()).env("NOTIFY_SOCKET", address);
        let mut node = run.env("LIFEBOAT_SYSTEMD", "1").env("WATCHDOG_USEC", "1000").spawn();
        node.wait_for("ready");
        node.signal(Signal::USR1);
        assert!(node.finish().succeeded(), "{address}");
    }
}

#[test]
fn a_fast_loop_does_not_knock_at_a_closed_door() {
    let bench = Bench::new(FIXTURE);
    let trace = bench.scratch.join("trace");
    let tracer = ["strace", "--trace=sendto", "--output", trace.to_str().unwrap()];
    let run = bench.on(bench.node_behind(&tracer, &["beats-fast"]), &bench.state_dir());
    let run = run.env("NOTIFY_SOCKET", bench.scratch.join("nowhere")).env("LIFEBOAT_SYSTEMD", "1");
    assert!(run.env("WATCHDOG_USEC", "1000").finish().succeeded());
    let trace = std::fs::read_to_string(trace).unwrap();
    let knocks = trace.lines().filter(|line| line.starts_with("sendto(")).count();
    // Of a thousand heartbeats; once a second.
    assert!((1..100).contains(&knocks), "{knocks}: {trace:.2000}");
}
