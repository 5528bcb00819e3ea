//! Reads build ids out of the node's memory: what is mapped counts, not what lies on disk by now.

use crate::capture::Image;
use crate::maps::{self, MappedFile};

use super::memory::{self, Piece};

/// How much of a file's first mapping is read; program headers and notes come first in most files.
const PAGE: usize = 4096;
/// Most files that are looked at.
const FILES_MAX: usize = 1024;
/// Most program headers of a file that are looked at.
const HEADERS_MAX: usize = 64;
/// Most bytes of notes in a file.
const NOTES_MAX: u64 = 16 * 1024;
/// Longest build id, bytes.
const BUILD_ID_MAX: usize = 64;
const PT_NOTE: u32 = 4;
const PT_LOAD: u32 = 1;
const NT_GNU_BUILD_ID: u32 = 3;

/// The build id of every mapped file of `pid` that has code and a build id.
#[must_use]
pub fn images(pid: u32, maps: &[u8]) -> Vec<Image> {
    let mappings = maps::parse(maps);
    let files = maps::files(&mappings);
    let files: Vec<_> = files.into_iter().filter(MappedFile::has_code).take(FILES_MAX).collect();
    let mut pages = vec![0; files.len() * PAGE];
    read_first_pages(pid, &files, &mut pages);
    let images = files.iter().zip(pages.chunks_exact(PAGE)).filter_map(|(file, page)| {
        let build_id = build_id(pid, file, page)?;
        Some(Image { start: file.first.start, build_id })
    });
    images.collect()
}

/// Reads the first page of each file in as few calls as there are unreadable files, plus one.
fn read_first_pages(pid: u32, files: &[MappedFile<'_>], pages: &mut [u8]) {
    let mut done = 0;
    while done < files.len() {
        let rest = files.iter().zip(pages.chunks_exact_mut(PAGE)).skip(done);
        let mut pieces: Vec<_> = rest.map(|(file, into)| Piece { address: file.first.start, into }).collect();
        let read = memory::read_all(pid, &mut pieces);
        match read {
            Err(error) if error.raw_os_error() != Some(libc::EFAULT) => return,
            // The file after the last whole page is the one that could not be read.
            read => done += read.unwrap_or(0) / PAGE + 1,
        }
    }
}

fn build_id(pid: u32, file: &MappedFile<'_>, page: &[u8]) -> Option<Vec<u8>> {
    if file.first.offset != 0 || !page.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let headers = program_headers(page);
    let first_load = headers.iter().find(|header| header.kind == PT_LOAD)?;
    let bias = file.first.start.wrapping_sub(first_load.address & !(PAGE as u64 - 1));
    let mut notes = headers.iter().filter(|header| header.kind == PT_NOTE);
    notes.find_map(|header| {
        let size = header.size.min(NOTES_MAX);
        let within = usize::try_from(header.offset).ok().zip(usize::try_from(size).ok());
        let (from, bytes) = within?;
        match page.get(from..from.checked_add(bytes)?) {
            Some(notes) => find_build_id(notes),
            None => {
                let mut notes = vec![0; bytes];
                let read = memory::read(pid, bias.wrapping_add(header.address), &mut notes).ok()?;
                find_build_id(notes.get(..read)?)
            }
        }
    })
}

pub(super) struct ProgramHeader {
    pub(super) kind: u32,
    offset: u64,
    pub(super) address: u64,
    pub(super) size: u64,
}

/// See elf(5): `e_phoff` at 32, `e_phentsize` at 54, `e_phnum` at 56.
pub(super) fn program_headers(page: &[u8]) -> Vec<ProgramHeader> {
    let table = u64_at(page, 32).and_then(|offset| usize::try_from(offset).ok());
    let stride = u16_at(page, 54).map_or(0, usize::from);
    let count = u16_at(page, 56).map_or(0, usize::from).min(HEADERS_MAX);
    let header = |index: usize| {
        let at = page.get(table?.checked_add(index * stride)?..)?;
        Some(ProgramHeader {
            kind: u32_at(at, 0)?,
            offset: u64_at(at, 8)?,
            address: u64_at(at, 16)?,
            size: u64_at(at, 32)?,
        })
    };
    (0..count).map_while(header).collect()
}

/// The build id among these notes: each is the sizes of name and description, a type, then both, padded to 4.
fn find_build_id(notes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = notes;
    loop {
        let name_size = usize::try_from(u32_at(rest, 0)?).ok()?;
        let size = usize::try_from(u32_at(rest, 4)?).ok()?;
        let kind = u32_at(rest, 8)?;
        let description = 12_usize.checked_add(name_size.checked_next_multiple_of(4)?)?;
        let next = description.checked_add(size.checked_next_multiple_of(4)?)?;
        let is_gnu = rest.get(12..16) == Some(b"GNU\0") && name_size == 4;
        if kind == NT_GNU_BUILD_ID && is_gnu && (1..=BUILD_ID_MAX).contains(&size) {
            return rest.get(description..description.checked_add(size)?).map(<[u8]>::to_vec);
        }
        rest = rest.get(next..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
