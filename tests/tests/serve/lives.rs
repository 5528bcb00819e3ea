//! A death is told until the next life, and a stop is not.
//!
//! 1. a node is killed  2. its endpoint says so: its own series end, the death is counted  3. its next life takes the very
//!    address over  4. that one stops as it was asked, and nobody serves any more

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::bench::{Bench, Node, endpoints, wait_until};
use lifeboat_tests::http::get;

/// A port that is free now.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_death_is_told_until_the_next_life() {
    let (bench, address) = (Bench::get(), free_address());
    let state_dir = bench.folder().join("state");
    let node = Node::start(bench.run(&state_dir, &address), state_dir.clone());
    assert_eq!(node.address().as_ref(), Some(&address));
    let served = node.served.clone();
    node.running.signal(Signal::KILL);
    let _ = node.running.finish();
    wait_until("the death is counted", || {
        served.sample("lifeboat_deaths_total{cause=\"killed\"}").as_deref() == Some("1")
    });
    let page = served.get("/metrics").text();
    assert!(page.contains("\nlifeboat_node_up 0\n"), "{page}");
    assert!(page.contains("lifeboat_last_death_timestamp_seconds{cause=\"killed\"} "), "{page}");
    assert!(
        !page.contains("serve_") && !page.contains("\nprocess_") && !page.contains("heartbeat"),
        "{page}"
    );
    let health = served.get("/health");
    assert_eq!((health.status, health.json()["status"].as_str()), (503, Some("failing")));
    assert!(page.contains("\nlifeboat_health_score 0\n"), "{page}");
    assert!(page.contains("\nlifeboat_health_coverage_ratio "), "{page}");
    assert!(!page.contains("lifeboat_monitor_up"), "{page}");
    wait_until("its report is named", || served.get("/health").json()["report"].is_string());
    let report = served.get("/health").json()["report"].as_str().unwrap().to_owned();
    let is_named = |path: std::path::PathBuf| path.to_string_lossy().replace('-', "").contains(&report);
    assert!(fs::read_dir(state_dir.join("spool")).unwrap().any(|entry| is_named(entry.unwrap().path())));
    let checks = served.get("/health/checks").json();
    assert_eq!(checks["process"]["ended"]["report"], report);
    assert!(checks["process"]["ended"]["at_timestamp_seconds"].is_u64(), "{checks}");
    for list in ["components", "heartbeats"] {
        let states: Vec<_> = checks[list].as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
        assert!(!states.is_empty() && states.iter().all(|state| state == "ended"), "{checks}");
    }
    wait_until("its file says so", || served.endpoint().is_some_and(|said| said["has_ended"] == true));
    let first = served.endpoint().unwrap()["serve_pid"].clone();

    let next = Node::start(bench.run(&state_dir, &address), state_dir.clone());
    assert_eq!(next.address().as_ref(), Some(&address));
    wait_until("the next life is told", || next.sample("lifeboat_node_up").as_deref() == Some("1"));
    wait_until("the restart is counted", || next.sample("lifeboat_restarts_total").as_deref() == Some("1"));
    assert_eq!(next.sample("lifeboat_deaths_total{cause=\"killed\"}").as_deref(), Some("1"));
    assert!(endpoints(&state_dir).iter().all(|said| said["serve_pid"] != first));

    next.running.signal(Signal::TERM);
    wait_until("serve has left", || endpoints(&state_dir).is_empty());
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn a_helper_of_a_node_does_not_hide_its_death() {
    let (bench, address) = (Bench::get(), free_address());
    let state_dir = bench.folder().join("state");
    let run = bench.run(&state_dir, &address).env("LIFEBOAT_NODE", "node-01");
    let node = Node::start(run, state_dir.clone());
    node.running.signal(Signal::HUP);
    let served = node.served.clone();
    let helper = || endpoints(&state_dir).into_iter().find(|said| said["node_pid"] != served.pid);
    let is_refused = |said: Value| said["error"].as_str().is_some_and(|it| it.contains("cannot listen"));
    wait_until("the helper has asked for the address", || helper().is_some_and(is_refused));
    node.running.signal(Signal::KILL);
    let _ = node.running.finish();
    wait_until("the death is told", || served.get("/health").status == 503);
    assert_eq!(served.sample("lifeboat_node_up").as_deref(), Some("0"));
    assert_eq!(served.address(), Some(address));
    let pid = helper().unwrap()["node_pid"].as_i64().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    wait_until("the helper's serve has left", || helper().is_none());
    served.end();
}

#[test]
fn a_next_life_that_came_early_gets_the_address() {
    let (bench, address) = (Bench::get(), free_address());
    let state_dir = bench.folder().join("state");
    let run = || bench.run(&state_dir, &address).env("LIFEBOAT_NODE", "node-01");
    let node = Node::start(run(), state_dir.clone());
    let mut running = run().spawn();
    running.wait_for("ready");
    let next = Node::of(running, state_dir.clone());
    wait_until("it has asked", || next.endpoint().is_some_and(|said| said["error"] != ""));
    assert_eq!(node.sample("lifeboat_node_up").as_deref(), Some("1"));
    node.running.signal(Signal::KILL);
    let _ = node.running.finish();
    wait_until("it has the address", || next.address().as_ref() == Some(&address));
    next.end();
}

#[test]
fn nobody_tells_of_a_node_whose_state_is_removed() {
    let node = Bench::get().node();
    let (served, address) = (node.served.clone(), node.address().unwrap());
    node.running.signal(Signal::KILL);
    let _ = node.running.finish();
    wait_until("the death is told", || served.endpoint().unwrap()["has_ended"] == true);
    wait_until("the report is made", || served.get("/health").json()["report"].is_string());
    fs::remove_dir_all(&served.state_dir).unwrap();
    // Each of these is an occasion to look, which comes each minute without them.
    wait_until("serve has left", || std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn a_service_manager_is_not_kept_waiting() {
    let node = Bench::get().node();
    let address = node.address().unwrap();
    // As to all processes of a service at once: the node may take its time.
    let pidfd = node.signal_serve(Signal::TERM);
    assert_eq!(get(&address, "/livez", &[]).status, 200);
    node.running.signal(Signal::KILL);
    let mut events = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut events, Some(&patience)).unwrap(), 1);
    wait_until("its file is gone", || endpoints(&node.state_dir).is_empty());
}

#[test]
fn an_address_that_a_stranger_holds_is_tried_again() {
    let (bench, stranger) = (Bench::get(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = stranger.local_addr().unwrap().to_string();
    let state_dir = bench.folder().join("state");
    let mut running = bench.run(&state_dir, &address).spawn();
    running.wait_for("ready");
    let node = Node::of(running, state_dir);
    let error = |node: &Node| Some(node.endpoint()?["error"].as_str()?.to_owned());
    wait_until("it is told", || error(&node).is_some_and(|error| error.contains("cannot listen")));
    assert_eq!(node.address(), None);
    drop(stranger);
    wait_until("the address is had", || node.address().as_ref() == Some(&address));
    assert_eq!(error(&node).as_deref(), Some(""));
    node.end();
}

#[test]
fn an_address_that_others_can_reach_must_be_asked_for() {
    let bench = Bench::get();
    let state_dir = bench.folder().join("state");
    let running = bench.run(&state_dir, "0.0.0.0:0").spawn();
    let refused = Node::of(running, state_dir);
    wait_until("it is told", || {
        let said = refused.endpoint().unwrap_or_default();
        said["error"].as_str().is_some_and(|error| error.contains("LIFEBOAT_METRICS_PUBLIC=1"))
    });
    assert_eq!(refused.address(), None);
    refused.end();
    let state_dir = bench.folder().join("state");
    let run = bench.run(&state_dir, "0.0.0.0:0").env("LIFEBOAT_METRICS_PUBLIC", "1");
    let public = Node::start(run, state_dir);
    let address = public.address().unwrap().replace("0.0.0.0", "127.0.0.1");
    assert_eq!(get(&address, "/livez", &[("Host", "nwaku:9464")]).status, 200);
    public.end();
}

#[test]
fn serve_may_do_nothing_but_serve() {
    let node = Bench::get().node();
    assert_eq!(node.get("/livez").status, 200);
    let pid = node.endpoint().unwrap()["serve_pid"].clone();
    // The thread that writes where we are found confines itself a moment after the address is told.
    let is_confined = |thread: &fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap();
        let expected = [
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            ("CapEff", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
        ];
        expected.iter().all(|(name, value)| {
            let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.map(str::trim) == Some(*value)
        })
    };
    wait_until("each thread is confined", || {
        fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten().all(|thread| is_confined(&thread))
    });
    node.end();
}

#[test]
fn a_disk_that_hangs_keeps_nobody_waiting() {
    let (bench, address) = (Bench::get(), free_address());
    let state_dir = bench.folder().join("state");
    let folder = state_dir.join("serve");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    // Whoever opens this to read waits for a writer.
    let hung = folder.join("1-1.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &hung, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let mut running = bench.run(&state_dir, &address).spawn();
    running.wait_for("ready");
    wait_until("it is served", || std::net::TcpStream::connect(&address).is_ok());
    let page = get(&address, "/metrics", &[]).text();
    assert!(page.contains("\nlifeboat_node_up 1\n"), "{page}");
    drop(fs::File::options().write(true).open(&hung).unwrap());
    fs::remove_file(&hung).unwrap();
    let node = Node::of(running, state_dir);
    wait_until("its file says so", || node.address().as_ref() == Some(&address));
    node.end();
}
