//! Looks at everything that a snapshot shows, and holds each piece against the bound that its reader relies on.

use std::hint::black_box;

use lifeboat_recorder::{
    BREADCRUMBS, CONTEXTS, ERRORS, EntryView, FRAMES_MAX, LAST_WORDS, MAPS_BYTES, REGISTERS_MAX, RecordView,
    STACK_BYTES, Setting, Snapshot, TAGS,
};

/// A store of a later version may be this many times larger.
const LARGER_MAX: usize = 4;

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

/// Walks through a copy of a recorder; panics where a bound does not hold.
pub fn walk(bytes: &[u8]) {
    let snapshot = match Snapshot::read(bytes) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    black_box(snapshot.control());
    for setting in SETTINGS {
        assert!(snapshot.setting(setting).is_none_or(|text| !text.is_empty()));
    }
    assert!(snapshot.tags().map(entry).count() <= LARGER_MAX * TAGS);
    assert!(snapshot.contexts().map(entry).count() <= LARGER_MAX * CONTEXTS);
    let crumbs = snapshot.breadcrumbs().map(|crumb| length([crumb.category, crumb.message]));
    assert!(crumbs.map(black_box).count() <= LARGER_MAX * BREADCRUMBS);
    assert!(snapshot.last_words().map(record).count() <= LARGER_MAX * LAST_WORDS);
    assert!(snapshot.errors().map(record).count() <= LARGER_MAX * ERRORS);
    let Some(death) = snapshot.death() else { return };
    assert!(death.registers.values().len() <= REGISTERS_MAX);
    assert!(death.stack.len() <= STACK_BYTES && death.maps.len() <= MAPS_BYTES);
    black_box(length([death.stack, death.maps]));
}

fn entry(entry: EntryView<'_>) {
    black_box(length([entry.section, entry.key, entry.value]));
}

fn record(record: RecordView<'_>) {
    black_box(length([record.kind, record.message]));
    let frames: Vec<_> = record.frames().map(|frame| length([frame.function, frame.file])).collect();
    assert!(black_box(frames).len() <= FRAMES_MAX);
}

/// Touches every byte.
fn length<const N: usize>(texts: [&[u8]; N]) -> usize {
    texts.iter().flat_map(|text| text.iter()).filter(|byte| **byte != 0).count()
}
