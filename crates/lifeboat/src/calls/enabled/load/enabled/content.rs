//! Judges a file by its own ELF headers: the dynamic loader itself may crash on one that is cut short.
//!
//! Offsets are those of <https://gabi.xinuos.com/elf/02-eheader.html>.

use std::fs::File;
use std::os::unix::fs::FileExt;

use lifeboat_abi::Status as Abi;

const MAGIC: &[u8] = b"\x7fELF";
/// 64 bits, little-endian.
const CLASS_AND_DATA: &[u8] = &[2, 1];
const EM_X86_64: u64 = 62;
const ET_DYN: u64 = 3;
const PT_LOAD: u64 = 1;
const IDENT_BYTES: usize = 16;
const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;

/// Whether the file is a whole shared library for this machine.
pub(super) fn judge(file: &File, file_bytes: u64) -> Result<(), Abi> {
    let mut header = [0_u8; HEADER_BYTES];
    let length = file.read_at(&mut header, 0).unwrap_or(0);
    if !header.starts_with(MAGIC) {
        return Err(Abi::ReporterNotALibrary);
    }
    if length < IDENT_BYTES {
        return Err(Abi::ReporterTruncated);
    }
    if header.get(4..6) != Some(CLASS_AND_DATA) {
        return Err(Abi::ReporterForeign);
    }
    if length < HEADER_BYTES {
        return Err(Abi::ReporterTruncated);
    }
    let header = Fields(&header);
    if header.number(18, 2) != EM_X86_64 {
        return Err(Abi::ReporterForeign);
    }
    let (segments, sections) = (header.number(56, 2), header.number(60, 2));
    if header.number(16, 2) != ET_DYN || header.number(54, 2) != SEGMENT_BYTES as u64 || segments == 0 {
        return Err(Abi::ReporterNotALibrary);
    }
    let first = header.number(32, 8);
    let are_whole = is_within(first, segments, SEGMENT_BYTES as u64, file_bytes)
        && is_within(header.number(40, 8), sections, header.number(58, 2), file_bytes)
        && (0..segments).all(|index| is_whole(file, first + index * SEGMENT_BYTES as u64, file_bytes));
    if are_whole { Ok(()) } else { Err(Abi::ReporterTruncated) }
}

/// Whether what a segment wants to be loaded is there.
fn is_whole(file: &File, offset: u64, file_bytes: u64) -> bool {
    let mut segment = [0_u8; SEGMENT_BYTES];
    if file.read_exact_at(&mut segment, offset).is_err() {
        return false;
    }
    let segment = Fields(&segment);
    segment.number(0, 4) != PT_LOAD || is_within(segment.number(8, 8), 1, segment.number(32, 8), file_bytes)
}

/// Whether `count` pieces of `bytes` from `offset` lie within the file.
fn is_within(offset: u64, count: u64, bytes: u64, file_bytes: u64) -> bool {
    let end = count.checked_mul(bytes).and_then(|bytes| offset.checked_add(bytes));
    end.is_some_and(|end| end <= file_bytes)
}

/// The little-endian numbers of a header.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&self, offset: usize, bytes: usize) -> u64 {
        let field = self.0.iter().skip(offset).take(bytes).rev();
        field.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
