//! What the bench of metrics runs, in Rust: starts a lifeboat where one is named, makes series, and says what each
//! operation takes. `metrics.c` beside it is the same in C, and says what the arguments mean.
//!
//!     metrics SERIES THREADS ROUNDS OPERATION...

use std::hint::black_box;
use std::io::Read;
use std::process::exit;
use std::sync::atomic::{Ordering, compiler_fence};
use std::sync::{Barrier, OnceLock};
use std::thread;

use lifeboat::{BoundCounter, Counter, Gauge, Histogram};
use rustix::time::{ClockId, clock_gettime};

const TURNS: usize = 21;
const VALUES: usize = 32_768;
const LABELS: &[(&str, &str)] = &[("topic", "/waku/2/rs/1/4"), ("kind", "relay")];

static MESSAGES: Counter = Counter::new("bench", "messages", "Messages.");
static OF_TOPIC: Counter = Counter::new("bench", "topics", "Messages of a topic.").labels(LABELS);
static LATE: Counter = Counter::new("bench", "late", "Messages of a late topic.");
static PEERS: Gauge = Gauge::new("bench", "peers", "Peers.");
static DELAY: Histogram = Histogram::new("bench", "delay", "Delay.").unit("seconds");

struct Operation {
    name: &'static str,
    repeat: fn(u64),
}

/// The compiler must not make one addition of many, nor keep in registers what another call could change.
macro_rules! operations {
    ($($name:literal $repeat:ident |$round:ident| $call:expr;)+) => {
        $(#[inline(never)]
        fn $repeat(rounds: u64) {
            for $round in 0..rounds {
                $call;
                compiler_fence(Ordering::SeqCst);
            }
        })+

        const OPERATIONS: &[Operation] = &[$(Operation { name: $name, repeat: $repeat }),+];
    };
}

operations! {
    "nothing" nothing |_round| black_box(());
    "counter" counter |_round| MESSAGES.increment();
    "labelled" labelled |_round| OF_TOPIC.increment();
    "late" late |_round| LATE.with(black_box(LABELS)).increment();
    "gauge_set" gauge_set |_round| PEERS.set(48.0);
    "gauge_add" gauge_add |_round| PEERS.add(1.0);
    "histogram" histogram |round| DELAY.observe(value(round));
    "bound" bound |_round| kept().bound.increment();
    "facade_counter" facade_counter |_round| kept().counter.increment(1);
    "facade_histogram" facade_histogram |round| kept().histogram.record(value(round));
    "facade_macro" facade_macro |_round| metrics::counter!("bench.macro").increment(1);
    "facade_macro_labels" facade_macro_labels
        |_round| metrics::counter!("bench.macro", "topic" => "/waku/2/rs/1/4", "kind" => "relay").increment(1);
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [series, threads, rounds, names @ ..] = words.as_slice() else { usage() };
    let (Ok(series), Ok(threads), Ok(rounds)) = (series.parse(), threads.parse(), rounds.parse()) else {
        usage()
    };
    begin(series);
    for name in names {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name).unwrap_or_else(|| usage());
        measure(operation, threads, rounds);
    }
    println!("rest 0 0");
    // It ends as its input does.
    let _ = std::io::stdin().read(&mut [0]);
}

fn begin(series: u32) {
    let _ = values();
    println!("start {} 0", lifeboat::start!().number());
    let _ = metrics::set_global_recorder(lifeboat::metrics_facade::Recorder::new());
    let _ = kept();
    for number in 0..series {
        LATE.with(&[("topic", &number.to_string())]).add(u64::from(number));
    }
}

/// Handles that a node keeps.
struct Kept {
    bound: BoundCounter,
    counter: metrics::Counter,
    histogram: metrics::Histogram,
}

fn kept() -> &'static Kept {
    static KEPT: OnceLock<Kept> = OnceLock::new();
    KEPT.get_or_init(|| Kept {
        bound: LATE.with(LABELS),
        counter: metrics::counter!("bench.kept"),
        histogram: metrics::histogram!("bench.kept.seconds"),
    })
}

fn measure(operation: &Operation, threads: usize, rounds: u64) {
    let barrier = Barrier::new(threads);
    let mut all: Vec<u128> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| work(operation, rounds, &barrier))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    all.sort_unstable();
    let each = |ns: Option<&u128>| ns.map_or(f64::NAN, |ns| *ns as f64 / rounds as f64);
    println!("{} {:.3} {:.3}", operation.name, each(all.first()), each(all.get(all.len() / 2)));
}

fn work(operation: &Operation, rounds: u64, barrier: &Barrier) -> Vec<u128> {
    (operation.repeat)(1000);
    let turn = |_| {
        barrier.wait();
        let before = cpu_ns();
        (operation.repeat)(rounds);
        cpu_ns() - before
    };
    (0..TURNS).map(turn).collect()
}

/// The thread's own processor time: others run on this machine too.
fn cpu_ns() -> u128 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u128 * 1_000_000_000 + now.tv_nsec as u128
}

fn value(round: u64) -> f64 {
    values()[round as usize % VALUES]
}

/// From 50 µs to 100 s, every order of magnitude alike: one value alone would be foreseen.
fn values() -> &'static [f64; VALUES] {
    static MADE: OnceLock<Box<[f64; VALUES]>> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut seed = 7_u64;
        Box::new(std::array::from_fn(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let part = (seed >> 11) as f64 / (1_u64 << 53) as f64;
            (50e-6_f64.ln() + (100.0_f64.ln() - 50e-6_f64.ln()) * part).exp()
        }))
    })
}

fn usage() -> ! {
    eprintln!("usage: metrics SERIES THREADS ROUNDS OPERATION...");
    exit(2);
}
