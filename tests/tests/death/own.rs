//! The node keeps what is its own, and the monitor holds nothing of it.
//!
//! 1. A node says its children, masks, descriptors, folder, signal stack before the start, after it, and while the
//!    monitor is at work: all the same, and the same as without a reporter.
//! 2. The monitor's descriptors, folder and environment are its own.
//! 3. The node ends, and so does its monitor.

use std::fs;

use rustix::process::Signal;

use crate::bench::Bench;

const FIXTURE: &str = "death_own";

#[test]
fn node_keeps_what_is_its_own() {
    let bench = Bench::new(FIXTURE);
    let mut without = bench.node_without(&[]).spawn();
    without.wait_for("ready");
    without.signal(Signal::USR1);
    let without = without.finish().output();

    let state_dir = bench.state_dir();
    let mut node = bench.node(&[], &state_dir).spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    node.signal(Signal::USR1);
    let said = node.finish().output();
    monitor.wait();
    assert_eq!(said, without);
    let part = |from: &str, to: &str| said.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
    assert_eq!(part("after\n", "ready\n"), part("before\n", "after\n"));
    assert_eq!(part("later\n", "never"), part("before\n", "after\n"));
    assert!(
        said.contains("wait -1 10\n") && said.contains("umask 27 mask ") && said.contains("fd 3"),
        "{said}"
    );
    assert!(bench.reports(&state_dir).is_empty());
}

#[test]
fn monitor_holds_nothing_of_the_nodes() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&[], &state_dir).env("SECRET", "of the node").spawn();
    node.wait_for("ready");
    let monitor = bench.watching(&node, &state_dir);
    let proc = |name: &str| format!("/proc/{}/{name}", monitor.pid);
    let descriptors = fs::read_dir(proc("fd")).unwrap().flatten();
    let targets: Vec<String> = descriptors
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        .collect();
    let own = |target: &&String| {
        let pidfd = target.contains("pidfd");
        pidfd
            || *target == "/dev/null"
            || *target == "/memfd:lifeboat (deleted)"
            // It looks at the node and its control group from outside.
            || target.starts_with("/proc/")
            || target.starts_with("/sys/fs/cgroup/")
            // One of its own, by which its threads hear of the end: it holds both sides.
            || (target.starts_with("pipe:") && targets.iter().filter(|other| other == target).count() == 2)
    };
    let foreign: Vec<_> =
        targets.iter().filter(|target| !own(target) && !below(target, &state_dir)).collect();
    assert!(foreign.is_empty(), "the monitor holds {foreign:?}");
    assert!(targets.iter().any(|target| target.starts_with("/memfd:lifeboat")), "{targets:?}");
    assert_eq!(fs::read_link(proc("cwd")).unwrap().to_str(), Some("/"));
    assert!(!fs::read_to_string(proc("environ")).unwrap().contains("SECRET"));
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    monitor.wait();
    bench.settle();
}

/// What the monitor opened itself, at work on its own files.
fn below(target: &str, state_dir: &std::path::Path) -> bool {
    std::path::Path::new(target).starts_with(state_dir)
}
