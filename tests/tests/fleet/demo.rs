//! `scripts/demo --fleet` shows what it promises, and leaves nothing behind, also when it is stopped on the way.
//!
//! 1. six nodes, quickened; one dies: the alert, its runbook, the report, the end of the alert, and no other alert
//! 2. SIGTERM as soon as all six are up: the status says so, and no process of the demo's is left, nor a file

use std::fs;
use std::path::Path;
use std::time::Duration;

use lifeboat_tests::engines::Generation;
use lifeboat_tests::{Run, Scratch, delivered, repository, wait_until};
use rustix::process::Signal;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(400);

fn demo(scratch: &Scratch) -> Run {
    let engines = Generation::Three.program("prometheus").parent().unwrap().to_owned();
    let dist = delivered("bin/lifeboat").ancestors().nth(2).unwrap().to_owned();
    let run =
        Run::new(repository("scripts/demo")).args(["--fleet", "--fast", "--only-c"]).inherit_environment();
    let run = run.env("LIFEBOAT_DIST", dist).env("LIFEBOAT_TEST_PROMETHEUS3", engines);
    run.env("TMPDIR", scratch.path()).timeout(PATIENCE)
}

/// Whether no process runs a program of this folder, and nothing is in it.
fn is_left_clean(folder: &Path) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut programs = entries.filter_map(|entry| fs::read_link(entry.path().join("exe")).ok());
    !programs.any(|program| program.starts_with(folder)) && fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_demo_of_a_fleet_shows_an_alert_from_death_to_end() {
    let scratch = Scratch::trusted("demo");
    let outcome = demo(&scratch).finish();
    let said = outcome.output();
    for promised in [
        "all six are up",
        "amsterdam dies by SIGSEGV",
        "its report is on disk",
        "P1  NodeDied  firing",
        "# NodeDied",
        "SIGSEGV: null pointer dereference at 0x0",
        "checksum",
        "amsterdam is up again",
        "the alert has cleared",
        "other alerts: none",
    ] {
        assert!(said.contains(promised), "{promised:?} is not in:\n{said}");
    }
    assert!(is_left_clean(scratch.path()));
}

#[test]
fn a_demo_that_is_stopped_leaves_nothing() {
    let scratch = Scratch::trusted("demo-stopped");
    let mut running = demo(&scratch).spawn();
    running.wait_for("all six are up");
    running.signal(Signal::TERM);
    assert_eq!(running.finish().shell_status(), 143);
    wait_until("all of it is gone", || is_left_clean(scratch.path()));
}
