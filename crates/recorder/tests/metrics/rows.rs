//! Rows of threads that come and go: nothing is lost, nothing counted twice.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lifeboat_recorder::metrics::{Kind, ROWS, Refusal};

use crate::scene::{Scene, counter, label, wanted};

/// As an inlined increment does it.
fn add(scene: Scene, tid: u32, slot: u32, times: u64, has_ended: impl Fn(u32) -> bool) {
    match scene.metrics.row(tid, has_ended) {
        Some(row) => {
            // SAFETY: the slot lies within the row.
            let slot = unsafe { row.add(slot as usize) };
            for _ in 0..times {
                // SAFETY: this thread alone writes its row; a reader loads the word whole.
                let value = unsafe { slot.read_volatile() };
                // SAFETY: as above.
                unsafe { slot.write_volatile(value + 1) };
            }
        }
        None => (0..times).for_each(|_| scene.metrics.add_shared(slot, 1)),
    }
}

#[test]
fn threads_that_come_and_go_lose_nothing() {
    let scene = Scene::new(100);
    let slot = counter(&scene, "messages", &[]).unwrap().slot;
    // Eight at a time; a thread's number is 8 n + its place, and all of an earlier n have ended.
    for round in 0..50_u32 {
        thread::scope(|scope| {
            for place in 1..=8 {
                let has_ended = move |tid: u32| tid <= round * 8;
                scope.spawn(move || add(scene, round * 8 + place, slot, 1000, has_ended));
            }
        });
    }
    assert_eq!(scene.sum(slot), 50 * 8 * 1000);
    assert_eq!(scene.snapshot().rows_used, 8);
}

#[test]
fn a_thread_keeps_its_row() {
    let scene = Scene::new(10);
    let row = scene.metrics.row(7, |_| false).unwrap();
    assert_ne!(scene.metrics.row(8, |_| false).unwrap(), row);
    assert_eq!(scene.metrics.row(7, |_| true).unwrap(), row);
    assert_eq!(scene.metrics.row(9, |tid| tid == 7).unwrap(), row, "the row of one that has ended");
}

#[test]
fn more_threads_than_rows_share_one() {
    let scene = Scene::new(10);
    let slot = counter(&scene, "messages", &[]).unwrap().slot;
    for tid in 1..=ROWS as u32 + 5 {
        assert_eq!(scene.metrics.row(tid, |_| false).is_some(), tid <= ROWS as u32);
        add(scene, tid, slot, 3, |_| false);
    }
    assert_eq!(scene.sum(slot), 3 * (ROWS as u64 + 5));
}

#[test]
fn all_threads_get_the_same_slots() {
    let scene = Scene::new(2000);
    let start = Barrier::new(8);
    let slots: Vec<Vec<u32>> = thread::scope(|scope| {
        let register = || {
            start.wait();
            let of = |number: u32| {
                loop {
                    // One that is stopped while it registers makes the others ask again.
                    match counter(&scene, "m", &[label("n", &number.to_string())]) {
                        Err(Refusal::Busy) => thread::yield_now(),
                        found => return found.unwrap().slot,
                    }
                }
            };
            (0..1000).map(of).collect()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(register)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(slots.iter().all(|of_one| *of_one == slots[0]));
    let mut distinct = slots[0].clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 1000);
    assert_eq!(scene.series().len(), 1000);
}

#[test]
fn a_child_that_starts_while_its_parent_registers_has_each_series_once() {
    const SERIES: u32 = 2000;
    for round in 0..40_u64 {
        let (parent, child) = (Scene::new(SERIES), Scene::new(SERIES));
        let register = |scene: &Scene, number: u32| {
            let value = format!("{number:030}");
            counter(scene, &format!("m{}", number % 3), &[label("n", &value)]).unwrap()
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..SERIES {
                    register(&parent, number);
                }
            });
            while u64::from(parent.snapshot().series_used) < round * 40 {
                thread::yield_now();
            }
            child.metrics.take_over(parent.metrics, false);
        });
        let lost = (0..SERIES).filter(|number| register(&child, *number).is_overflow).count();
        let mut names: Vec<_> = child.series().into_iter().map(|(name, _)| name).collect();
        assert!(lost <= 1, "{lost} in round {round}");
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), child.shown()), (SERIES as usize - lost, names.len() as u64));
    }
}

#[test]
fn a_sum_never_goes_down() {
    let scene = Scene::new(10);
    let slot = counter(&scene, "messages", &[]).unwrap().slot;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20_u32 {
                add(scene, round + 1, slot, 20_000, |_| true);
            }
            is_over.store(true, Ordering::Release);
        });
        let mut last = 0;
        while !is_over.load(Ordering::Acquire) {
            let now = scene.sum(slot);
            assert!(now >= last);
            last = now;
        }
    });
    assert_eq!(scene.sum(slot), 400_000);
}

#[test]
fn gauges_are_one_slot_for_all() {
    let scene = Scene::new(10);
    let slot = scene.metrics.register(&wanted(Kind::Gauge, "peers", &[])).unwrap().slot;
    scene.metrics.set(slot, 5.0);
    let scene = &scene;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| scene.add_half(slot)));
        }
    });
    assert_eq!(f64::from_bits(scene.sum(slot)), 2005.0);
}
