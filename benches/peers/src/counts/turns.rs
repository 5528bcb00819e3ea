//! One operation again and again, by one thread or two: what the median turn took.

use std::sync::Barrier;
use std::sync::atomic::{Ordering, compiler_fence};

use rustix::time::{ClockId, clock_gettime};

/// What every library is asked to do.
pub(crate) const OPERATIONS: [&str; 6] =
    ["counter", "labelled", "late", "gauge_set", "gauge_add", "histogram"];
/// The labels of the series that has some.
pub(crate) const LABELS: [(&str, &str); 2] = [("topic", "/waku/2/rs/1/4"), ("kind", "relay")];

const TURNS: usize = 21;
const VALUES: usize = 32_768;

/// So many repetitions of one operation.
pub(crate) type Repeat = Box<dyn Fn(usize) + Sync>;

/// One library.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) operations: Vec<(&'static str, Repeat)>,
    /// What its users must do now and then, outside of what is measured.
    pub(crate) between: Box<dyn Fn()>,
}

impl Peer {
    /// A library that wants nothing in between.
    pub(crate) fn new(name: &str, operations: Vec<(&'static str, Repeat)>) -> Self {
        Self { name: name.to_owned(), operations, between: Box::new(|| ()) }
    }
}

/// Repeats without letting the compiler make one addition of many.
pub(crate) fn repeat(operation: impl Fn(usize) + Sync + 'static) -> Repeat {
    Box::new(move |rounds| {
        for round in 0..rounds {
            operation(round);
            compiler_fence(Ordering::SeqCst);
        }
    })
}

/// Nanoseconds of processor time for each round of the median turn.
pub(crate) fn measure(
    threads: usize,
    rounds: usize,
    repeat: &(dyn Fn(usize) + Sync),
    between: &dyn Fn(),
) -> f64 {
    let barrier = Barrier::new(threads);
    let work = || {
        barrier.wait();
        let before = cpu_ns();
        repeat(rounds);
        (cpu_ns() - before) as f64 / rounds as f64
    };
    repeat(rounds / 16);
    let mut all = Vec::new();
    for _ in 0..TURNS {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.extend(threads.into_iter().filter_map(|thread| thread.join().ok()));
        });
        between();
    }
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// From 50 µs to 100 s, every order of magnitude alike, and too many to be foreseen.
pub(crate) fn values() -> impl Fn(usize) -> f64 + Sync + Clone {
    let mut state = 7_u64;
    let mut value = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (state >> 11) as f64 / (1_u64 << 53) as f64;
        (50e-6_f64.ln() + (100.0_f64.ln() - 50e-6_f64.ln()) * part).exp()
    };
    let values: std::sync::Arc<[f64]> = (0..VALUES).map(&mut value).collect();
    move |round| values.get(round % VALUES).copied().unwrap_or(0.0)
}

fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
