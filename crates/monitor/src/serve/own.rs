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

/// Writes the metrics of these, each with its labels, to the end of a page: families of one name once. Whether there was
/// room for all.
pub(super) fn append<'o>(
    all: impl Iterator<Item = (&'o Own, &'o [u8])>,
    format: Format,
    page: &mut String,
) -> bool {
    let sources: Vec<_> = all.filter_map(|(own, labels)| own.source(labels)).collect();
    let format = match format {
        Format::Text => metrics::Format::Text,
        Format::OpenMetrics => metrics::Format::OpenMetrics,
    };
    let mut bytes = std::mem::take(page).into_bytes();
    let is_whole = write(&mut bytes, PAGE_BYTES_MAX, |sink| expose(&sources, format, sink).is_whole);
    // The encoder mends what is no text; should it ever not, the page shows it.
    *page = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    is_whole
}

/// Takes pieces while there is room. What stands there then is families, each with all its series: half of one, or half a
/// line, would be a page that nobody can read.
fn write(
    bytes: &mut Vec<u8>,
    bytes_max: usize,
    pieces: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> bool,
) -> bool {
    let begun = bytes.len();
    let mut is_full = false;
    let is_whole = pieces(&mut |piece| {
        is_full |= bytes.len() + piece.len() > bytes_max;
        if !is_full {
            bytes.extend_from_slice(piece);
        }
        !is_full
    });
    if is_full || !is_whole {
        let of_last = last_family(bytes.get(begun..).unwrap_or_default());
        bytes.truncate(begun + of_last);
    }
    !is_full && is_whole
}

/// Where the last family of a page begins.
fn last_family(page: &[u8]) -> usize {
    let (mut at, mut family, mut was_comment) = (0, 0, false);
    for line in page.split_inclusive(|byte| *byte == b'\n') {
        let is_comment = line.starts_with(b"#");
        if is_comment && !was_comment {
            family = at;
        }
        was_comment = is_comment;
        at += line.len();
    }
    family
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nobody has kept a pointer into it.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_full_ends_with_a_whole_family() {
        const PAGE: &str =
            "# HELP a A.\n# TYPE a gauge\na 1\na{b=\"\\n# c\"} 2\n# TYPE d gauge\nd 3\nd{e=\"f\"} 4\n";
        let second = PAGE.find("# TYPE d").unwrap();
        for piece_bytes in [1, 3, 7, 1000] {
            for bytes_max in 0..=PAGE.len() {
                let mut bytes = b"# x\n".to_vec();
                let is_whole =
                    write(&mut bytes, bytes_max + 4, |sink| PAGE.as_bytes().chunks(piece_bytes).all(sink));
                let page = std::str::from_utf8(&bytes[4..]).unwrap();
                assert_eq!(is_whole, bytes_max == PAGE.len(), "{bytes_max}");
                assert!([0, second, PAGE.len()].contains(&page.len()) && PAGE.starts_with(page), "{page}");
            }
        }
    }
}
