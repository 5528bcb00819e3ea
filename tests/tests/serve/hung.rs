//! A node that does nothing any more is told from one that works.
//!
//! 1. a node beats  2. it is stopped, or loops without end  3. `/metrics` answers, and `/health` says 503 and why

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::bench::{Bench, Node, wait_until};

fn reason(node: &Node) -> String {
    let health = node.get("/health");
    let reason = health.json()["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(health.status == 503, !reason.is_empty(), "{reason}");
    reason
}

#[test]
fn a_stopped_node_is_told_at_once() {
    let node = Bench::get().node();
    assert_eq!(reason(&node), "");
    node.running.signal(Signal::STOP);
    wait_until("it is stopped", || reason(&node).contains("stopped"));
    assert_eq!(node.sample("lifeboat_node_up").as_deref(), Some("1"));
    assert_eq!(node.sample("serve_peers").as_deref(), Some("48.5"));
    let checks = node.get("/health/checks").json();
    assert_eq!((&checks["process"]["state"], &checks["score"]), (&"stopped".into(), &0.into()));
    node.running.signal(Signal::CONT);
    wait_until("it is well again", || reason(&node).is_empty());
    node.end();
}

#[test]
fn a_loop_without_end_is_told_by_its_heartbeat() {
    let node = Bench::get().node();
    node.running.signal(Signal::USR1);
    wait_until("the heartbeat is overdue", || reason(&node).starts_with("heartbeat main: "));
    assert!(reason(&node).ends_with(" s old, due every 1 s"));
    assert_eq!(node.sample("lifeboat_node_up").as_deref(), Some("1"));
    wait_until("the hang is counted", || node.sample("lifeboat_hangs_total").as_deref() == Some("1"));
    assert!(node.sample("lifeboat_deaths_total{cause=\"killed\"}").is_some());
    assert_eq!(node.sample("lifeboat_deaths_total{cause=\"hang\"}"), None);
    let beats = node.sample("serve_beats_total");
    assert!(beats.is_some());
    assert_eq!(node.sample("serve_beats_total"), beats);
    node.end();
}

#[test]
fn a_monitor_that_hangs_keeps_no_scraper_waiting() {
    let node = Bench::get().node();
    let serve = node.endpoint().unwrap()["serve_pid"].clone();
    let status = std::fs::read_to_string(format!("/proc/{serve}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    let watch = pidfd_open(Pid::from_raw(parent).unwrap(), PidfdFlags::empty()).unwrap();
    assert_eq!(node.sample("lifeboat_node_up").as_deref(), Some("1"));
    pidfd_send_signal(&watch, Signal::STOP).unwrap();
    let age = || node.sample("lifeboat_sample_age_seconds").unwrap().parse::<f64>().unwrap();
    wait_until("what it saw grows old", || age() > 1.0);
    assert_eq!(node.sample("serve_peers").as_deref(), Some("48.5"));
    assert_eq!(reason(&node), "");
    pidfd_send_signal(&watch, Signal::CONT).unwrap();
    wait_until("it answers again", || age() < 1.0);
    node.end();
}
