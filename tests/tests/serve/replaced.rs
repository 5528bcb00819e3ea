//! Who looks after a node is told apart from others, and replaced where it ends too early.
//!
//! 1. a list of processes says which role each has, and for which node
//! 2. `serve` is killed while the node lives: another one serves at the same address, and that one, too, tells of a death
//! 3. `watch` is killed: `serve` says that no death will be reported

use std::fs;
use std::net::TcpListener;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use crate::bench::{Bench, Node, wait_until};

/// What `ps` shows of a process: its name and its words.
fn shown(pid: &str) -> (String, Vec<String>) {
    let text = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let words = text("cmdline").split_terminator('\0').map(str::to_owned).collect();
    (text("comm").trim().to_owned(), words)
}

#[test]
fn a_list_of_processes_tells_roles_and_nodes_apart() {
    let node = Bench::get().node();
    let serve = node.endpoint().unwrap()["serve_pid"].to_string();
    let status = fs::read_to_string(format!("/proc/{serve}/status")).unwrap();
    let watch = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    let of_node = ["--node".to_owned(), node.running.pid().to_string()];
    for (pid, role) in [(serve.as_str(), "serve"), (watch, "watch")] {
        let (name, words) = shown(pid);
        assert_eq!(name, format!("lifeboat-{role}"));
        assert_eq!(words[..2], ["lifeboat-monitor", role], "{words:?}");
        assert_eq!(words[2..4], of_node, "{words:?}");
    }
    node.end();
}

#[test]
fn a_monitor_that_has_gone_is_missed() {
    let node = Bench::get().node();
    assert_eq!(node.sample("lifeboat_monitor_up").as_deref(), Some("1"));
    let types = |checks: &Value| (checks["databases"].is_array(), checks["spool"].is_object());
    assert_eq!(types(&node.get("/health/checks").json()), (true, true));
    let serve = node.endpoint().unwrap()["serve_pid"].to_string();
    let status = fs::read_to_string(format!("/proc/{serve}/status")).unwrap();
    let watch = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    let pidfd = pidfd_open(Pid::from_raw(watch).unwrap(), PidfdFlags::empty()).unwrap();
    pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
    wait_until("it is missed", || node.sample("lifeboat_monitor_up").as_deref() == Some("0"));
    let health = node.get("/health");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("degraded")));
    assert!(health.json()["reason"].as_str().unwrap().starts_with("its monitor has gone"));
    assert_eq!(types(&node.get("/health/checks").json()), (true, true));
    let age = || node.sample("lifeboat_sample_age_seconds").unwrap().parse::<f64>().unwrap();
    let before = age();
    wait_until("its last sample grows older", || age() > before);
    node.end();
}

#[test]
fn a_serve_that_is_killed_is_replaced() {
    let bench = Bench::get();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let state_dir = bench.folder().join("state");
    let node = Node::start(bench.run(&state_dir, &address), state_dir);
    let first = node.endpoint().unwrap()["serve_pid"].clone();
    node.signal_serve(Signal::KILL);
    wait_until("another one serves", || {
        node.endpoint().is_some_and(|said| said["serve_pid"] != first && said["address"].is_string())
    });
    assert_eq!(node.address().as_ref(), Some(&address));
    assert_eq!(node.sample("lifeboat_node_up").as_deref(), Some("1"));
    assert!(node.sample("process_resident_memory_bytes").is_some(), "it talks with `watch`");
    let served = node.served.clone();
    node.running.signal(Signal::KILL);
    let _ = node.running.finish();
    wait_until("the death is told", || {
        served.sample("lifeboat_deaths_total{cause=\"killed\"}").as_deref() == Some("1")
    });
    served.end();
}
