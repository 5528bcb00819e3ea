//! What `hosts/metrics.c` and its operations do, as a Rust node does it, with the same words on its standard output.
//!
//!     lifeboat-bench-node SERIES THREADS ROUNDS OPERATION...

use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{Ordering, compiler_fence};

use lifeboat::{Counter, Gauge, Histogram, Label};
use rustix::time::{ClockId, clock_gettime};

const TURNS: usize = 21;
const VALUES: usize = 32768;
const LABELS: &[Label<'static>] = &[("topic", "/waku/2/rs/1/4"), ("kind", "relay")];

static MESSAGES: Counter = Counter::new("bench", "messages", "Messages.");
static OF_TOPIC: Counter = Counter::new("bench", "topics", "Messages of a topic.").labels(LABELS);
static LATE: Counter = Counter::new("bench", "late", "Messages of a late topic.");
static PEERS: Gauge = Gauge::new("bench", "peers", "Peers.");
static DELAY: Histogram = Histogram::new("bench", "delay", "Delay.").unit("seconds");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [series, threads, rounds, operations @ ..] = arguments.as_slice() else {
        eprintln!("usage: lifeboat-bench-node SERIES THREADS ROUNDS OPERATION...");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    let _ = lifeboat::start(lifeboat::Options::new());
    println!("start {} 0", i32::from(!lifeboat::is_on()));
    for series in 0..number(series) {
        LATE.with(&[("topic", &format!("/waku/2/rs/1/{series}")), ("kind", "relay")]).increment();
    }
    let values = values();
    for operation in operations {
        let repeat: &(dyn Fn(usize) + Sync) = match operation.as_str() {
            "nothing" => &|rounds| repeat(rounds, |_| ()),
            "counter" => &|rounds| repeat(rounds, |_| MESSAGES.increment()),
            "labelled" => &|rounds| repeat(rounds, |_| OF_TOPIC.increment()),
            "late" => &|rounds| repeat(rounds, |_| LATE.with(LABELS).increment()),
            "gauge_set" => &|rounds| repeat(rounds, |round| PEERS.set(round as f64)),
            "gauge_add" => &|rounds| repeat(rounds, |_| PEERS.add(1.0)),
            "histogram" => &|rounds| repeat(rounds, |round| DELAY.observe(values[round % VALUES])),
            _ => continue,
        };
        let (least, median) = measure(number(threads), number(rounds), repeat);
        println!("{operation} {least:.3} {median:.3}");
    }
    println!("rest 0 0");
    // It ends as its input does.
    let _ = std::io::stdin().read(&mut [0]);
}

/// The compiler must not make one addition of many.
#[inline(always)]
fn repeat(rounds: usize, operation: impl Fn(usize)) {
    for round in 0..rounds {
        operation(round);
        compiler_fence(Ordering::SeqCst);
    }
}

fn measure(threads: usize, rounds: usize, repeat: &(dyn Fn(usize) + Sync)) -> (f64, f64) {
    let barrier = Barrier::new(threads);
    let work = || {
        repeat(rounds / 16 + 1);
        let turn = |_| {
            barrier.wait();
            let before = cpu_ns();
            repeat(rounds);
            (cpu_ns() - before) as f64 / rounds as f64
        };
        (0..TURNS).map(turn).collect::<Vec<_>>()
    };
    let mut all: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    all.sort_by(f64::total_cmp);
    (all.first().copied().unwrap_or(0.0), all.get(all.len() / 2).copied().unwrap_or(0.0))
}

/// From 50 µs to 100 s, every order of magnitude alike, and too many to be foreseen.
fn values() -> Vec<f64> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut value = || {
        let fraction = next() as f64 / (1_u64 << 31) as f64;
        50e-6 * (1.0 + fraction) * (1_u64 << (next() % 20)) as f64
    };
    (0..VALUES).map(|_| value()).collect()
}

fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
