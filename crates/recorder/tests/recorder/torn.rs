//! A writer that is stopped in the middle, and one that meets itself: what is torn is not shown, nobody waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use lifeboat_recorder::{BREADCRUMBS, ERRORS, FrameText, Outcome, Record, RecordKind, Recorder, Setting};

use crate::scene::{self, STAMP, copy, frame, fresh, item, lived_in, note, read, stop_writer, word};

const RECORD: Record<'_> = Record { level: 4, origin: 0, kind: b"IOError", message: b"half" };

/// Within a tag's entry: which slot counts, who writes, and the two slots.
const CURRENT: usize = 8;
const WRITER: usize = 12;
const FIRST_SLOT: usize = 16;
const SECOND_SLOT: usize = 16 + 376;

#[test]
fn a_slot_in_mid_write_is_passed_over_and_turned_away() {
    let recorder = lived_in();
    stop_writer(recorder, scene::SETTINGS, Setting::App as usize);
    stop_writer(recorder, scene::BREADCRUMBS, 1);
    stop_writer(recorder, scene::LAST_WORDS_SECTION, 0);
    stop_writer(recorder, scene::ERRORS_SECTION, 3);
    read(recorder, |snapshot| {
        assert_eq!(snapshot.setting(Setting::App), None);
        assert!(snapshot.breadcrumbs().map(|crumb| crumb.ticket).eq([0, 2]));
        assert!(snapshot.last_words().map(|words| words.ticket).eq(1..4));
        assert!(snapshot.errors().map(|error| error.ticket).eq([0, 1, 2, 4, 5, 6, 7]));
    });
    assert_eq!(recorder.setting(Setting::App, b"again"), Outcome::Busy);
    let around = (0..BREADCRUMBS).map(|_| recorder.breadcrumb(STAMP, 1, b"", b"around"));
    assert_eq!(around.filter(|outcome| *outcome == Outcome::Busy).count(), 1);
    read(recorder, |snapshot| {
        assert_eq!((snapshot.control().dropped, snapshot.breadcrumbs().count()), (2, BREADCRUMBS - 1));
    });
}

#[test]
fn a_record_whose_writer_unwinds_is_not_shown() {
    let recorder = fresh();
    let frames =
        std::iter::from_fn(|| -> Option<FrameText<'static>> { std::panic::resume_unwind(Box::new(())) });
    let stopped =
        catch_unwind(AssertUnwindSafe(|| recorder.record(RecordKind::Error, STAMP, RECORD, frames)));
    assert!(stopped.is_err());
    assert_eq!(note(recorder, RecordKind::Error, "whole"), Outcome::Written);
    read(recorder, |snapshot| {
        assert!(snapshot.errors().map(|error| (error.ticket, error.message)).eq([(1, &b"whole"[..])]));
    });
}

/// Writes one error; while its slot is claimed `inside` runs, as a signal handler of the same thread would.
fn interrupted(recorder: Recorder, inside: impl FnOnce()) -> Outcome {
    let mut inside = Some(inside);
    let frames = std::iter::from_fn(|| {
        inside.take().map(|run| {
            run();
            frame("main", 1)
        })
    });
    recorder.record(RecordKind::Error, STAMP, RECORD, frames)
}

#[test]
fn a_handler_may_write_everything_that_its_thread_is_not_writing() {
    let recorder = fresh();
    let outcome = interrupted(recorder, || {
        assert_eq!(note(recorder, RecordKind::Error, "inner"), Outcome::Written);
        assert_eq!(note(recorder, RecordKind::LastWords, "inner"), Outcome::Written);
        assert_eq!(recorder.breadcrumb(STAMP, 1, b"", b"inner"), Outcome::Written);
        assert_eq!(recorder.tag(STAMP, b"key", b"inner"), Outcome::Written);
        read(recorder, |snapshot| assert!(snapshot.errors().map(|error| error.ticket).eq([1])));
    });
    assert_eq!(outcome, Outcome::Written);
    read(recorder, |snapshot| {
        assert_eq!((snapshot.errors().count(), snapshot.last_words().count()), (2, 1));
        assert_eq!((snapshot.breadcrumbs().count(), snapshot.tags().count()), (1, 1));
        assert_eq!(snapshot.control().dropped, 0);
    });
}

#[test]
fn a_handler_is_turned_away_from_the_very_slot_that_it_interrupted() {
    let recorder = fresh();
    let outcome = interrupted(recorder, || {
        for _ in 1..ERRORS {
            assert_eq!(note(recorder, RecordKind::Error, "inner"), Outcome::Written);
        }
        recorder.control().errors_taken.store(1, Ordering::Release);
        assert_eq!(note(recorder, RecordKind::Error, "around"), Outcome::Busy);
    });
    assert_eq!(outcome, Outcome::Written);
    read(recorder, |snapshot| {
        assert_eq!(snapshot.errors().find(|error| error.ticket == 0).unwrap().message, RECORD.message);
        assert_eq!((snapshot.errors().count(), snapshot.control().dropped), (ERRORS, 1));
    });
}

#[test]
fn a_tag_that_somebody_writes_is_busy_and_keeps_its_value() {
    let recorder = fresh();
    assert_eq!(recorder.tag(STAMP, b"key", b"old"), Outcome::Written);
    let entry = item(&copy(recorder), scene::TAGS, 0);
    word(recorder, entry + WRITER).store(STAMP.tid, Ordering::Relaxed);
    assert_eq!(recorder.tag(STAMP, b"key", b"new"), Outcome::Busy);
    assert_eq!(recorder.tag(STAMP, b"other", b"free"), Outcome::Written);
    word(recorder, entry + WRITER).store(0, Ordering::Relaxed);
    let value = || read(recorder, |snapshot| snapshot.tags().next().map(|tag| tag.value.to_vec()));
    assert_eq!(value().unwrap(), b"old");
    assert_eq!(recorder.tag(STAMP, b"key", b"new"), Outcome::Written);
    assert_eq!(value().unwrap(), b"new");
    assert_eq!(recorder.control().dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_tag_whose_newer_slot_is_torn_shows_the_older_value() {
    let recorder = fresh();
    for value in ["first", "second"] {
        assert_eq!(recorder.tag(STAMP, b"key", value.as_bytes()), Outcome::Written);
    }
    let entry = item(&copy(recorder), scene::TAGS, 0);
    let value = || read(recorder, |snapshot| snapshot.tags().next().map(|tag| tag.value.to_vec()));
    let (current, newer) = (word(recorder, entry + CURRENT), word(recorder, entry + SECOND_SLOT));
    assert_eq!(current.load(Ordering::Relaxed), 2);
    newer.fetch_or(1, Ordering::Relaxed);
    assert_eq!(value().unwrap(), b"first");
    word(recorder, entry + FIRST_SLOT).fetch_or(1, Ordering::Relaxed);
    assert_eq!(value(), None);
    newer.fetch_and(!1, Ordering::Relaxed);
    assert_eq!(value().unwrap(), b"second");
    word(recorder, entry + FIRST_SLOT).fetch_and(!1, Ordering::Relaxed);
    current.store(0, Ordering::Relaxed);
    assert_eq!(value(), None, "a value that nobody has put in force");
}

#[test]
fn a_slot_is_written_on_when_its_count_of_writes_wraps() {
    let recorder = fresh();
    let slot = item(&copy(recorder), scene::SETTINGS, 0);
    word(recorder, slot).store(u32::MAX - 1, Ordering::Relaxed);
    for text in ["at the border", "behind it"] {
        assert_eq!(recorder.setting(Setting::App, text.as_bytes()), Outcome::Written);
        read(recorder, |snapshot| assert_eq!(snapshot.setting(Setting::App), Some(text.as_bytes())));
    }
}
