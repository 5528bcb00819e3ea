//! A recorder in ordinary memory, and the changes that a fuzzer's input describes.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use arbitrary::{Arbitrary, Unstructured};
use lifeboat_recorder::{
    Death, DeathStage, ERRORS, FrameText, LAST_WORDS, Outcome, RECORDER_BYTES, Record, RecordKind, Recorder,
    Setting, Stamp,
};

/// Where the header's table of sections starts, how long one entry is, and how many there are.
const TABLE: usize = 32;
const TABLE_ENTRY: usize = 24;
const SECTIONS: usize = 8;
/// What stands before a slot's payload: state, checksum, length, nothing.
const SLOT_HEAD: usize = 16;
/// What stands before the two slots of a tag or context.
const ENTRY_HEAD: usize = 16;

/// One change of the image.
#[derive(Debug, Arbitrary)]
enum Change<'a> {
    /// Bytes anywhere.
    Anywhere { offset: u32, bytes: &'a [u8] },
    /// Bytes in the header and its table of sections.
    Header { offset: u8, bytes: &'a [u8] },
    /// A number in the table of sections.
    Section { index: u8, field: u8, value: u64 },
    /// Bytes near the start of an item.
    Item { section: u8, index: u8, offset: u16, bytes: &'a [u8] },
    /// The payload of an item's slot, closed with the right checksum.
    Payload { section: u8, index: u8, second: bool, state: u32, payload: &'a [u8] },
    /// A change within the payload that is there, closed with the right checksum.
    Field { section: u8, index: u8, second: bool, offset: u16, value: u32 },
}

/// What the fuzzer's bytes mean.
#[derive(Debug)]
pub enum Input<'a> {
    /// They are the recorder.
    Raw(&'a [u8]),
    /// They change a whole one.
    Changes(Changes<'a>),
}

/// Changes of a whole recorder, and how much of it there is.
#[derive(Debug, Arbitrary)]
pub struct Changes<'a> {
    cut: Option<u32>,
    changes: Vec<Change<'a>>,
}

impl<'a> Input<'a> {
    /// The first byte chooses; nothing where the bytes describe nothing.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let (first, rest) = data.split_first()?;
        if *first == b'L' {
            return Some(Self::Raw(data));
        }
        Changes::arbitrary_take_rest(Unstructured::new(rest)).ok().map(Self::Changes)
    }
}

/// A whole recorder, and a copy that is changed and mended again.
pub struct Image {
    whole: Vec<u8>,
    changed: Vec<u8>,
    /// The pieces of `changed` that differ, start and length.
    dirty: Vec<(usize, usize)>,
}

impl Default for Image {
    fn default() -> Self {
        let whole = lived_in();
        let mut image = Self { changed: whole.clone(), whole, dirty: Vec::new() };
        image.prove_checksum();
        image
    }
}

impl Image {
    /// The recorder that this input describes. It holds until the next call.
    pub fn apply<'a>(&'a mut self, input: &Input<'a>) -> &'a [u8] {
        let changes = match input {
            Input::Raw(bytes) => return bytes,
            Input::Changes(changes) => changes,
        };
        for (start, length) in std::mem::take(&mut self.dirty) {
            self.changed[start..start + length].copy_from_slice(&self.whole[start..start + length]);
        }
        for change in &changes.changes {
            self.change(change);
        }
        let end = changes.cut.map_or(RECORDER_BYTES, |cut| cut as usize % (RECORDER_BYTES + 1));
        &self.changed[..end]
    }

    fn change(&mut self, change: &Change<'_>) {
        match *change {
            Change::Anywhere { offset, bytes } => self.put(offset as usize % RECORDER_BYTES, bytes),
            Change::Header { offset, bytes } => self.put(usize::from(offset), bytes),
            Change::Section { index, field, value } => {
                let entry = TABLE + usize::from(index) % SECTIONS * TABLE_ENTRY;
                match field % 4 {
                    0 => self.put(entry, &(value as u32).to_le_bytes()),
                    1 => self.put(entry + 4, &(value as u32).to_le_bytes()),
                    2 => self.put(entry + 8, &value.to_le_bytes()),
                    _ => self.put(entry + 16, &value.to_le_bytes()),
                }
            }
            Change::Item { section, index, offset, bytes } => {
                let (start, _) = self.item(section, index);
                self.put(start + usize::from(offset), bytes);
            }
            Change::Payload { section, index, second, state, payload } => {
                let (start, stride) = self.slot(section, index, second);
                let payload = payload.get(..stride - SLOT_HEAD).unwrap_or(payload);
                let state = if state < 2 { 2 } else { state & !1 };
                self.put(start + SLOT_HEAD, payload);
                self.seal(start, state, payload.len());
            }
            Change::Field { section, index, second, offset, value } => {
                let (start, stride) = self.slot(section, index, second);
                let (state, length) = (self.word(start), self.word(start + 8) as usize);
                if state != 0 && length >= 4 && length <= stride - SLOT_HEAD {
                    let at = usize::from(offset) % (length - 3);
                    self.put(start + SLOT_HEAD + at, &value.to_le_bytes());
                    self.seal(start, state, length);
                }
            }
        }
    }

    /// Writes as much as fits, and remembers to mend it.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let Some(room) = self.changed.get_mut(at..) else { return };
        let length = bytes.len().min(room.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.dirty.push((at, length));
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.changed.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    /// Start and stride of an item where the whole recorder has it.
    fn item(&self, section: u8, index: u8) -> (usize, usize) {
        let entry = &self.whole[TABLE + usize::from(section) % SECTIONS * TABLE_ENTRY..];
        let long = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap()) as usize;
        let count = u32::from_le_bytes(entry[4..8].try_into().unwrap()) as usize;
        (long(8) + usize::from(index) % count * long(16), long(16))
    }

    /// Start and length of a slot; the third and fourth section have two in each item.
    fn slot(&self, section: u8, index: u8, second: bool) -> (usize, usize) {
        let (start, stride) = self.item(section, index);
        if !matches!(usize::from(section) % SECTIONS, 2 | 3) {
            return (start, stride);
        }
        let half = (stride - ENTRY_HEAD) / 2 / 8 * 8;
        (start + ENTRY_HEAD + if second { half } else { 0 }, half)
    }

    /// Closes a slot as a writer does.
    fn seal(&mut self, start: usize, state: u32, length: usize) {
        let payload = &self.changed[start + SLOT_HEAD..start + SLOT_HEAD + length];
        let checksum = checksum(payload, state);
        self.put(start, &state.to_le_bytes());
        self.put(start + 4, &checksum.to_le_bytes());
        self.put(start + 8, &(length as u32).to_le_bytes());
    }

    /// A writer's own slot must come out as it was: else this file has fallen behind the recorder, and the fuzzer
    /// would only ever look at torn slots.
    fn prove_checksum(&mut self) {
        let (start, _) = self.slot(4, 0, false);
        let (state, sum, length) = (self.word(start), self.word(start + 4), self.word(start + 8));
        assert!(state >= 2 && length > 0, "the first breadcrumb is whole");
        self.seal(start, state, length as usize);
        assert_eq!(self.word(start + 4), sum, "the recorder's checksum has changed: change it here too");
    }
}

/// The recorder's checksum, as `crates/recorder/src/pen.rs` has it.
fn checksum(bytes: &[u8], seed: u32) -> u32 {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut sum = u64::from(seed) ^ PRIME ^ (bytes.len() as u64).wrapping_mul(PRIME);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
    }
    for byte in rest {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    (sum ^ (sum >> 32)) as u32
}

/// A recorder with something in every store, made by the real writers.
fn lived_in() -> Vec<u8> {
    let recorder = format();
    let stamp = Stamp { realtime_ns: 1_700_000_000_000_000_000, tid: 1 };
    let mut written = Vec::new();
    for (setting, text) in
        [(Setting::App, "node"), (Setting::Dsn, "https://key@host/1"), (Setting::StateDir, "/s")]
    {
        written.push(recorder.setting(setting, text.as_bytes()));
    }
    for number in 0..4 {
        let text = format!("value {number}");
        written.push(recorder.tag(stamp, text.as_bytes(), text.as_bytes()));
        written.push(recorder.tag(stamp, text.as_bytes(), b"newer"));
        written.push(recorder.context(stamp, b"chain", text.as_bytes(), text.as_bytes()));
        written.push(recorder.breadcrumb(stamp, number, b"p2p", text.as_bytes()));
    }
    let record = Record { level: 4, origin: 0, kind: b"ResultDefect", message: b"it was empty" };
    let frame = FrameText { function: b"main", file: b"node.nim", line: 12, column: 3, address: 0x40_1000 };
    let mut note = |kind| written.push(recorder.record(kind, stamp, record, [frame; 3].into_iter()));
    (1..ERRORS).for_each(|_| note(RecordKind::Error));
    (1..LAST_WORDS).for_each(|_| note(RecordKind::LastWords));
    assert!(written.iter().all(|outcome| *outcome == Outcome::Written));
    die(recorder);
    let mut bytes = vec![0; RECORDER_BYTES];
    // SAFETY: both are `RECORDER_BYTES` long, apart from each other, and nobody writes the recorder any more.
    unsafe {
        recorder.base().copy_to_nonoverlapping(NonNull::from(bytes.as_mut_slice()).cast(), RECORDER_BYTES)
    };
    bytes
}

/// A recorder lives as long as its process: kept here, so that no leak checker objects.
static KEPT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

fn format() -> Recorder {
    let layout = Layout::from_size_align(RECORDER_BYTES, 4096).unwrap();
    // SAFETY: the size is not zero.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    // A static that nobody reads would be optimised away.
    std::hint::black_box(&KEPT).store(base.as_ptr(), Ordering::Relaxed);
    // SAFETY: aligned, zeroed, large enough, never freed, and handed to nobody else.
    unsafe { Recorder::format(base) }
}

/// A fault in a program whose code and stack the mappings name.
fn die(recorder: Recorder) {
    const MAPS: &[u8] = b"00400000-00402000 r-xp 00000000 fd:01 77    /opt/node\n\
        7ffc00000000-7ffc00010000 rw-p 00000000 00:00 0     [stack]\n";
    let death: &Death = recorder.death();
    death.generation.store(1, Ordering::Relaxed);
    death.tid.store(1, Ordering::Relaxed);
    death.signal.store(11, Ordering::Relaxed);
    death.code.store(1, Ordering::Relaxed);
    for (register, value) in death.registers.iter().zip(0x40_0FF0_u64..) {
        register.store(value, Ordering::Relaxed);
    }
    death.registers_count.store(27, Ordering::Relaxed);
    death.stack_start.store(0x7FFC_0000_0000, Ordering::Relaxed);
    death.stack_bytes.store(4096, Ordering::Relaxed);
    // SAFETY: the mappings' place is longer than this text, and nobody else writes it.
    unsafe { recorder.death_maps().copy_from_nonoverlapping(NonNull::from(MAPS).cast(), MAPS.len()) };
    death.maps_bytes.store(MAPS.len() as u64, Ordering::Relaxed);
    death.stage.store(DeathStage::Complete as u32, Ordering::Release);
}
