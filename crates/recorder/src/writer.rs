//! The node's side: wait-free writers. Bounded work, no allocation, no lock; may be called from a signal handler.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::layout::{
    self, BREADCRUMB_CATEGORY_MAX, BREADCRUMB_MESSAGE_MAX, BREADCRUMBS_SECTION, CONTEXT_VALUE_MAX,
    CONTEXTS_SECTION, CONTROL, Control, DEATH_MAPS, DEATH_SECTION, DEATH_STACK, Death, ENTRY_HEAD,
    ERRORS_SECTION, EntryHead, FRAME_TEXT_MAX, FRAMES_MAX, KEY_MAX, LAST_WORDS_SECTION, LAYOUT_VERSION,
    MAGIC, PANICS_SECTION, RECORD_KIND_MAX, RECORD_MESSAGE_MAX, RECORDER_BYTES, SECTIONS, SETTING_MAX,
    SETTINGS_SECTION, STACK_BYTES, Section, Setting, TABLE_OFFSET, TAG_VALUE_MAX, TAGS_SECTION,
};
use crate::pen::Pen;
use crate::slot::Slot;

/// How often a writer asks again for an entry that another thread is writing. The other write takes well under
/// a microsecond; a handler that interrupted it would wait for ever.
const CLAIM_TRIES: u32 = 200;

/// When and by which thread a record was written.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Nanoseconds since 1970.
    pub realtime_ns: u64,
    /// The writing thread.
    pub tid: u32,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It is in the recorder.
    Written,
    /// Every place for its kind is taken; counted as dropped.
    NoRoom,
    /// Another writer held the place; counted as dropped.
    Busy,
    /// A name that is empty or too long; counted as dropped.
    Invalid,
}

/// A frame that a language runtime handed over.
#[derive(Clone, Copy, Debug)]
pub struct FrameText<'a> {
    /// The function.
    pub function: &'a [u8],
    /// The file.
    pub file: &'a [u8],
    /// The line; 0 where unknown.
    pub line: u32,
    /// The column; 0 where unknown.
    pub column: u32,
    /// The instruction's address; 0 where unknown.
    pub address: u64,
}

/// Which store a [`Record`] goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Reported with the death that follows.
    LastWords,
    /// Reported by itself, soon.
    Error,
    /// A panic that may yet be caught: reported with the end of the process, if its own thread ends it.
    Panic,
}

/// A handled error, or last words.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// A level number of the contract.
    pub level: u32,
    /// An origin number of the contract, with its flags.
    pub origin: u32,
    /// The exception's type.
    pub kind: &'a [u8],
    /// Its message.
    pub message: &'a [u8],
}

/// The mapped recorder.
#[derive(Clone, Copy)]
pub struct Recorder {
    base: NonNull<u8>,
}

impl Recorder {
    /// Lays an empty recorder out in zeroed memory.
    ///
    /// # Safety
    /// `base` must be page-aligned and valid for reads and writes of [`RECORDER_BYTES`] bytes for the life of the
    /// process, zeroed, and written through recorders alone.
    pub unsafe fn format(base: NonNull<u8>) -> Self {
        let recorder = Self { base };
        // SAFETY: the header lies at the start of the memory that the caller vouches for.
        let mut pen = unsafe { Pen::new(base, CONTROL.offset) };
        pen.put_u64(u64::from_le_bytes(MAGIC));
        pen.put_u32(LAYOUT_VERSION);
        pen.put_u32(CONTROL.offset as u32);
        pen.put_u64(RECORDER_BYTES as u64);
        pen.put_u32(SECTIONS.len() as u32);
        pen.put_u32(0);
        debug_assert_eq!(pen.written(), TABLE_OFFSET);
        for section in &SECTIONS {
            pen.put_u32(section.kind);
            pen.put_u32(section.count as u32);
            pen.put_u64(section.offset as u64);
            pen.put_u64(section.stride as u64);
        }
        recorder
    }

    /// The recorder that was laid out at this place.
    ///
    /// # Safety
    /// `base` must have been given to [`Recorder::format`], or map the same memory.
    #[must_use]
    pub const unsafe fn at(base: NonNull<u8>) -> Self {
        Self { base }
    }

    /// The words that node and monitor exchange.
    #[must_use]
    pub fn control(&self) -> &'static Control {
        let at = self.item(CONTROL, 0);
        // SAFETY: the section is aligned, large enough and lives as long as the process; the struct is atomics.
        unsafe { at.cast::<Control>().as_ref() }
    }

    /// The death slot's head.
    #[must_use]
    pub fn death(&self) -> &'static Death {
        let at = self.item(DEATH_SECTION, 0);
        // SAFETY: the section is aligned, large enough and lives as long as the process; the struct is atomics.
        unsafe { at.cast::<Death>().as_ref() }
    }

    /// Where the dying thread's stack goes: [`STACK_BYTES`] writable bytes. Only the death slot's claimant writes.
    #[must_use]
    pub fn death_stack(&self) -> NonNull<u8> {
        // SAFETY: the offset lies within the death section.
        unsafe { self.item(DEATH_SECTION, 0).add(DEATH_STACK) }
    }

    /// Where the list of mappings goes: [`layout::MAPS_BYTES`] bytes. Only the death slot's claimant writes.
    #[must_use]
    pub fn death_maps(&self) -> NonNull<u8> {
        const { assert!(DEATH_MAPS == DEATH_STACK + STACK_BYTES, "the mappings follow the stack") };
        // SAFETY: the offset lies within the death section.
        unsafe { self.item(DEATH_SECTION, 0).add(DEATH_MAPS) }
    }

    /// The whole recorder as bytes, for a raw copy to disk: its start; [`RECORDER_BYTES`] long.
    #[must_use]
    pub const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Writes a setting; meant for once, before the monitor starts.
    pub fn setting(&self, setting: Setting, value: &[u8]) -> Outcome {
        let slot = self.slot(SETTINGS_SECTION, setting as usize);
        self.count(slot.write(|pen| pen.put_text(value, SETTING_MAX)))
    }

    /// Sets a tag.
    ///
    /// # Atomicity
    /// A crash during this call leaves the old value or the new one, never a mix.
    pub fn tag(&self, stamp: Stamp, key: &[u8], value: &[u8]) -> Outcome {
        self.entry(TAGS_SECTION, stamp, [&[], key, value], TAG_VALUE_MAX)
    }

    /// Sets one value of a context section; atomic as [`Recorder::tag`].
    pub fn context(&self, stamp: Stamp, section: &[u8], key: &[u8], value: &[u8]) -> Outcome {
        self.entry(CONTEXTS_SECTION, stamp, [section, key, value], CONTEXT_VALUE_MAX)
    }

    /// Leaves a breadcrumb over the oldest one.
    pub fn breadcrumb(&self, stamp: Stamp, level: u32, category: &[u8], message: &[u8]) -> Outcome {
        let ticket = self.control().breadcrumbs_next.fetch_add(1, Ordering::Relaxed);
        let slot = self.slot(BREADCRUMBS_SECTION, ticket as usize % BREADCRUMBS_SECTION.count);
        self.count(slot.write(|pen| {
            pen.put_u64(ticket);
            pen.put_u64(stamp.realtime_ns);
            pen.put_u32(stamp.tid);
            pen.put_u32(level);
            pen.put_text(category, BREADCRUMB_CATEGORY_MAX);
            pen.put_text(message, BREADCRUMB_MESSAGE_MAX);
        }))
    }

    /// Writes an error, last words or a panic. The first errors and last words are kept, later ones find no room; of the
    /// panics the newest stay.
    pub fn record<'a>(
        &self,
        kind: RecordKind,
        stamp: Stamp,
        record: Record<'a>,
        frames: impl Iterator<Item = FrameText<'a>>,
    ) -> Outcome {
        let Some((section, ticket)) = self.ticket(kind) else {
            return self.dropped(Outcome::NoRoom);
        };
        let slot = self.slot(section, ticket as usize % section.count.max(1));
        self.count(slot.write(|pen| {
            pen.put_u64(ticket);
            pen.put_u64(stamp.realtime_ns);
            pen.put_u32(stamp.tid);
            pen.put_u32((record.level & 0xFF) | (record.origin & 0xFF_FFFF) << 8);
            pen.put_text(record.kind, RECORD_KIND_MAX);
            pen.put_text(record.message, RECORD_MESSAGE_MAX);
            for frame in frames.take(FRAMES_MAX) {
                pen.put_u32(frame.line);
                pen.put_u32(frame.column);
                pen.put_u64(frame.address);
                pen.put_text(frame.function, FRAME_TEXT_MAX);
                pen.put_text(frame.file, FRAME_TEXT_MAX);
            }
        }))
    }

    /// Takes the next ticket, unless every slot holds a record that nobody has taken yet.
    fn ticket(&self, kind: RecordKind) -> Option<(Section, u64)> {
        let control = self.control();
        let (section, next, taken): (_, &AtomicU64, u64) = match kind {
            RecordKind::Panic => {
                let ticket = control.panics_next.fetch_add(1, Ordering::Relaxed);
                return Some((PANICS_SECTION, ticket));
            }
            RecordKind::LastWords => (LAST_WORDS_SECTION, &control.last_words_next, 0),
            RecordKind::Error => {
                (ERRORS_SECTION, &control.errors_next, control.errors_taken.load(Ordering::Acquire))
            }
        };
        let room = |ticket: u64| ticket.wrapping_sub(taken) < section.count as u64;
        let ticket = next.try_update(Ordering::Relaxed, Ordering::Relaxed, |ticket| {
            room(ticket).then(|| ticket.wrapping_add(1))
        });
        ticket.ok().map(|ticket| (section, ticket))
    }

    fn entry(&self, section: Section, stamp: Stamp, texts: [&[u8]; 3], value_max: usize) -> Outcome {
        let [group, key, value] = texts;
        let Some(at) = self.entry_for(section, hash(group, key)) else {
            return self.dropped(Outcome::NoRoom);
        };
        // SAFETY: `entry_for` answers an entry of this section, which starts with its head, 8-aligned.
        let head = unsafe { at.cast::<EntryHead>().as_ref() };
        if !claim(head, stamp.tid) {
            return self.dropped(Outcome::Busy);
        }
        let stride = (section.stride - ENTRY_HEAD) / 2 / 8 * 8;
        let other = usize::from(head.current.load(Ordering::Relaxed) == 1);
        // SAFETY: two slots of `stride` bytes follow the head within the entry.
        let place = unsafe { at.add(ENTRY_HEAD + other * stride) };
        // SAFETY: the place is 8-aligned, `stride` long, and part of the mapped recorder.
        let written = unsafe { Slot::new(place, stride) }.write(|pen| {
            pen.put_u64(stamp.realtime_ns);
            pen.put_text(group, KEY_MAX);
            pen.put_text(key, KEY_MAX);
            pen.put_text(value, value_max);
        });
        if written {
            head.current.store(other as u32 + 1, Ordering::Release);
        }
        head.writer.store(0, Ordering::Release);
        self.count(written)
    }

    /// The entry with this hash, or a free one that now has it.
    pub(crate) fn entry_for(&self, section: Section, hash: u64) -> Option<NonNull<u8>> {
        for index in 0..section.count {
            let at = self.item(section, index);
            // SAFETY: every item of an entry section starts with its head, 8-aligned.
            let head = unsafe { at.cast::<EntryHead>().as_ref() };
            match head.hash.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(at),
                Err(taken) if taken == hash => return Some(at),
                Err(_) => {}
            }
        }
        None
    }

    fn slot(&self, section: Section, index: usize) -> Slot {
        let at = self.item(section, index);
        // SAFETY: strides of slot sections are multiples of 8, and the memory is the process's for life.
        unsafe { Slot::new(at, section.stride) }
    }

    /// An item of a section. `index` is taken modulo the section's count, so that no caller can leave it.
    pub(crate) fn item(&self, section: Section, index: usize) -> NonNull<u8> {
        let index = if index < section.count { index } else { 0 };
        // SAFETY: the layout's asserts keep every section within `RECORDER_BYTES`.
        unsafe { self.base.add(section.offset + index * section.stride) }
    }

    pub(crate) fn count(&self, written: bool) -> Outcome {
        if written { Outcome::Written } else { self.dropped(Outcome::Busy) }
    }

    pub(crate) fn dropped(&self, outcome: Outcome) -> Outcome {
        self.control().dropped.fetch_add(1, Ordering::Relaxed);
        outcome
    }
}

pub(crate) fn claim(head: &EntryHead, tid: u32) -> bool {
    for _ in 0..CLAIM_TRIES {
        if head.writer.compare_exchange(0, tid.max(1), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return true;
        }
        core::hint::spin_loop();
    }
    false
}

/// FNV-1a over section and key, never 0.
pub(crate) fn hash(section: &[u8], key: &[u8]) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    for byte in section.iter().chain(&[0xFF]).chain(key) {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    sum.max(1)
}

const _: () = assert!(layout::MAPS_BYTES > 0, "the death slot holds mappings");
