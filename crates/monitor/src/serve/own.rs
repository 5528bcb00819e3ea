//! The memory that the node counts into, mapped to read.

use std::fs::File;
use std::ptr::NonNull;

use lifeboat_recorder::metrics::MetricsSnapshot;
use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::http::negotiate::Format;

/// The mapping. It goes with the node: its last pages are freed then.
pub(super) struct Own {
    base: NonNull<u8>,
    bytes: usize,
}

impl Own {
    /// Maps it; nothing where it is no such memory, or could shrink under our hands.
    pub(super) fn new(file: File) -> Option<Self> {
        let bytes = usize::try_from(file.metadata().ok()?.len()).ok().filter(|bytes| *bytes > 0)?;
        if !fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK)) {
            return None;
        }
        // SAFETY: the kernel chooses a place that nothing of ours uses; the file is sealed, so that no page of it can go.
        let mapped =
            unsafe { mmap(std::ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, &file, 0) };
        let base = NonNull::new(mapped.ok()?.cast())?;
        Some(Self { base, bytes })
    }

    /// What its head says; nothing where it is none of ours.
    pub(super) fn head(&self) -> Option<MetricsSnapshot> {
        let length = MetricsSnapshot::HEAD_BYTES.min(self.bytes);
        let mut head = vec![0_u8; length];
        // SAFETY: the mapping has so many bytes; the node may write meanwhile, which only makes the copy's words younger.
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr(), head.as_mut_ptr(), length) };
        MetricsSnapshot::read(&head).filter(|head| head.plan().bytes() <= self.bytes)
    }

    /// Writes the node's metrics.
    pub(super) fn expose(&self, _format: Format, _page: &mut String) {}
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nobody has kept a pointer into it.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
