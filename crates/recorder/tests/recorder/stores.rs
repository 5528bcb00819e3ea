//! What happens when a store is full: breadcrumbs run over the oldest, the rest find no room, and that is counted.

use std::sync::atomic::Ordering;

use lifeboat_recorder::{
    BREADCRUMBS, CONTEXTS, ERRORS, LAST_WORDS, Outcome, PANICS, RecordKind, Snapshot, TAGS,
};

use crate::scene::{STAMP, fresh, note, read};

fn tickets(snapshot: Snapshot<'_>) -> Vec<u64> {
    let mut tickets: Vec<_> = snapshot.errors().map(|error| error.ticket).collect();
    tickets.sort_unstable();
    tickets
}

#[test]
fn the_last_breadcrumbs_survive() {
    for left in [1, BREADCRUMBS, BREADCRUMBS + 1, 3 * BREADCRUMBS + 17] {
        let recorder = fresh();
        for number in 0..left {
            let message = format!("crumb {number}");
            assert_eq!(recorder.breadcrumb(STAMP, 1, b"", message.as_bytes()), Outcome::Written);
        }
        read(recorder, |snapshot| {
            let mut crumbs: Vec<_> = snapshot.breadcrumbs().collect();
            crumbs.sort_by_key(|crumb| crumb.ticket);
            let wanted = left.saturating_sub(BREADCRUMBS) as u64..left as u64;
            assert!(crumbs.iter().map(|crumb| crumb.ticket).eq(wanted), "{left}");
            let matches = |ticket: u64, message: &[u8]| format!("crumb {ticket}").as_bytes() == message;
            assert!(crumbs.iter().all(|crumb| matches(crumb.ticket, crumb.message)));
            assert_eq!(snapshot.control().breadcrumbs_next, left as u64);
            assert_eq!(snapshot.control().dropped, 0);
        });
    }
}

#[test]
fn full_entries_turn_new_keys_away_and_still_take_old_ones() {
    let recorder = fresh();
    let fill = |write: &dyn Fn(&[u8], &[u8]) -> Outcome, room: usize| {
        for number in 0..room {
            assert_eq!(write(format!("key {number}").as_bytes(), b"old"), Outcome::Written);
        }
        assert_eq!(write(b"one more", b"new"), Outcome::NoRoom);
        assert_eq!(write(b"key 5", b"new"), Outcome::Written);
    };
    fill(&|key, value| recorder.tag(STAMP, key, value), TAGS);
    fill(&|key, value| recorder.context(STAMP, b"section", key, value), CONTEXTS);
    read(recorder, |snapshot| {
        assert_eq!((snapshot.tags().count(), snapshot.contexts().count()), (TAGS, CONTEXTS));
        let newer: Vec<_> =
            snapshot.tags().chain(snapshot.contexts()).filter(|entry| entry.value == b"new").collect();
        assert!(newer.len() == 2 && newer.iter().all(|entry| entry.key == b"key 5"));
        assert_eq!(snapshot.control().dropped, 2);
    });
}

#[test]
fn the_newest_panics_are_kept() {
    let recorder = fresh();
    for number in 0..PANICS + 3 {
        assert_eq!(note(recorder, RecordKind::Panic, &format!("{number}")), Outcome::Written);
    }
    read(recorder, |snapshot| {
        let mut tickets: Vec<_> = snapshot.panics().map(|panic| panic.ticket).collect();
        tickets.sort_unstable();
        assert!(tickets.into_iter().eq(3..PANICS as u64 + 3));
        assert_eq!(snapshot.control().panics_next, PANICS as u64 + 3);
        assert_eq!(snapshot.last_words().count() + snapshot.errors().count(), 0);
    });
}

#[test]
fn the_first_last_words_are_kept() {
    let recorder = fresh();
    for number in 0..LAST_WORDS {
        assert_eq!(note(recorder, RecordKind::LastWords, &format!("{number}")), Outcome::Written);
    }
    assert_eq!(note(recorder, RecordKind::LastWords, "too late"), Outcome::NoRoom);
    read(recorder, |snapshot| {
        let mut messages: Vec<_> = snapshot.last_words().map(|words| words.message.to_vec()).collect();
        messages.sort();
        assert_eq!(messages, [b"0", b"1", b"2", b"3"]);
        assert_eq!((snapshot.control().dropped, snapshot.errors().count()), (1, 0));
    });
}

#[test]
fn errors_find_room_again_once_the_monitor_took_some() {
    let recorder = fresh();
    let full = ERRORS as u64;
    for _ in 0..full {
        assert_eq!(note(recorder, RecordKind::Error, "first"), Outcome::Written);
    }
    assert_eq!(note(recorder, RecordKind::Error, "none"), Outcome::NoRoom);
    recorder.control().errors_taken.store(2, Ordering::Release);
    assert_eq!(note(recorder, RecordKind::Error, "second"), Outcome::Written);
    assert_eq!(note(recorder, RecordKind::Error, "second"), Outcome::Written);
    assert_eq!(note(recorder, RecordKind::Error, "none"), Outcome::NoRoom);
    read(recorder, |snapshot| {
        assert_eq!(tickets(snapshot), (2..full + 2).collect::<Vec<_>>());
        assert!(snapshot.errors().all(|error| (error.message == b"second") == (error.ticket >= full)));
        let control = snapshot.control();
        assert_eq!((control.errors_next, control.errors_taken, control.dropped), (full + 2, 2, 2));
    });
}

#[test]
fn a_monitor_that_took_more_than_there_was_gets_nothing_overwritten() {
    let recorder = fresh();
    assert_eq!(note(recorder, RecordKind::Error, "kept"), Outcome::Written);
    recorder.control().errors_taken.store(9, Ordering::Release);
    assert_eq!(note(recorder, RecordKind::Error, "lost"), Outcome::NoRoom);
    read(recorder, |snapshot| assert_eq!(tickets(snapshot), [0]));
}
