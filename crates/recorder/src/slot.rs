//! One place for one record: claimed, written, closed with a checksum. A reader takes closed ones only.

use core::mem::size_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::pen::{Pen, checksum, u32_at};

/// What stands before a record's fields.
#[repr(C)]
pub(crate) struct SlotHead {
    /// Odd while a writer is at work; even and not 0 once a record is whole.
    state: AtomicU32,
    checksum: AtomicU32,
    length: AtomicU32,
    reserved: AtomicU32,
}

const HEAD: usize = size_of::<SlotHead>();

/// A slot in the mapped recorder.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    at: NonNull<u8>,
    stride: usize,
}

impl Slot {
    /// # Safety
    /// `at` must be 8-aligned and valid for reads and writes of `stride` (more than the head) bytes for the life
    /// of the process, and only slots may write there.
    pub(crate) const unsafe fn new(at: NonNull<u8>, stride: usize) -> Self {
        Self { at, stride }
    }

    fn head(&self) -> &SlotHead {
        // SAFETY: `new`'s caller vouches for place, alignment and size; the head is atomics only.
        unsafe { self.at.cast::<SlotHead>().as_ref() }
    }

    /// Writes one record, unless another writer is in this very slot: then nothing happens and the answer is false.
    ///
    /// # Signal safety
    /// Never waits. A handler that interrupts a writer of the same slot is turned away.
    pub(crate) fn write(self, fields: impl FnOnce(&mut Pen)) -> bool {
        let state = self.head().state.load(Ordering::Relaxed);
        if state & 1 == 1 {
            return false;
        }
        let claimed = state.wrapping_add(1);
        if self.head().state.compare_exchange(state, claimed, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let room = self.stride - HEAD;
        // SAFETY: the slot is `stride` bytes long and its head comes first.
        let payload = unsafe { self.at.add(HEAD) };
        // SAFETY: the claim above makes this the only writer of the payload.
        let mut pen = unsafe { Pen::new(payload, room) };
        fields(&mut pen);
        let length = pen.written();
        let closed = match claimed.wrapping_add(1) {
            0 => 2,
            even => even,
        };
        // SAFETY: the pen wrote `length` bytes here, and the claim keeps others out.
        let written = unsafe { core::slice::from_raw_parts(payload.as_ptr(), length) };
        self.head().checksum.store(checksum(written, closed), Ordering::Relaxed);
        self.head().length.store(length as u32, Ordering::Relaxed);
        self.head().state.store(closed, Ordering::Release);
        true
    }
}

/// The fields of the whole record in these bytes of a copy; nothing where it is empty, torn or impossible.
pub(crate) fn read(slot: &[u8]) -> Option<&[u8]> {
    let state = u32_at(slot, 0)?;
    if state == 0 || state & 1 == 1 {
        return None;
    }
    let length = usize::try_from(u32_at(slot, 8)?).ok()?;
    let payload = slot.get(HEAD..)?.get(..length)?;
    (checksum(payload, state) == u32_at(slot, 4)?).then_some(payload)
}
