//! Owns the bytes that modules are read from: files mapped read-only, and sections unpacked.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use memmap2::Mmap;
use typed_arena::Arena;

use super::envelope::Detail;

/// Largest file that is looked into.
const FILE_BYTES_MAX: u64 = 8 << 30;
/// Largest unpacked section.
pub(super) const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// Lives as long as a report is being made.
pub(super) struct Store {
    detail: Detail,
    files: Arena<Mmap>,
    buffers: Arena<Vec<u8>>,
}

/// A mapped file.
#[derive(Clone, Copy)]
pub(super) struct OpenFile<'s> {
    pub(super) bytes: &'s [u8],
    pub(super) device: (u32, u32),
    pub(super) inode: u64,
}

impl Store {
    /// With [`Detail::CaptureOnly`] no file can be opened.
    pub(super) fn new(detail: Detail) -> Self {
        Self { detail, files: Arena::new(), buffers: Arena::new() }
    }

    /// Maps a plain file. A file that shrinks while it is mapped ends this process; `role` then makes do without.
    pub(super) fn open(&self, path: &Path) -> Option<OpenFile<'_>> {
        if self.detail == Detail::CaptureOnly {
            return None;
        }
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() == 0 || metadata.len() > FILE_BYTES_MAX {
            return None;
        }
        let device = (libc::major(metadata.dev()), libc::minor(metadata.dev()));
        Some(OpenFile { bytes: self.map(&file)?, device, inode: metadata.ino() })
    }

    /// Keeps a section that had to be unpacked.
    pub(super) fn keep<'s>(&'s self, bytes: Cow<'s, [u8]>) -> &'s [u8] {
        match bytes {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => self.buffers.alloc(bytes),
        }
    }

    fn map(&self, file: &File) -> Option<&[u8]> {
        // SAFETY: mapped read-only; a writer elsewhere could change the bytes, and every reader here checks what it
        // reads, as it must with any file.
        let map = unsafe { Mmap::map(file) }.ok()?;
        Some(self.files.alloc(map))
    }
}
