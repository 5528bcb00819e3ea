//! Many threads at once: no value is ever a mix, and nothing is lost but what `dropped` counts.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use lifeboat_recorder::{BREADCRUMBS, Outcome, RECORDER_BYTES, RecordKind, Snapshot, Stamp};

use crate::scene::{Shared, fresh, note, read};

const THREADS: u32 = 4;
const WRITES: u32 = if cfg!(miri) { 60 } else { 20_000 };

/// Runs `write` in every thread; the answer is how many writes came to nothing.
fn storm(write: impl Fn(Stamp, u32) -> Outcome + Sync) -> u64 {
    let dropped = AtomicU64::new(0);
    thread::scope(|scope| {
        for tid in 1..=THREADS {
            let (write, dropped) = (&write, &dropped);
            scope.spawn(move || {
                let stamp = Stamp { realtime_ns: u64::from(tid), tid };
                let lost = (0..WRITES).filter(|number| write(stamp, *number) != Outcome::Written).count();
                dropped.fetch_add(lost as u64, Ordering::Relaxed);
            });
        }
    });
    dropped.into_inner()
}

#[test]
fn breadcrumbs_of_many_threads_are_whole_and_counted() {
    let shared = Shared(fresh());
    let dropped = storm(|stamp, number| {
        let message = format!("{} {number} {}", stamp.tid, "x".repeat(number as usize % 300));
        shared.recorder().breadcrumb(stamp, number, b"storm", message.as_bytes())
    });
    read(shared.recorder(), |snapshot| {
        let control = snapshot.control();
        assert_eq!(control.breadcrumbs_next, u64::from(THREADS * WRITES));
        assert_eq!(control.dropped, dropped);
        let crumbs: Vec<_> = snapshot.breadcrumbs().collect();
        assert_eq!(crumbs.len(), BREADCRUMBS);
        for (slot, crumb) in crumbs.iter().enumerate() {
            let text = format!("{} {} {}", crumb.tid, crumb.level, "x".repeat(crumb.level as usize % 300));
            assert_eq!(String::from_utf8_lossy(crumb.message), text);
            assert_eq!(
                (crumb.ticket % BREADCRUMBS as u64, crumb.realtime_ns),
                (slot as u64, u64::from(crumb.tid))
            );
        }
    });
}

#[test]
fn errors_of_many_threads_are_each_taken_or_counted() {
    let shared = Shared(fresh());
    let done = AtomicBool::new(false);
    let (taken, dropped) = thread::scope(|scope| {
        // Takes whatever there is, so that writers find room and meet in the same slots.
        let monitor = scope.spawn(|| {
            let control = shared.recorder().control();
            let mut taken = 0;
            loop {
                let is_last = done.load(Ordering::Acquire);
                let next = control.errors_next.load(Ordering::Acquire);
                control.errors_taken.store(next, Ordering::Release);
                taken += next - taken;
                if is_last {
                    return taken;
                }
                thread::yield_now();
            }
        });
        let dropped = storm(|_, number| note(shared.recorder(), RecordKind::Error, &format!("{number}")));
        done.store(true, Ordering::Release);
        (monitor.join().unwrap(), dropped)
    });
    read(shared.recorder(), |snapshot| {
        let control = snapshot.control();
        assert_eq!((control.dropped, control.errors_next), (dropped, taken));
        // A record may be dropped with its ticket (the slot was busy) or without one (no room).
        assert!(u64::from(THREADS * WRITES) - dropped <= taken);
        let tickets: HashSet<_> = snapshot.errors().map(|error| error.ticket).collect();
        assert_eq!(tickets.len(), snapshot.errors().count());
    });
}

#[test]
fn one_tag_of_many_threads_has_one_entry() {
    let shared = Shared(fresh());
    let dropped = storm(|stamp, number| {
        let (own, value) = (format!("key {}", stamp.tid), format!("{number}"));
        let first = shared.recorder().tag(stamp, b"common", value.as_bytes());
        let second = shared.recorder().tag(stamp, own.as_bytes(), value.as_bytes());
        assert_eq!(second, Outcome::Written, "nobody else writes it");
        first
    });
    read(shared.recorder(), |snapshot| {
        let keys: HashSet<_> = snapshot.tags().map(|tag| tag.key).collect();
        assert_eq!((keys.len(), snapshot.tags().count()), (THREADS as usize + 1, THREADS as usize + 1));
        let last = format!("{}", WRITES - 1);
        assert!(snapshot.tags().filter(|tag| tag.key != b"common").all(|tag| tag.value == last.as_bytes()));
        assert_eq!(snapshot.control().dropped, dropped);
    });
}

/// Copies the recorder through the kernel, as a monitor in another process sees it.
fn copy_live(shared: Shared, memory: &File) -> Vec<u8> {
    let mut bytes = vec![0; RECORDER_BYTES];
    memory.read_exact_at(&mut bytes, shared.recorder().base().addr().get() as u64).unwrap();
    bytes
}

#[test]
#[cfg_attr(miri, ignore = "reads the writer's memory through /proc")]
fn a_value_is_the_old_one_or_the_new_one_never_a_mix() {
    const COPIES: usize = 3_000;
    let shared = Shared(fresh());
    let values = ["a".repeat(199), "b".repeat(150)];
    let contexts = ["c".repeat(500), "d".repeat(512)];
    let done = AtomicBool::new(false);
    let stamp = Stamp { realtime_ns: 1, tid: 1 };
    let write = |turn: usize| {
        let recorder = shared.recorder();
        assert_eq!(recorder.tag(stamp, b"key", values[turn % 2].as_bytes()), Outcome::Written);
        assert_eq!(recorder.context(stamp, b"s", b"key", contexts[turn % 2].as_bytes()), Outcome::Written);
    };
    write(0);
    let (seen, missed) = thread::scope(|scope| {
        scope.spawn(|| {
            (0..).take_while(|_| !done.load(Ordering::Relaxed)).for_each(write);
        });
        let memory = File::open("/proc/self/mem").unwrap();
        let mut seen = HashSet::new();
        let mut missed = 0;
        for _ in 0..COPIES {
            let bytes = copy_live(shared, &memory);
            let snapshot = Snapshot::read(&bytes).unwrap();
            let found: Vec<_> =
                snapshot.tags().chain(snapshot.contexts()).map(|entry| entry.value.to_vec()).collect();
            missed += 2 - found.len();
            seen.extend(found);
        }
        done.store(true, Ordering::Relaxed);
        (seen, missed)
    });
    let whole: HashSet<_> = values.iter().chain(&contexts).map(|value| value.as_bytes().to_vec()).collect();
    assert_eq!(seen, whole);
    println!("{missed} of {} looks found both slots torn", 2 * COPIES);
    assert!(missed * 20 <= COPIES, "{missed} looks found nothing");
}
