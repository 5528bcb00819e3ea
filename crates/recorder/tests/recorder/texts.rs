//! What is written is read: every kind of record, every field; what is too long is cut with a mark that shows.

use lifeboat_recorder::{
    BREADCRUMB_CATEGORY_MAX, BREADCRUMB_MESSAGE_MAX, CONTEXT_VALUE_MAX, FRAME_TEXT_MAX, FRAMES_MAX, KEY_MAX,
    Outcome, RECORD_KIND_MAX, RECORD_MESSAGE_MAX, Record, RecordKind, Recorder, SETTING_MAX, Setting,
    Snapshot, TAG_VALUE_MAX,
};

use crate::scene::{STAMP, copy, frame, fresh, read};

const SETTINGS: [Setting; 10] = [
    Setting::App,
    Setting::Version,
    Setting::Release,
    Setting::Commit,
    Setting::Environment,
    Setting::Fleet,
    Setting::Node,
    Setting::Dsn,
    Setting::StateDir,
    Setting::Reporter,
];

#[test]
fn a_fresh_recorder_is_empty() {
    let bytes = copy(fresh());
    let snapshot = Snapshot::read(&bytes).unwrap();
    assert!(crate::scene::walk(&snapshot).is_empty());
    assert!(snapshot.death().is_none());
    assert_eq!((snapshot.control().pid, snapshot.control().dropped), (0, 0));
}

#[test]
fn every_setting_is_read_back_and_an_empty_one_is_none() {
    let recorder = fresh();
    for setting in SETTINGS {
        let text = format!("{setting:?}");
        assert_eq!(recorder.setting(setting, text.as_bytes()), Outcome::Written);
    }
    assert_eq!(recorder.setting(Setting::Node, b""), Outcome::Written);
    read(recorder, |snapshot| {
        for setting in SETTINGS {
            let text = format!("{setting:?}");
            let wanted = (setting != Setting::Node).then_some(text.as_bytes());
            assert_eq!(snapshot.setting(setting), wanted, "{setting:?}");
        }
    });
}

#[test]
fn tags_and_contexts_keep_their_order_and_their_last_value() {
    let recorder = fresh();
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"), ("empty", "")] {
        assert_eq!(recorder.tag(STAMP, key.as_bytes(), value.as_bytes()), Outcome::Written);
        assert_eq!(recorder.context(STAMP, b"one", key.as_bytes(), value.as_bytes()), Outcome::Written);
    }
    // The same key in another section is another value.
    assert_eq!(recorder.context(STAMP, b"two", b"a", b"5"), Outcome::Written);
    read(recorder, |snapshot| {
        let tags: Vec<_> = snapshot.tags().map(|tag| (tag.section, tag.key, tag.value)).collect();
        let values: [(&[u8], &[u8]); 3] = [(b"a", b"4"), (b"b", b"2"), (b"empty", b"")];
        assert_eq!(tags, values.map(|(key, value)| (&b""[..], key, value)));
        let contexts: Vec<_> =
            snapshot.contexts().map(|entry| (entry.section, entry.key, entry.value)).collect();
        assert_eq!(contexts[..3], values.map(|(key, value)| (&b"one"[..], key, value)));
        assert_eq!(contexts[3..], [(&b"two"[..], &b"a"[..], &b"5"[..])]);
        assert!(
            snapshot.tags().chain(snapshot.contexts()).all(|entry| entry.realtime_ns == STAMP.realtime_ns)
        );
    });
}

#[test]
fn a_breadcrumb_is_read_back_whole() {
    let recorder = fresh();
    assert_eq!(recorder.breadcrumb(STAMP, 3, b"p2p", "grüße\0\u{1F6DF}".as_bytes()), Outcome::Written);
    read(recorder, |snapshot| {
        let crumb = snapshot.breadcrumbs().next().unwrap();
        assert_eq!((crumb.ticket, crumb.level, crumb.tid), (0, 3, STAMP.tid));
        assert_eq!(crumb.realtime_ns, STAMP.realtime_ns);
        assert_eq!((crumb.category, crumb.message), (&b"p2p"[..], "grüße\0\u{1F6DF}".as_bytes()));
        assert_eq!(snapshot.breadcrumbs().count(), 1);
    });
}

#[test]
fn an_error_and_last_words_are_read_back_with_their_frames() {
    for kind in [RecordKind::Error, RecordKind::LastWords, RecordKind::Panic] {
        let recorder = fresh();
        let record = Record { level: 5, origin: 0, kind: b"ResultDefect", message: b"it was empty" };
        let frames = [frame("inner", 10), frame("outer", 20)];
        assert_eq!(recorder.record(kind, STAMP, record, frames.into_iter()), Outcome::Written);
        read(recorder, |snapshot| {
            let mut records: Vec<_> = match kind {
                RecordKind::Error => snapshot.errors().collect(),
                RecordKind::LastWords => snapshot.last_words().collect(),
                RecordKind::Panic => snapshot.panics().collect(),
            };
            let found = records.pop().unwrap();
            assert!(
                records.is_empty()
                    && snapshot.errors().chain(snapshot.last_words()).chain(snapshot.panics()).count() == 1
            );
            assert_eq!((found.ticket, found.realtime_ns), (0, STAMP.realtime_ns));
            assert_eq!((found.tid, found.level), (STAMP.tid, 5));
            assert_eq!((found.kind, found.message), (record.kind, record.message));
            let lines: Vec<_> = found.frames().map(|frame| (frame.function, frame.line)).collect();
            assert_eq!(lines, [(&b"inner"[..], 10), (&b"outer"[..], 20)]);
            let first = found.frames().next().unwrap();
            assert_eq!((first.file, first.column, first.address), (&b"src/node.nim"[..], 7, 0x40_1000));
        });
    }
}

#[test]
fn the_largest_record_keeps_all_its_frames_and_no_more() {
    let recorder = fresh();
    let long = "n".repeat(2 * RECORD_MESSAGE_MAX);
    let record = Record { level: 5, origin: 0, kind: long.as_bytes(), message: long.as_bytes() };
    let frame = lifeboat_recorder::FrameText {
        function: long.as_bytes(),
        file: long.as_bytes(),
        line: u32::MAX,
        column: u32::MAX,
        address: u64::MAX,
    };
    let frames = std::iter::repeat_n(frame, FRAMES_MAX + 5);
    assert_eq!(recorder.record(RecordKind::Error, STAMP, record, frames), Outcome::Written);
    read(recorder, |snapshot| {
        let error = snapshot.errors().next().unwrap();
        assert_eq!((error.kind.len(), error.message.len()), (RECORD_KIND_MAX, RECORD_MESSAGE_MAX));
        assert_eq!(error.frames().count(), FRAMES_MAX);
        assert!(error.frames().all(|frame| frame.line == u32::MAX && frame.file.len() == FRAME_TEXT_MAX));
    });
}

/// Writes a text into one field, and reads that field back.
struct Field {
    name: &'static str,
    max: usize,
    write: fn(Recorder, &[u8]) -> Outcome,
    read: for<'a> fn(Snapshot<'a>) -> &'a [u8],
}

const fn record(kind: &[u8]) -> Record<'_> {
    Record { level: 1, origin: 0, kind, message: b"" }
}

const FIELDS: &[Field] = &[
    Field {
        name: "setting",
        max: SETTING_MAX,
        write: |recorder, text| recorder.setting(Setting::App, text),
        read: |snapshot| snapshot.setting(Setting::App).unwrap(),
    },
    Field {
        name: "key",
        max: KEY_MAX,
        write: |recorder, text| recorder.tag(STAMP, text, b"value"),
        read: |snapshot| snapshot.tags().next().unwrap().key,
    },
    Field {
        name: "tag",
        max: TAG_VALUE_MAX,
        write: |recorder, text| recorder.tag(STAMP, b"key", text),
        read: |snapshot| snapshot.tags().next().unwrap().value,
    },
    Field {
        name: "section",
        max: KEY_MAX,
        write: |recorder, text| recorder.context(STAMP, text, b"key", b"value"),
        read: |snapshot| snapshot.contexts().next().unwrap().section,
    },
    Field {
        name: "context",
        max: CONTEXT_VALUE_MAX,
        write: |recorder, text| recorder.context(STAMP, b"section", b"key", text),
        read: |snapshot| snapshot.contexts().next().unwrap().value,
    },
    Field {
        name: "category",
        max: BREADCRUMB_CATEGORY_MAX,
        write: |recorder, text| recorder.breadcrumb(STAMP, 1, text, b""),
        read: |snapshot| snapshot.breadcrumbs().next().unwrap().category,
    },
    Field {
        name: "message",
        max: BREADCRUMB_MESSAGE_MAX,
        write: |recorder, text| recorder.breadcrumb(STAMP, 1, b"", text),
        read: |snapshot| snapshot.breadcrumbs().next().unwrap().message,
    },
    Field {
        name: "type",
        max: RECORD_KIND_MAX,
        write: |recorder, text| recorder.record(RecordKind::Error, STAMP, record(text), [].into_iter()),
        read: |snapshot| snapshot.errors().next().unwrap().kind,
    },
    Field {
        name: "function",
        max: FRAME_TEXT_MAX,
        write: |recorder, text| {
            let frame = lifeboat_recorder::FrameText { function: text, ..frame("", 1) };
            recorder.record(RecordKind::LastWords, STAMP, record(b""), [frame].into_iter())
        },
        read: |snapshot| snapshot.last_words().next().unwrap().frames().next().unwrap().function,
    },
];

fn check(field: &Field, text: &[u8], kept: usize) {
    let recorder = fresh();
    assert_eq!((field.write)(recorder, text), Outcome::Written);
    let bytes = copy(recorder);
    let found = (field.read)(Snapshot::read(&bytes).unwrap());
    let mark = if kept < text.len() { "…".as_bytes() } else { b"" };
    let name = field.name;
    assert_eq!(found.len(), kept + mark.len(), "{name}: {}", String::from_utf8_lossy(found));
    assert!(found.starts_with(&text[..kept]) && found.ends_with(mark), "{name}");
    assert!(found.len() <= field.max, "{name}");
}

#[test]
fn what_is_too_long_is_cut_at_a_character_and_marked() {
    for field in FIELDS {
        let room = field.max - "…".len();
        check(field, "x".repeat(field.max).as_bytes(), field.max);
        check(field, "x".repeat(field.max + 1).as_bytes(), room);
        // Each of the characters straddles the border at every offset that it can.
        for character in ["ü", "€", "\u{1F6DF}"] {
            for before in 1..=character.len() {
                let text = format!("{}{}", "x".repeat(room - before), character.repeat(20));
                let kept = if before == character.len() { room } else { room - before };
                check(field, text.as_bytes(), kept);
            }
        }
        // No UTF-8 at all: nothing to be careful about.
        check(field, &[0x80].repeat(field.max + 1), room);
        check(field, &[0xFF].repeat(field.max + 1), room);
        check(field, &[b"x", [0x80].repeat(field.max).as_slice()].concat(), room);
    }
}
