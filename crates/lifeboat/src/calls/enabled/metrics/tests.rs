//! Handles against a reporter that is a few lines of test, so that Miri can watch several threads resolve one handle.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use lifeboat_abi::{Metric, MetricLabel, Status, Table};

use super::super::reporter;
use super::{Counter, DEFAULT_BOUNDS, Gauge, Histogram};

const SLOTS: usize = 256;
const THREADS: usize = 4;
const ROUNDS: usize = 10;

static KNOWN: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());
static ROWS: Mutex<Vec<&'static [AtomicU64; SLOTS]>> = Mutex::new(Vec::new());
static SHARED: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: zeros are numbers and entries that are not there.
        let mut table: Table = unsafe { MaybeUninit::zeroed().assume_init() };
        table.metric_resolve = Some(resolve);
        table.metric_row = Some(row);
        table.metric_shared = Some(shared);
        reporter::pretend(table);
    });
}

fn text(text: *const c_char) -> String {
    // SAFETY: the handle's texts end with a NUL.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

unsafe extern "C" fn resolve(metric: *mut Metric) -> i32 {
    // SAFETY: the handle is the caller's for this call.
    let metric = unsafe { &mut *metric };
    let mut name = [metric.module, metric.name, metric.unit].map(text).join("_");
    if metric.name.is_null() || name.contains(' ') {
        metric.slot = u32::MAX;
        return Status::InvalidArgument as i32;
    }
    // SAFETY: there are as many labels as the handle says.
    let labels: &[MetricLabel] =
        unsafe { std::slice::from_raw_parts(metric.labels, metric.labels_count as usize) };
    for label in labels {
        for part in [label.name, label.value] {
            // SAFETY: a label's texts are as long as they say.
            let bytes = unsafe { std::slice::from_raw_parts(part.data.cast::<u8>(), part.length as usize) };
            name.push_str(std::str::from_utf8(bytes).unwrap());
        }
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let next = known.last().map_or(1, |(_, slot)| slot + DEFAULT_BOUNDS.len() as u32 + 2);
    let found = known.iter().find(|(other, _)| *other == name).map(|(_, slot)| *slot);
    metric.slot = found.unwrap_or_else(|| {
        known.push((name, next));
        next
    });
    Status::Ok as i32
}

/// The last thread finds none left.
extern "C" fn row() -> *mut u64 {
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if rows.len() == THREADS - 1 {
        return std::ptr::null_mut();
    }
    let row: &'static [AtomicU64; SLOTS] = Box::leak(Box::new([const { AtomicU64::new(0) }; SLOTS]));
    rows.push(row);
    row.as_ptr().cast_mut().cast()
}

extern "C" fn shared() -> *mut u64 {
    SHARED.as_ptr().cast_mut().cast()
}

fn sum(name: &str, offset: usize) -> u64 {
    let known = KNOWN.lock().unwrap();
    let slot = known.iter().find(|(other, _)| other == name).unwrap().1 as usize + offset;
    ROWS.lock().unwrap().iter().map(|row| row[slot].load(Ordering::Relaxed)).sum()
}

/// What a series has in the row that all threads share.
fn in_shared(name: &str) -> u64 {
    let known = KNOWN.lock().unwrap();
    let slot = known.iter().find(|(other, _)| other == name).unwrap().1;
    SHARED[slot as usize].load(Ordering::Relaxed)
}

#[test]
fn threads_resolve_one_handle_at_once() {
    static COUNTER: Counter = Counter::new("a", "counter", "").labels(&[("b", "c")]);
    static GAUGE: Gauge = Gauge::new("a", "gauge", "");
    static HISTOGRAM: Histogram = Histogram::new("a", "histogram", "").unit("seconds");
    static NONE: Counter = Counter::new("a", "no name", "");
    COUNTER.add(1000);
    start();
    let work = || {
        for _ in 0..ROUNDS {
            COUNTER.increment();
            COUNTER.with(&[("d", &String::from("e"))]).add(2);
            GAUGE.add(0.5);
            HISTOGRAM.observe(0.3);
            HISTOGRAM.observe(f64::INFINITY);
            HISTOGRAM.observe(f64::NAN);
            NONE.increment();
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(work)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let counted = (ROUNDS * (THREADS - 1)) as u64;
    assert_eq!((sum("a_counter_bc", 0), sum("a_counter_bcde", 0)), (counted, 2 * counted));
    assert_eq!(
        in_shared("a_counter_bc") + in_shared("a_counter_bcde"),
        3 * ROUNDS as u64,
        "the thread without a row"
    );
    let bucket = DEFAULT_BOUNDS.iter().position(|bound| 0.3 <= *bound).unwrap();
    assert_eq!(sum("a_histogram_seconds", bucket), counted);
    assert_eq!(sum("a_histogram_seconds", DEFAULT_BOUNDS.len()), counted);
    assert_eq!(f64::from_bits(in_shared("a_gauge_")), 0.5 * (ROUNDS * THREADS) as f64);
}
