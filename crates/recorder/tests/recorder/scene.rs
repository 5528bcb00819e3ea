//! A recorder in memory of its own, a copy of it, and hands that reach where the API does not.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use lifeboat_recorder::{
    ERRORS, FrameText, LAST_WORDS, Outcome, RECORDER_BYTES, Record, RecordKind, Recorder, Snapshot, Stamp,
};

/// The sections' numbers in the file.
pub(crate) const SETTINGS: u32 = 2;
pub(crate) const TAGS: u32 = 3;
pub(crate) const BREADCRUMBS: u32 = 5;
pub(crate) const LAST_WORDS_SECTION: u32 = 6;
pub(crate) const ERRORS_SECTION: u32 = 7;

pub(crate) const STAMP: Stamp = Stamp { realtime_ns: 1_700_000_000_123_456_789, tid: 77 };

/// Where the header's table of sections starts, and how long one entry is.
const TABLE: usize = 32;
const TABLE_ENTRY: usize = 24;

/// A recorder lives as long as its process: kept here, so that no leak checker objects.
struct Kept(#[expect(dead_code, reason = "held, never read")] NonNull<u8>);
// SAFETY: the pointer is only kept, nobody follows it.
unsafe impl Send for Kept {}
static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// A recorder that several threads write.
#[derive(Clone, Copy)]
pub(crate) struct Shared(pub(crate) Recorder);
// SAFETY: a recorder is made for many threads: its writers claim each place before they write it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The recorder; a method, so that a closure takes all of `self` along.
    pub(crate) const fn recorder(&self) -> Recorder {
        self.0
    }
}

pub(crate) fn fresh() -> Recorder {
    let layout = Layout::from_size_align(RECORDER_BYTES, 4096).unwrap();
    // SAFETY: the size is not zero.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    KEPT.lock().unwrap().push(Kept(base));
    // SAFETY: aligned, zeroed, large enough, never freed, and handed to nobody else.
    unsafe { Recorder::format(base) }
}

/// A copy of a recorder that nobody writes meanwhile.
pub(crate) fn copy(recorder: Recorder) -> Vec<u8> {
    let mut bytes = vec![0; RECORDER_BYTES];
    // SAFETY: both are `RECORDER_BYTES` long and lie apart.
    unsafe { std::ptr::copy_nonoverlapping(recorder.base().as_ptr(), bytes.as_mut_ptr(), RECORDER_BYTES) };
    bytes
}

/// Reads a copy; the closure answers what it wants to keep.
pub(crate) fn read<T>(recorder: Recorder, look: impl FnOnce(Snapshot<'_>) -> T) -> T {
    look(Snapshot::read(&copy(recorder)).unwrap())
}

/// A word of the recorder at an offset, past all of the API.
pub(crate) fn word(recorder: Recorder, offset: usize) -> &'static AtomicU32 {
    assert!(offset.is_multiple_of(4) && offset + 4 <= RECORDER_BYTES);
    // SAFETY: checked against the recorder's size above.
    let at = unsafe { recorder.base().add(offset) };
    // SAFETY: aligned, valid for the life of the process, and used as an atomic only.
    unsafe { AtomicU32::from_ptr(at.cast().as_ptr()) }
}

/// Where the n-th item of a section starts, by the file's own table.
pub(crate) fn item(bytes: &[u8], kind: u32, index: usize) -> usize {
    let entries = bytes[TABLE..].chunks_exact(TABLE_ENTRY).take(11);
    let entry = entries.into_iter().find(|entry| entry.starts_with(&kind.to_le_bytes())).unwrap();
    let number = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap()) as usize;
    number(8) + index * number(16)
}

/// As if a writer had been stopped between claiming a slot and closing it.
pub(crate) fn stop_writer(recorder: Recorder, kind: u32, index: usize) {
    let state = word(recorder, item(&copy(recorder), kind, index));
    assert!(state.fetch_or(1, Ordering::Relaxed) & 1 == 0, "the slot was whole");
}

pub(crate) fn frame(function: &'static str, line: u32) -> FrameText<'static> {
    FrameText { function: function.as_bytes(), file: b"src/node.nim", line, column: 7, address: 0x40_1000 }
}

pub(crate) fn note(recorder: Recorder, kind: RecordKind, message: &str) -> Outcome {
    let record = Record { level: 4, origin: 0, kind: b"IOError", message: message.as_bytes() };
    recorder.record(kind, STAMP, record, [frame("main", 1)].into_iter())
}

/// Puts something into every store, as a node does in its life.
pub(crate) fn lived_in() -> Recorder {
    let recorder = fresh();
    let mut written = vec![recorder.setting(lifeboat_recorder::Setting::App, b"node")];
    for number in 0..3 {
        let text = format!("value {number}");
        written.push(recorder.tag(STAMP, format!("tag {number}").as_bytes(), text.as_bytes()));
        written.push(recorder.context(STAMP, b"chain", format!("key {number}").as_bytes(), text.as_bytes()));
        written.push(recorder.breadcrumb(STAMP, 2, b"p2p", text.as_bytes()));
        written.push(recorder.health(STAMP, 1, format!("part {number}").as_bytes(), number, text.as_bytes()));
    }
    written.push(recorder.tag(STAMP, b"tag 0", b"newer"));
    written.extend(
        (0..LAST_WORDS).map(|number| note(recorder, RecordKind::LastWords, &format!("last {number}"))),
    );
    written.extend((0..ERRORS).map(|number| note(recorder, RecordKind::Error, &format!("error {number}"))));
    assert!(written.iter().all(|outcome| *outcome == Outcome::Written));
    recorder
}

/// Looks at everything that a snapshot shows; the answer is every text in it, and how many views there were.
pub(crate) fn walk<'a>(snapshot: &Snapshot<'a>) -> Vec<&'a [u8]> {
    use lifeboat_recorder::Setting;
    let mut texts = Vec::new();
    let _ = snapshot.control();
    let settings = [Setting::App, Setting::Version, Setting::Release, Setting::Commit, Setting::Environment];
    let more = [Setting::Fleet, Setting::Node, Setting::Dsn, Setting::StateDir, Setting::Reporter];
    texts.extend(settings.into_iter().chain(more).filter_map(|setting| snapshot.setting(setting)));
    for entry in snapshot.tags().chain(snapshot.contexts()) {
        texts.extend([entry.section, entry.key, entry.value]);
    }
    texts.extend(snapshot.breadcrumbs().flat_map(|crumb| [crumb.category, crumb.message]));
    for record in snapshot.last_words().chain(snapshot.errors()) {
        texts.extend([record.kind, record.message]);
        texts.extend(record.frames().flat_map(|frame| [frame.function, frame.file]));
    }
    if let Some(health) = snapshot.health() {
        texts.extend(health.components().flat_map(|component| [component.name, component.detail]));
    }
    if let Some(death) = snapshot.death() {
        assert!(death.stack.len() <= lifeboat_recorder::STACK_BYTES);
        assert!(death.maps.len() <= lifeboat_recorder::MAPS_BYTES);
        assert!(death.registers.values().len() <= lifeboat_recorder::REGISTERS_MAX);
    }
    texts
}
