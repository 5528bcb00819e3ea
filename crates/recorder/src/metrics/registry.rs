//! The node's side: gives a metric its family and slot. Wait-free but for a short wait on another thread that registers the same.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::pen::Pen;

use super::layout::{
    BOUNDS_MAX, DEFAULT_BOUNDS, DESCRIPTOR_HEAD, FAMILIES, FAMILY_BYTES, FamilyHead, HELP_MAX, Head, Kind,
    MAGIC, NAME_MAX, Plan, READY, UNIT_MAX, VERSION, WRITING,
};
use super::name::{self, Label, Text};

/// How long another thread that writes a descriptor is waited for: it needs well under a microsecond while it runs.
const WRITING_TRIES: u32 = 200;

/// What a node asks a slot for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What it is.
    pub kind: Kind,
    /// The module; may be empty.
    pub module: &'a [u8],
    /// The name.
    pub name: &'a [u8],
    /// The base unit; may be empty.
    pub unit: &'a [u8],
    /// One sentence.
    pub help: &'a [u8],
    /// A histogram's upper bounds, ascending; empty for the default.
    pub bounds: &'a [f64],
    /// The labels.
    pub labels: &'a [Label<'a>],
}

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The slot, or a histogram's first.
    pub slot: u32,
    /// The family's number, for [`Metrics::register_in`].
    pub family: u32,
    /// Whether there was no room, and the slot is the one that takes all the rest.
    pub is_overflow: bool,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A name, label or bound that is none, or the name of a metric of another kind.
    Invalid,
    /// There is no room, and nothing can take the rest.
    NoRoom,
    /// Another thread is registering the same: ask again.
    Busy,
}

/// The mapped metrics.
#[derive(Clone, Copy)]
pub struct Metrics {
    base: NonNull<u8>,
    plan: Plan,
}

impl Metrics {
    /// Lays empty metrics out in zeroed memory.
    ///
    /// # Safety
    /// `base` must be page-aligned and valid for reads and writes of `plan.bytes()` bytes for the life of the process,
    /// zeroed, and written through `Metrics` alone.
    pub unsafe fn format(base: NonNull<u8>, plan: Plan) -> Self {
        let metrics = Self { base, plan };
        let head = metrics.head();
        head.version.store(VERSION, Ordering::Relaxed);
        head.slots.store(plan.slots as u32, Ordering::Relaxed);
        head.slots_next.store(1, Ordering::Relaxed);
        // Where memory lies is not known outside: whoever chooses labels shall not choose which of them meet.
        head.seed.store(base.as_ptr() as u64, Ordering::Relaxed);
        head.magic.store(u64::from_le_bytes(MAGIC), Ordering::Release);
        metrics
    }

    /// The metrics that were laid out at this place.
    ///
    /// # Safety
    /// `base` and `plan` must have been given to [`Metrics::format`], or map the same memory.
    #[must_use]
    pub const unsafe fn at(base: NonNull<u8>, plan: Plan) -> Self {
        Self { base, plan }
    }

    /// Where everything lies.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.plan
    }

    /// Finds or makes the series, and answers its slot.
    ///
    /// # Errors
    /// See [`Refusal`]; what was refused is counted.
    pub fn register(&self, wanted: &Wanted<'_>) -> Result<Registered, Refusal> {
        self.counted(self.family_of(wanted).and_then(|family| self.series_of(family, wanted)))
    }

    /// The same for a metric whose family is known: what it is called is not looked at.
    ///
    /// # Errors
    /// As [`Metrics::register`].
    pub fn register_in(&self, family: u32, wanted: &Wanted<'_>) -> Result<Registered, Refusal> {
        let is_one = (family as usize) < FAMILIES && {
            let at = self.place(self.plan.family(family as usize));
            family_head(at).state.load(Ordering::Acquire) == READY && word(at, 0) == wanted.kind.number()
        };
        self.counted(if is_one { self.series_of(family, wanted) } else { Err(Refusal::Invalid) })
    }

    fn counted(&self, outcome: Result<Registered, Refusal>) -> Result<Registered, Refusal> {
        let count = match outcome {
            Ok(Registered { is_overflow: true, .. }) | Err(Refusal::NoRoom) => &self.head().overflowed,
            Err(Refusal::Invalid) => &self.head().refused,
            Ok(_) | Err(Refusal::Busy) => return outcome,
        };
        count.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    fn family_of(&self, wanted: &Wanted<'_>) -> Result<u32, Refusal> {
        let mut full = Text::<NAME_MAX>::new();
        let parts = [wanted.module, wanted.name, wanted.unit];
        for (index, part) in parts.into_iter().filter(|part| !part.is_empty()).enumerate() {
            if index > 0 {
                full.push(b"_");
            }
            full.push(part);
        }
        // `_total` and `_bucket` are added by whoever exposes it.
        let full_name = full.whole().filter(|name| name::is_name(name) && name.len() + 8 <= NAME_MAX);
        let full_name = full_name.ok_or(Refusal::Invalid)?;
        if wanted.name.is_empty() || wanted.unit.len() > UNIT_MAX || !are_bounds(wanted.bounds) {
            return Err(Refusal::Invalid);
        }
        self.family(full_name, wanted)
    }

    /// The family's number. All that use a name must mean the same by it.
    fn family(&self, full_name: &[u8], wanted: &Wanted<'_>) -> Result<u32, Refusal> {
        let (hash, start) = (name::hash(&[full_name]), name::hash(&[full_name]) as usize % FAMILIES);
        let described = Described::of(wanted);
        for step in 0..FAMILIES {
            let index = (start + step) % FAMILIES;
            let at = self.place(self.plan.family(index));
            match self.claim(index, hash) {
                Claim::Other => continue,
                Claim::Mine => {
                    // SAFETY: the place is a family's, and only its claimant writes there.
                    let mut pen = unsafe { fields(at) };
                    described.write(&mut pen, full_name, wanted);
                    publish(at);
                    return Ok(index as u32);
                }
                Claim::Theirs => {
                    wait_for(&family_head(at).state, |state| state == READY)?;
                    return if described.is_at(at) { Ok(index as u32) } else { Err(Refusal::Invalid) };
                }
            }
        }
        Err(Refusal::NoRoom)
    }

    fn claim(&self, family: usize, hash: u64) -> Claim {
        match self.family_name(family).compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                let head = family_head(self.place(self.plan.family(family)));
                head.hash.store(hash, Ordering::Relaxed);
                head.state.store(WRITING, Ordering::Relaxed);
                Claim::Mine
            }
            Err(taken) if taken == hash => Claim::Theirs,
            Err(_) => Claim::Other,
        }
    }

    /// The hash of a family's name.
    pub(crate) fn family_name(&self, family: usize) -> &'static AtomicU64 {
        self.word_at(self.plan.name(family) / 8)
    }

    pub(crate) fn head(&self) -> &'static Head {
        // SAFETY: the head lies at the start of memory that lives as long as the process; it is atomics.
        unsafe { self.base.cast::<Head>().as_ref() }
    }

    /// A place within the memory.
    pub(crate) fn place(&self, offset: usize) -> NonNull<u8> {
        let offset = if offset < self.plan.bytes() { offset } else { 0 };
        // SAFETY: the offset lies within the memory, as just seen.
        unsafe { self.base.add(offset) }
    }

    pub(crate) fn word_at(&self, word: usize) -> &'static AtomicU64 {
        let at = self.place(word * 8);
        // SAFETY: the place is 8-aligned and within the memory, whose size is a whole number of pages.
        unsafe { at.cast::<AtomicU64>().as_ref() }
    }

    /// One slot of a row; row 0 is the one that all threads share.
    pub(crate) fn slot(&self, row: usize, slot: u32) -> &'static AtomicU64 {
        let slot = if (slot as usize) < self.plan.slots { slot as usize } else { 0 };
        let at = self.place(self.plan.row(row) + 8 * slot);
        // SAFETY: rows are 8-aligned, hold `slots` slots each, and live as long as the process.
        unsafe { at.cast::<AtomicU64>().as_ref() }
    }
}

/// Ascending and finite, and not too many.
pub(crate) fn are_bounds(bounds: &[f64]) -> bool {
    let pairs = bounds.iter().zip(bounds.iter().skip(1));
    bounds.len() <= BOUNDS_MAX
        && bounds.iter().all(|bound| bound.is_finite())
        && pairs.into_iter().all(|(lower, upper)| lower < upper)
}

fn bounds_of<'a>(wanted: &Wanted<'a>) -> &'a [f64] {
    match wanted.kind {
        Kind::Histogram if wanted.bounds.is_empty() => &DEFAULT_BOUNDS,
        Kind::Histogram => wanted.bounds,
        Kind::Counter | Kind::Gauge | Kind::Info => &[],
    }
}

/// A histogram takes a slot for each bound, one for what lies above, and one for the sum.
pub(super) fn slots_of(wanted: &Wanted<'_>) -> u32 {
    match wanted.kind {
        Kind::Histogram => bounds_of(wanted).len() as u32 + 2,
        Kind::Counter | Kind::Gauge | Kind::Info => 1,
    }
}

/// What two metrics of one name must agree on.
struct Described {
    kind: u32,
    unit_and_bounds: u64,
}

impl Described {
    fn of(wanted: &Wanted<'_>) -> Self {
        let mut sum = name::hash(&[wanted.unit]);
        for bound in bounds_of(wanted) {
            sum = sum.rotate_left(5) ^ bound.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        Self { kind: wanted.kind.number(), unit_and_bounds: sum }
    }

    fn write(&self, pen: &mut Pen, full_name: &[u8], wanted: &Wanted<'_>) {
        let mut help = Text::<HELP_MAX>::new();
        name::write_help(wanted.help, &mut help);
        let bounds = bounds_of(wanted);
        pen.put_u32(self.kind);
        pen.put_u32(bounds.len() as u32);
        pen.put_u64(self.unit_and_bounds);
        for bound in bounds {
            pen.put_u64(bound.to_bits());
        }
        pen.put_text(full_name, NAME_MAX);
        pen.put_text(wanted.unit, UNIT_MAX);
        pen.put_text(help.whole().unwrap_or_default(), HELP_MAX);
    }

    fn is_at(&self, at: NonNull<u8>) -> bool {
        let both = u64::from(word(at, 8)) | u64::from(word(at, 12)) << 32;
        word(at, 0) == self.kind && both == self.unit_and_bounds
    }
}

enum Claim {
    Mine,
    Theirs,
    Other,
}

pub(crate) fn family_head(at: NonNull<u8>) -> &'static FamilyHead {
    // SAFETY: every family starts with its head, 8-aligned, and lives as long as the process.
    unsafe { at.cast::<FamilyHead>().as_ref() }
}

fn publish(at: NonNull<u8>) {
    family_head(at).state.store(READY, Ordering::Release);
}

/// Waits, bounded, for a word that another thread is about to write.
pub(super) fn wait_for(word: &AtomicU32, is_there: impl Fn(u32) -> bool) -> Result<u32, Refusal> {
    for _ in 0..WRITING_TRIES {
        let value = word.load(Ordering::Acquire);
        if is_there(value) {
            return Ok(value);
        }
        core::hint::spin_loop();
    }
    Err(Refusal::Busy)
}

/// A pen for a family's fields.
///
/// # Safety
/// `at` must be a family's place that this thread has claimed.
unsafe fn fields(at: NonNull<u8>) -> Pen {
    // SAFETY: the fields follow the head within the place.
    let first = unsafe { at.add(DESCRIPTOR_HEAD) };
    // SAFETY: handed on from the caller.
    unsafe { Pen::new(first, FAMILY_BYTES - DESCRIPTOR_HEAD) }
}

/// A word of a published family's fields.
fn word(at: NonNull<u8>, offset: usize) -> u32 {
    let offset = DESCRIPTOR_HEAD + if offset + 4 <= 64 { offset } else { 0 };
    // SAFETY: every family is longer than this.
    let field = unsafe { at.add(offset) };
    // SAFETY: the fields are 4-aligned and were written before they were published.
    unsafe { field.cast::<u32>().read() }
}
