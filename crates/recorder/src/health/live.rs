//! What the node asks of its own health: its own memory, as it is now, without a copy of the whole.

use core::sync::atomic::{AtomicU8, Ordering};

use super::{Beat, COMPONENT_HEAD, ComponentView, Since, component, component_state};
use crate::layout::{COMPONENTS_SECTION, ENTRY_HEAD, EntryHead, HEARTBEATS_SECTION};
use crate::writer::Recorder;

/// Room for a copy of one component.
pub type ComponentCopy = [u8; COMPONENTS_SECTION.stride];

impl Recorder {
    /// Whether the next beat of some loop is late.
    #[must_use]
    pub fn has_overdue_heartbeat(&self, now_boottime_ns: u64) -> bool {
        (0..HEARTBEATS_SECTION.count).any(|index| self.beat(index).is_overdue(now_boottime_ns))
    }

    /// The component that is worst, the first of them; `copy` is room for what is read. Nothing where none has spoken, or
    /// where one spoke on while it was read.
    pub fn worst_component<'a>(&self, copy: &'a mut ComponentCopy) -> Option<ComponentView<'a>> {
        let spoken = (0..COMPONENTS_SECTION.count).filter_map(|index| Some((index, self.badness(index)?)));
        // Of several that are as bad `max_by_key` would take the last.
        let (index, _) = spoken.reduce(|worst, other| if other.1 > worst.1 { other } else { worst })?;
        let at = self.item(COMPONENTS_SECTION, index);
        for (offset, to) in copy.iter_mut().enumerate() {
            // SAFETY: an item is as long as the copy.
            let from = unsafe { at.add(offset) };
            // SAFETY: the item is mapped for the life of the process; who writes it may do so at the same time.
            *to = unsafe { from.cast::<AtomicU8>().as_ref() }.load(Ordering::Relaxed);
        }
        component(copy)
    }

    /// Nothing where nobody has spoken here. Unknown is worse than ok, and better than what is known to be bad.
    fn badness(&self, index: usize) -> Option<u32> {
        let at = self.item(COMPONENTS_SECTION, index);
        // SAFETY: every entry of this section starts with its head, 8-aligned; the struct is atomics.
        let head = unsafe { at.cast::<EntryHead>().as_ref() };
        if head.current.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: what was said last follows the head within the entry.
        let since = unsafe { at.add(ENTRY_HEAD) };
        // SAFETY: as above.
        let since = unsafe { since.cast::<Since>().as_ref() };
        Some(match since.state.load(Ordering::Relaxed).cast_signed() {
            component_state::OK => 0,
            component_state::DEGRADED => 2,
            component_state::FAILING => 3,
            _ => 1,
        })
    }
}

impl Beat {
    fn is_overdue(&self, now_boottime_ns: u64) -> bool {
        // The deadline first: whoever sees a new one then sees the beat that it came with.
        let deadline_ms = self.deadline_ms.load(Ordering::Acquire);
        let last_ns = self.last_boottime_ns.load(Ordering::Relaxed);
        let is_given = self.is_named.load(Ordering::Acquire) == 1 && last_ns != 0 && deadline_ms != 0;
        is_given && now_boottime_ns.saturating_sub(last_ns) > u64::from(deadline_ms) * 1_000_000
    }
}

const _: () = assert!(COMPONENT_HEAD > ENTRY_HEAD, "what was said last stands between head and slots");
