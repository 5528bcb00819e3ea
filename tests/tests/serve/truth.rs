//! What is served is true while eight threads that come and go count.
//!
//! 1. A node counts as fast as it can, and notes after each count how many there were.
//! 2. Its page is asked for again and again. No value is higher than what was noted by then, none is lower than what was
//!    noted a second before, and none ever goes down, until the node is killed in the middle of it.
//!
//! What the memory and the report hold is the affair of `tests/death/metrics_truth.rs`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Run, Scratch, repository};
use rustix::process::Signal;

use crate::bench::{Node, delivered, sample};

const WORKERS: u64 = 8;
/// A note has a cache line of its own.
const NOTE_BYTES: u64 = 64;
/// More than it will ever count.
const ENDLESS: &str = "1000000000000";
/// A page may be as old as this.
const OLD: Duration = Duration::from_secs(1);
/// How many pages that differ are enough.
const PAGES: u32 = 10;

#[test]
fn served_numbers_are_true() {
    let scratch = Scratch::trusted("served-truth");
    let compile = Compile::new(Compiler::Gcc).flags(["-O2", "-pthread", "-DLIFEBOAT_LOAD"]);
    let program = compile.source(repository("tests/fixtures/metrics_truth.c")).build(scratch.join("node"));
    let path = scratch.write("notes", "\0".repeat(((WORKERS + 1) * NOTE_BYTES) as usize));
    let notes = File::options().read(true).write(true).open(&path).unwrap();
    let state_dir = scratch.join("state");
    let run = Run::new(program).arg(&path).arg(ENDLESS).env("LIFEBOAT_STATE_DIR", &state_dir);
    let run = run.env("LIFEBOAT_REPORTER", delivered("lib/liblifeboat_reporter.so"));
    let node = Node::start(run.env("LIFEBOAT_METRICS", "127.0.0.1:0"), state_dir);
    // It counts from here on.
    notes.write_all_at(&[1], WORKERS * NOTE_BYTES).unwrap();
    let (mut noted, mut last, mut pages) = (vec![(Instant::now(), 0)], [0; 2], 0);
    while pages < PAGES {
        let old = Instant::now().checked_sub(OLD);
        let before = noted.iter().rev().find(|(at, _)| Some(*at) < old).map_or(0, |(_, count)| *count);
        let page = node.get("/metrics").text();
        let after = sum(&notes);
        noted.push((Instant::now(), after));
        let value = |name| sample(&page, name).map_or(0, |value| value.parse().unwrap());
        let now = [value("gossip_messages_total"), value("gossip_size_bytes_count")];
        for (now, last) in now.into_iter().zip(last) {
            assert!(before <= now && now <= after + WORKERS, "{before} <= {now} <= {after}");
            assert!(last <= now, "{last} went down to {now}");
        }
        pages += u32::from(now != last);
        last = now;
    }
    assert!(last[0] > 0);
    node.running.signal(Signal::KILL);
    node.end();
}

/// What the node noted.
fn sum(notes: &File) -> u64 {
    let note = |worker| {
        let mut bytes = [0; 8];
        notes.read_exact_at(&mut bytes, worker * NOTE_BYTES).unwrap();
        u64::from_le_bytes(bytes)
    };
    (0..WORKERS).map(note).sum()
}
