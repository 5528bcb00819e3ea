//! The memory that the node counts into, mapped to read.

use std::fs::File;
use std::ptr::NonNull;

use lifeboat_recorder::metrics::{self, MetricsSnapshot, Source, expose};
use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::http::negotiate::Format;

/// A page that a hostile node could fill without end; beyond any that is scraped.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

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
        self.source(b"").map(|source| *source.snapshot())
    }

    /// Gives the pages back that were looked at; the memory itself is the node's.
    pub(super) fn rest(&self) {
        let base = self.base.as_ptr().cast();
        // SAFETY: the range is this mapping; its pages are shared memory, and come back as they are then.
        let _ = unsafe { madvise(base, self.bytes, Advice::LinuxDontNeed) };
    }

    fn source<'l>(&self, labels: &'l [u8]) -> Option<Source<'l>> {
        // SAFETY: the mapping has so many bytes from here on, and the page that is made of the source is done with it before
        // the mapping goes; nobody writes but the node, by whole words.
        unsafe { Source::new(self.base, self.bytes, labels) }
    }
}

/// Writes the metrics of these, each with its labels, to the end of a page: families of one name once.
pub(super) fn append<'o>(all: impl Iterator<Item = (&'o Own, &'o [u8])>, format: Format, page: &mut String) {
    let sources: Vec<_> = all.filter_map(|(own, labels)| own.source(labels)).collect();
    let format = match format {
        Format::Text => metrics::Format::Text,
        Format::OpenMetrics => metrics::Format::OpenMetrics,
    };
    let mut bytes = std::mem::take(page).into_bytes();
    expose(&sources, format, &mut |piece| {
        bytes.extend_from_slice(piece);
        bytes.len() < PAGE_BYTES_MAX
    });
    // The encoder mends what is no text; should it ever not, the page shows it.
    *page = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nobody has kept a pointer into it.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
