//! Numbers are true while eight threads that come and go count, whenever they are read, and when the node is killed.
//!
//! 1. A node counts as fast as it can, and notes after each count how many there were.
//! 2. Between two looks at the notes its page is read: each value lies between the two, and none ever goes down.
//! 3. It is killed by SIGKILL at a random moment. The memory and the report hold what it had counted, to the last count.
//!
//! `scripts/soak` does so with more counts, again and again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Instant, SystemTime};

use lifeboat_tests::{Compiler, Memory};
use rustix::process::Signal;

use crate::bench::{Bench, event};

const WORKERS: u64 = 8;
/// A note has a cache line of its own.
const NOTE_BYTES: u64 = 64;
/// How many counts, and how often; `scripts/soak` asks for more.
const INCREMENTS: u64 = 100_000_000;
const NODES: u64 = 2;

#[test]
fn every_number_is_true_until_the_end() {
    let asked = |name, default| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let increments = asked("LIFEBOAT_TEST_INCREMENTS", INCREMENTS);
    let bench = Bench::with(Compiler::Gcc, "metrics_truth", &[]);
    for _ in 0..asked("LIFEBOAT_TEST_NODES", NODES) {
        check(&bench, increments);
    }
}

fn check(bench: &Bench, increments: u64) {
    let state_dir = bench.state_dir();
    let path = bench.scratch.join("notes");
    std::fs::write(&path, vec![0; ((WORKERS + 1) * NOTE_BYTES) as usize]).unwrap();
    let notes = File::options().read(true).write(true).open(&path).unwrap();
    let moment = random(increments);
    let arguments = [path.to_str().unwrap(), &increments.to_string()];
    let mut node = bench.node(&arguments, &state_dir).spawn();
    node.wait_for("ready");
    let memory = Memory::of(bench.watching(&node, &state_dir).pid.unsigned_abs()).unwrap();
    // It counts from here on.
    notes.write_all_at(&[1], WORKERS * NOTE_BYTES).unwrap();
    let (mut last, mut scrapes, started) = ([0; 4], 0, Instant::now());
    let mut noted = 0;
    while noted < moment {
        let (now, after) = scrape(&memory, &notes, noted);
        assert!(now.iter().zip(last).all(|(now, last)| *now >= last), "{last:?} went down to {now:?}");
        (last, noted, scrapes) = (now, after, scrapes + 1);
    }
    node.signal(Signal::KILL);
    let took = started.elapsed();
    let _ = node.finish();
    bench.settle();
    let at_the_end = sum(&notes);
    let (end, _) = scrape(&memory, &notes, at_the_end);
    println!(
        "{at_the_end} counts in {took:?}, {scrapes} scrapes, killed from {moment} on; at the end {end:?}"
    );
    let metrics = &event(&state_dir)["contexts"]["metrics"];
    for (name, value) in NAMES.iter().zip(end) {
        assert_eq!(metrics[name].as_f64(), Some(value as f64), "{name} of {metrics}");
    }
    assert!(end[0] >= last[0] && scrapes > 0);
}

const NAMES: [&str; 4] = [
    "gossip_messages_total",
    "gossip_topics_total{topic=\"a\"}",
    "gossip_size_bytes_count",
    "gossip_size_bytes_sum",
];

/// The values, each of them not less than what was noted before, and what was noted after.
fn scrape(memory: &Memory, notes: &File, before: u64) -> ([u64; 4], u64) {
    let samples = memory.samples();
    let after = sum(notes);
    let values = NAMES.map(|name| samples.get(name).copied().unwrap_or(0.0) as u64);
    for value in values {
        // Each thread may have counted once more than it had time to note.
        assert!(before <= value && value <= after + WORKERS, "{before} <= {values:?} <= {after} + {WORKERS}");
    }
    (values, after)
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

/// Between a tenth and nine tenths of it.
fn random(increments: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    increments / 10 + now.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (increments / 10 * 8)
}
