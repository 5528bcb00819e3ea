//! How the node is: what its components say of themselves, and the heartbeats of its loops. Both sides.
//!
//! A component is written as a tag is, by two slots of which one counts. A heartbeat is a few plain stores: there is no
//! moment in which it could be torn, but for its name, which is written once.

mod live;

use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::layout::{
    COMPONENT_DETAIL_MAX, COMPONENTS_SECTION, ENTRY_HEAD, EntryHead, HEALTH_NAME_MAX, HEARTBEATS_SECTION,
    Section,
};
use crate::pen::{Fields, u32_at, u64_at};
use crate::reader::{items, section};
use crate::slot::{self, Slot};
use crate::writer::{Outcome, Recorder, Stamp, claim, hash};

pub use live::ComponentCopy;

/// The states of a component: the numbers of the contract.
pub mod component_state {
    /// Nobody knows.
    pub const UNKNOWN: i32 = -1;
    /// It works.
    pub const OK: i32 = 0;
    /// It works, but not as it should.
    pub const DEGRADED: i32 = 1;
    /// It does not work.
    pub const FAILING: i32 = 2;
}

/// What a component said last. Only its writer, who has claimed the entry, looks here.
#[repr(C)]
pub(crate) struct Since {
    boottime_ns: AtomicU64,
    realtime_ns: AtomicU64,
    state: AtomicU32,
    reserved: AtomicU32,
}

/// What a loop says of itself.
#[repr(C)]
pub(crate) struct Beat {
    /// The hash of its name; 0 while free.
    hash: AtomicU64,
    /// 0 until the name is written, then 1.
    is_named: AtomicU32,
    /// When the next is due after the last, milliseconds; 0 where the loop has ended properly.
    deadline_ms: AtomicU32,
    last_boottime_ns: AtomicU64,
    count: AtomicU64,
    tid: AtomicU32,
    name_length: AtomicU32,
    name: [AtomicU64; HEALTH_NAME_MAX / 8],
}

pub(crate) const COMPONENT_HEAD: usize = ENTRY_HEAD + size_of::<Since>();

impl Recorder {
    /// Says how a component is; `stamp` and `boottime_ns` are this moment. The time of the last change of state is kept.
    ///
    /// # Atomicity
    /// A crash during this call leaves what was said before, or this.
    pub fn health(&self, stamp: Stamp, boottime_ns: u64, name: &[u8], state: i32, detail: &[u8]) -> Outcome {
        if name.is_empty() || name.len() > HEALTH_NAME_MAX {
            return self.dropped(Outcome::Invalid);
        }
        let Some(at) = self.entry_for(COMPONENTS_SECTION, hash(&[], name)) else {
            return self.dropped(Outcome::NoRoom);
        };
        // SAFETY: `entry_for` answers an entry of this section, which starts with its head, 8-aligned.
        let head = unsafe { at.cast::<EntryHead>().as_ref() };
        if !claim(head, stamp.tid) {
            return self.dropped(Outcome::Busy);
        }
        // SAFETY: what was said last follows the head within the entry.
        let since = unsafe { at.add(ENTRY_HEAD) };
        // SAFETY: the place is 8-aligned and lives as long as the process; the struct is atomics.
        let since = unsafe { since.cast::<Since>().as_ref() };
        let current = head.current.load(Ordering::Relaxed);
        if current == 0 || since.state.load(Ordering::Relaxed) != state.cast_unsigned() {
            since.state.store(state.cast_unsigned(), Ordering::Relaxed);
            since.boottime_ns.store(boottime_ns, Ordering::Relaxed);
            since.realtime_ns.store(stamp.realtime_ns, Ordering::Relaxed);
        }
        let stride = (COMPONENTS_SECTION.stride - COMPONENT_HEAD) / 2 / 8 * 8;
        let other = usize::from(current == 1);
        // SAFETY: two slots of `stride` bytes follow within the entry.
        let place = unsafe { at.add(COMPONENT_HEAD + other * stride) };
        // SAFETY: the place is 8-aligned, `stride` long, and part of the mapped recorder.
        let written = unsafe { Slot::new(place, stride) }.write(|pen| {
            pen.put_u64(since.boottime_ns.load(Ordering::Relaxed));
            pen.put_u64(since.realtime_ns.load(Ordering::Relaxed));
            pen.put_u32(state.cast_unsigned());
            pen.put_text(name, HEALTH_NAME_MAX);
            pen.put_text(detail, COMPONENT_DETAIL_MAX);
        });
        if written {
            head.current.store(other as u32 + 1, Ordering::Release);
        }
        head.writer.store(0, Ordering::Release);
        self.count(written)
    }

    /// Proof of life of a loop; the next is due within `deadline_ms`, 0 where the loop has ended properly. Of beats of one
    /// name from two threads at once a count may be lost.
    pub fn heartbeat(&self, boottime_ns: u64, tid: u32, name: &[u8], deadline_ms: u32) -> Outcome {
        if name.is_empty() || name.len() > HEALTH_NAME_MAX {
            return self.dropped(Outcome::Invalid);
        }
        let hash = hash(&[], name);
        for step in 0..HEARTBEATS_SECTION.count {
            let beat = self.beat((hash as usize).wrapping_add(step) % HEARTBEATS_SECTION.count);
            match beat.hash.load(Ordering::Acquire) {
                taken if taken == hash => {}
                0 => match beat.hash.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => beat.call(name),
                    Err(taken) if taken == hash => {}
                    Err(_) => continue,
                },
                _ => continue,
            }
            // Before the deadline: an old beat with a new deadline would look late.
            beat.last_boottime_ns.store(boottime_ns, Ordering::Relaxed);
            if beat.deadline_ms.load(Ordering::Relaxed) != deadline_ms {
                beat.deadline_ms.store(deadline_ms, Ordering::Release);
                // Whoever watches has to look sooner than it meant to.
                self.control().heartbeats_new.store(1, Ordering::Release);
            }
            beat.tid.store(tid, Ordering::Relaxed);
            beat.count.store(beat.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return Outcome::Written;
        }
        self.dropped(Outcome::NoRoom)
    }

    fn beat(&self, index: usize) -> &'static Beat {
        let at = self.item(HEARTBEATS_SECTION, index);
        // SAFETY: the section is aligned, large enough and lives as long as the process; the struct is atomics.
        unsafe { at.cast::<Beat>().as_ref() }
    }
}

impl Beat {
    /// Writes the name of a place that this thread has just taken.
    fn call(&self, name: &[u8]) {
        for (word, bytes) in self.name.iter().zip(name.chunks(8)) {
            let mut whole = [0; 8];
            for (to, from) in whole.iter_mut().zip(bytes) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        self.name_length.store(name.len() as u32, Ordering::Relaxed);
        self.is_named.store(1, Ordering::Release);
    }
}

/// What a component says of itself.
#[derive(Clone, Copy, Debug)]
pub struct ComponentView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// A number of [`component_state`]; what is none of them counts as unknown.
    pub state: i32,
    /// When it came into this state, nanoseconds since boot.
    pub since_boottime_ns: u64,
    /// The same moment, nanoseconds since 1970.
    pub since_realtime_ns: u64,
    /// What it says to that.
    pub detail: &'a [u8],
}

/// A loop's proofs of life.
#[derive(Clone, Copy, Debug)]
pub struct HeartbeatView<'a> {
    /// The loop's name.
    pub name: &'a [u8],
    /// How long after the last the next is due, milliseconds; 0 where the loop has ended properly.
    pub deadline_ms: u32,
    /// The last, nanoseconds since boot (`CLOCK_BOOTTIME`).
    pub last_boottime_ns: u64,
    /// How many there were.
    pub count: u64,
    /// The thread of the last.
    pub tid: u32,
}

impl HeartbeatView<'_> {
    /// How long ago the last was.
    #[must_use]
    pub const fn age_ns(&self, now_boottime_ns: u64) -> u64 {
        now_boottime_ns.saturating_sub(self.last_boottime_ns)
    }

    /// Whether the next is late. A loop that has ended properly never is.
    #[must_use]
    pub const fn is_overdue(&self, now_boottime_ns: u64) -> bool {
        self.deadline_ms != 0 && self.age_ns(now_boottime_ns) > self.deadline_ms as u64 * 1_000_000
    }
}

/// Components and heartbeats, in a copy of the whole recorder or of the part that holds them.
#[derive(Clone, Copy)]
pub struct Health<'a> {
    bytes: &'a [u8],
    components: Section,
    heartbeats: Section,
}

impl<'a> Health<'a> {
    /// How much of the start of a recorder says where they lie, bytes.
    pub const HEAD_BYTES: usize = 1024;

    /// Where a recorder with this start keeps them: offset and size. Nothing where it has none.
    #[must_use]
    pub fn range(head: &[u8]) -> Option<(usize, usize)> {
        const MOST: usize = 4 * (HEARTBEATS_SECTION.end() - COMPONENTS_SECTION.offset);
        let (components, heartbeats) = Self::sections(head)?;
        let start = components.offset.min(heartbeats.offset);
        let end = |section: Section| section.count.checked_mul(section.stride)?.checked_add(section.offset);
        let size = end(components)?.max(end(heartbeats)?).checked_sub(start)?;
        (size <= MOST).then_some((start, size))
    }

    /// Reads a copy of that range of a recorder with this start.
    #[must_use]
    pub fn read(head: &[u8], copy: &'a [u8]) -> Option<Self> {
        let (start, _) = Self::range(head)?;
        let (components, heartbeats) = Self::sections(head)?;
        let moved = |section: Section| Section { offset: section.offset.saturating_sub(start), ..section };
        Some(Self { bytes: copy, components: moved(components), heartbeats: moved(heartbeats) })
    }

    /// Of a copy of a whole recorder.
    pub(crate) fn of_recorder(bytes: &'a [u8]) -> Option<Self> {
        let (components, heartbeats) = Self::sections(bytes)?;
        Some(Self { bytes, components, heartbeats })
    }

    fn sections(head: &[u8]) -> Option<(Section, Section)> {
        Some((section(head, COMPONENTS_SECTION)?, section(head, HEARTBEATS_SECTION)?))
    }

    /// The components, in the order in which they first spoke.
    pub fn components(&self) -> impl Iterator<Item = ComponentView<'a>> + use<'a> {
        items(self.bytes, self.components).filter_map(component)
    }

    /// The heartbeats that were ever given, in no order.
    pub fn heartbeats(&self) -> impl Iterator<Item = HeartbeatView<'a>> + use<'a> {
        items(self.bytes, self.heartbeats).filter_map(heartbeat)
    }
}

fn component(item: &[u8]) -> Option<ComponentView<'_>> {
    let slots = item.get(COMPONENT_HEAD..)?;
    let (first, second) = slots.split_at_checked(slots.len() / 2 / 8 * 8)?;
    // The node may have written on while the copy was made: then the slot that counted is torn, the other whole.
    let payload = match u32_at(item, offset_of!(EntryHead, current))? {
        1 => slot::read(first).or_else(|| slot::read(second)),
        2 => slot::read(second).or_else(|| slot::read(first)),
        _ => None,
    };
    let mut fields = Fields::new(payload?);
    let (since_boottime_ns, since_realtime_ns) = (fields.u64()?, fields.u64()?);
    let state = match fields.u32()?.cast_signed() {
        known @ component_state::OK..=component_state::FAILING => known,
        _ => component_state::UNKNOWN,
    };
    let (name, detail) = (fields.text()?, fields.text()?);
    let fits = !name.is_empty() && name.len() <= HEALTH_NAME_MAX && detail.len() <= COMPONENT_DETAIL_MAX;
    fits.then_some(ComponentView { name, state, since_boottime_ns, since_realtime_ns, detail })
}

fn heartbeat(item: &[u8]) -> Option<HeartbeatView<'_>> {
    let word = |offset| u32_at(item, offset);
    let name_length = word(offset_of!(Beat, name_length))? as usize;
    let last_boottime_ns = u64_at(item, offset_of!(Beat, last_boottime_ns))?;
    if word(offset_of!(Beat, is_named))? != 1 || last_boottime_ns == 0 || name_length > HEALTH_NAME_MAX {
        return None;
    }
    let name = item.get(offset_of!(Beat, name)..)?.get(..name_length).filter(|name| !name.is_empty())?;
    Some(HeartbeatView {
        name,
        deadline_ms: word(offset_of!(Beat, deadline_ms))?,
        last_boottime_ns,
        count: u64_at(item, offset_of!(Beat, count))?,
        tid: word(offset_of!(Beat, tid))?,
    })
}

const _: () = assert!(size_of::<Beat>() <= HEARTBEATS_SECTION.stride, "a heartbeat fits its place");
const _: () = assert!(HEALTH_NAME_MAX.is_multiple_of(8), "a name is whole words");
