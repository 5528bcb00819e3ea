//! Components and heartbeats: what was said last, since when, and what a torn or hostile copy shows.

use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_recorder::{
    COMPONENTS, HEALTH_NAME_MAX, HEARTBEATS, Health, Outcome, RECORDER_BYTES, Recorder, Stamp,
    component_state,
};

use crate::scene::{Shared, copy, fresh, item, read, word};

const COMPONENTS_SECTION: u32 = 10;
const HEARTBEATS_SECTION: u32 = 11;
/// Within a component's entry: which slot counts, and the two slots.
const CURRENT: usize = 8;
const FIRST_SLOT: usize = 40;
const SECOND_SLOT: usize = FIRST_SLOT + 392;

fn say(recorder: Recorder, second: u64, name: &str, state: i32, detail: &str) -> Outcome {
    let stamp = Stamp { realtime_ns: 1_000_000 + second, tid: 7 };
    recorder.health(stamp, second, name.as_bytes(), state, detail.as_bytes())
}

/// Name, state, since (boot and 1970), detail.
fn components(recorder: Recorder) -> Vec<(String, i32, u64, u64, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    read(recorder, |snapshot| {
        let all = snapshot.health().unwrap().components().map(|one| {
            let since = (one.since_boottime_ns, one.since_realtime_ns);
            (text(one.name), one.state, since.0, since.1, text(one.detail))
        });
        all.collect()
    })
}

#[test]
fn a_component_is_since_its_last_change_of_state() {
    let recorder = fresh();
    assert!(components(recorder).is_empty());
    let said = [
        (10, "store", component_state::OK, ""),
        (11, "peers", component_state::DEGRADED, "2 peers"),
        (12, "peers", component_state::DEGRADED, "1 peer"),
        (13, "store", component_state::FAILING, "disk full"),
        (14, "store", 99, "?"),
    ];
    for (second, name, state, detail) in said {
        assert_eq!(say(recorder, second, name, state, detail), Outcome::Written);
    }
    let expected = [
        ("store".into(), component_state::UNKNOWN, 14, 1_000_014, "?".into()),
        ("peers".into(), component_state::DEGRADED, 11, 1_000_011, "1 peer".into()),
    ];
    assert_eq!(components(recorder), expected);
}

#[test]
fn a_name_that_does_not_fit_is_refused_and_counted() {
    let recorder = fresh();
    let (fits, long) = ("n".repeat(HEALTH_NAME_MAX), "n".repeat(HEALTH_NAME_MAX + 1));
    for name in [&long[..], ""] {
        assert_eq!(say(recorder, 1, name, 0, ""), Outcome::Invalid);
        assert_eq!(recorder.heartbeat(1, 7, name.as_bytes(), 5), Outcome::Invalid);
    }
    assert_eq!(say(recorder, 1, &fits, 0, &"é".repeat(500)), Outcome::Written);
    assert_eq!(recorder.heartbeat(1, 7, fits.as_bytes(), 5), Outcome::Written);
    assert_eq!(recorder.control().dropped.load(Ordering::Relaxed), 4);
    let [(name, .., detail)] = &components(recorder)[..] else { panic!("one") };
    assert!(*name == fits && detail.ends_with('…') && detail.len() <= 256);
}

#[test]
fn past_the_room_there_is_none_and_what_is_there_stays() {
    let recorder = fresh();
    for number in 0..COMPONENTS.max(HEARTBEATS) {
        let name = format!("name {number}");
        assert_eq!(say(recorder, 1, &name, 0, ""), Outcome::Written);
        assert_eq!(recorder.heartbeat(1, 7, name.as_bytes(), 5), Outcome::Written);
    }
    assert_eq!(say(recorder, 2, "one more", 0, ""), Outcome::NoRoom);
    assert_eq!(recorder.heartbeat(2, 7, b"one more", 5), Outcome::NoRoom);
    assert_eq!(say(recorder, 2, "name 3", 1, ""), Outcome::Written);
    assert_eq!(recorder.heartbeat(2, 7, b"name 3", 5), Outcome::Written);
    assert_eq!(components(recorder).len(), COMPONENTS);
    assert_eq!(recorder.control().dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn a_component_whose_newer_slot_is_torn_shows_what_was_said_before() {
    let recorder = fresh();
    assert_eq!(say(recorder, 1, "store", component_state::OK, "before"), Outcome::Written);
    assert_eq!(say(recorder, 2, "store", component_state::FAILING, "after"), Outcome::Written);
    let entry = item(&copy(recorder), COMPONENTS_SECTION, 0);
    assert_eq!(word(recorder, entry + CURRENT).load(Ordering::Relaxed), 2);
    word(recorder, entry + SECOND_SLOT).fetch_or(1, Ordering::Relaxed);
    assert_eq!(components(recorder)[0].4, "before");
    word(recorder, entry + FIRST_SLOT).fetch_or(1, Ordering::Relaxed);
    assert!(components(recorder).is_empty());
    word(recorder, entry + SECOND_SLOT).fetch_and(!1, Ordering::Relaxed);
    word(recorder, entry + SECOND_SLOT + 20).fetch_xor(1, Ordering::Relaxed);
    assert!(components(recorder).is_empty(), "a changed byte is no record");
}

#[test]
fn a_heartbeat_is_the_last_one() {
    let recorder = fresh();
    let beats = || {
        read(recorder, |snapshot| {
            let all = snapshot.health().unwrap().heartbeats();
            let mut all: Vec<_> = all
                .map(|it| {
                    let late = [100, 5_000_101, u64::MAX].map(|now| it.is_overdue(now));
                    (it.name.to_vec(), it.deadline_ms, it.last_boottime_ns, it.count, it.tid, late)
                })
                .collect();
            all.sort();
            all
        })
    };
    assert!(beats().is_empty());
    for (now, deadline_ms) in [(50, 9), (100, 5)] {
        assert_eq!(recorder.heartbeat(now, 7, b"event-loop", deadline_ms), Outcome::Written);
    }
    assert_eq!(recorder.heartbeat(60, 8, b"gossip", 0), Outcome::Written);
    let expected = [
        (b"event-loop".to_vec(), 5, 100, 2, 7, [false, true, true]),
        (b"gossip".to_vec(), 0, 60, 1, 8, [false, false, false]),
    ];
    assert_eq!(beats(), expected);
    let entry = (0..HEARTBEATS).map(|index| item(&copy(recorder), HEARTBEATS_SECTION, index));
    let named = |at: &usize| word(recorder, at + 8).swap(0, Ordering::Relaxed) == 1;
    assert_eq!(entry.filter(named).count(), 2);
    assert!(beats().is_empty(), "names that are being written");
}

/// A loop rests and begins anew a million times, an hour apart, while another thread looks.
#[test]
fn a_new_deadline_comes_with_its_beat() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let recorder = Shared(fresh());
    let now_ns = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for hour in 1..1_000_000 {
                now_ns.store(hour * HOUR_NS, Ordering::Release);
                for deadline_ms in [5, 0] {
                    let _ = recorder.recorder().heartbeat(hour * HOUR_NS, 7, b"event-loop", deadline_ms);
                }
            }
        });
        while !writer.is_finished() {
            assert!(!recorder.recorder().has_overdue_heartbeat(now_ns.load(Ordering::Acquire)));
        }
    });
}

#[test]
fn many_threads_beat_at_once() {
    let recorder = Shared(fresh());
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            scope.spawn(move || {
                for beat in 1..50_u64 {
                    for name in 0..8 {
                        let name = format!("loop {name}");
                        let outcome = recorder.recorder().heartbeat(beat, thread, name.as_bytes(), 5);
                        assert_eq!(outcome, Outcome::Written);
                    }
                }
            });
        }
    });
    read(recorder.recorder(), |snapshot| {
        let mut names: Vec<_> =
            snapshot.health().unwrap().heartbeats().map(|beat| beat.name.to_vec()).collect();
        names.sort();
        assert!(names.into_iter().eq((0..8).map(|name| format!("loop {name}").into_bytes())));
    });
}

#[test]
fn a_part_of_a_copy_shows_the_same() {
    let recorder = fresh();
    assert_eq!(say(recorder, 1, "store", component_state::OK, ""), Outcome::Written);
    assert_eq!(recorder.heartbeat(1, 7, b"event-loop", 5), Outcome::Written);
    let mut whole = copy(recorder);
    let (start, size) = Health::range(&whole[..Health::HEAD_BYTES]).unwrap();
    assert!(start + size <= RECORDER_BYTES && size < RECORDER_BYTES / 8);
    let part = whole[start..start + size].to_vec();
    let health = Health::read(&whole[..Health::HEAD_BYTES], &part).unwrap();
    assert_eq!((health.components().count(), health.heartbeats().count()), (1, 1));
    let cut = Health::read(&whole[..Health::HEAD_BYTES], &part[..100]).unwrap();
    assert_eq!((cut.components().count(), cut.heartbeats().count()), (0, 0));
    // The table's entries of the two sections: any byte may be anything.
    for at in 32 + 9 * 24..32 + 11 * 24 {
        for value in [0, 1, 7, 0x7F, 0xFF] {
            let before = std::mem::replace(&mut whole[at], value);
            if let Some((_, size)) = Health::range(&whole) {
                assert!(size <= RECORDER_BYTES);
                let health = Health::read(&whole, &part).unwrap();
                assert!(health.components().count() <= 4 * COMPONENTS);
                assert!(health.heartbeats().count() <= 4 * HEARTBEATS);
            }
            whole[at] = before;
        }
    }
}
