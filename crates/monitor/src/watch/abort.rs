//! What the C library said before it aborted: the text of a failed `assert`, or of a heap that it found corrupt.
//!
//! glibc keeps its last such message where `__abort_msg` points, for debuggers: a number of bytes, then the text. See
//! <https://sourceware.org/git/?p=glibc.git;a=blob;f=assert/assert.c>. musl keeps nothing. Every byte may be wrong.

use crate::maps::{self, MappedFile};

use super::images::{program_headers, u32_at, u64_at};
use super::memory;

const SYMBOL: &[u8] = b"__abort_msg\0";
/// What glibc's file is called; before 2.34 some distributions used the second form.
const LIBRARIES: [&[u8]; 2] = [b"libc.so.6", b"libc-2."];
const PAGE: usize = 4096;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DYNAMIC_BYTES_MAX: usize = 4096;
const SYMBOL_BYTES: u64 = 24;
/// Most symbols of one hash value that are compared.
const CHAIN_MAX: u32 = 256;
/// Longest message, bytes.
const MESSAGE_MAX: usize = 2048;

/// The message, one line or few; empty where there is none.
#[must_use]
pub(crate) fn message(pid: u32, maps: &[u8]) -> String {
    let mappings = maps::parse(maps);
    let files = maps::files(&mappings);
    let library = files.iter().find(|file| file.has_code() && is_c_library(file.first.path));
    let text = library.and_then(|library| read_message(pid, library)).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn is_c_library(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    LIBRARIES.iter().any(|library| name.starts_with(library))
}

fn read_message(pid: u32, library: &MappedFile<'_>) -> Option<Vec<u8>> {
    let variable = Symbols::of(pid, library)?.find(SYMBOL)?;
    let message = u64_at(&read(pid, variable, 8)?, 0).filter(|address| *address != 0)?;
    let size = u32_at(&read(pid, message, 4)?, 0)?;
    // It lies in pages of its own, as many as are needed: a shorter text ends in zeros.
    let size = usize::try_from(size).ok()?.min(MESSAGE_MAX);
    let mut text = vec![0; size];
    let length = memory::read(pid, message.checked_add(4)?, &mut text).ok()?;
    text.truncate(length);
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    Some(text)
}

/// The dynamic symbols of a library as they are in memory.
struct Symbols {
    pid: u32,
    bias: u64,
    hash: u64,
    names: u64,
    symbols: u64,
}

impl Symbols {
    fn of(pid: u32, library: &MappedFile<'_>) -> Option<Self> {
        let page = read(pid, library.first.start, PAGE)?;
        let headers = program_headers(&page);
        let first = headers.iter().find(|header| header.kind == PT_LOAD)?;
        let bias = library.first.start.wrapping_sub(first.address & !(PAGE as u64 - 1));
        let dynamic = headers.iter().find(|header| header.kind == PT_DYNAMIC)?;
        let size = usize::try_from(dynamic.size).ok()?.min(DYNAMIC_BYTES_MAX);
        let entries = read(pid, bias.wrapping_add(dynamic.address), size)?;
        let of_tag = |tag| {
            let mut found = entries.chunks_exact(16).filter(|entry| u64_at(entry, 0) == Some(tag));
            let value = found.next().and_then(|entry| u64_at(entry, 8))?;
            // The dynamic loader has made addresses of offsets, on some machines.
            Some(if library.first.start <= value { value } else { bias.wrapping_add(value) })
        };
        let (hash, names, symbols) = (of_tag(DT_GNU_HASH)?, of_tag(DT_STRTAB)?, of_tag(DT_SYMTAB)?);
        Some(Self { pid, bias, hash, names, symbols })
    }

    /// The address of a symbol, its name with the closing zero. See <https://flapenguin.me/elf-dt-gnu-hash>: four
    /// numbers, the bloom filter, the buckets, the chains.
    fn find(&self, name: &[u8]) -> Option<u64> {
        let head = read(self.pid, self.hash, 16)?;
        let (buckets, offset, bloom) = (u32_at(&head, 0)?, u32_at(&head, 4)?, u32_at(&head, 8)?);
        let table = self.hash.checked_add(16)?.checked_add(u64::from(bloom).checked_mul(8)?)?;
        let wanted = hash(name);
        let bucket = table.checked_add(u64::from(wanted.checked_rem(buckets)?) * 4)?;
        let first = u32_at(&read(self.pid, bucket, 4)?, 0)?;
        let chains = table.checked_add(u64::from(buckets) * 4)?;
        for index in first..first.checked_add(CHAIN_MAX)? {
            let link = chains.checked_add(u64::from(index.checked_sub(offset)?) * 4)?;
            let found = u32_at(&read(self.pid, link, 4)?, 0)?;
            if found | 1 == wanted | 1 && self.is_named(index, name)? {
                return self.address(index);
            }
            if found & 1 == 1 {
                return None;
            }
        }
        None
    }

    fn is_named(&self, index: u32, name: &[u8]) -> Option<bool> {
        let at = u32_at(&read(self.pid, self.symbol(index)?, 4)?, 0)?;
        Some(read(self.pid, self.names.checked_add(u64::from(at))?, name.len())? == name)
    }

    fn address(&self, index: u32) -> Option<u64> {
        let value = u64_at(&read(self.pid, self.symbol(index)?.checked_add(8)?, 8)?, 0)?;
        Some(self.bias.wrapping_add(value))
    }

    fn symbol(&self, index: u32) -> Option<u64> {
        self.symbols.checked_add(u64::from(index) * SYMBOL_BYTES)
    }
}

fn hash(name: &[u8]) -> u32 {
    let letters = name.iter().take_while(|byte| **byte != 0);
    letters.fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

/// So many bytes, or nothing.
fn read(pid: u32, address: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    (memory::read(pid, address, &mut bytes).ok()? == size).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own C library, where it is glibc: the variable is found, and nothing was said.
    #[test]
    fn own_library_has_said_nothing() {
        let maps = std::fs::read("/proc/self/maps").unwrap();
        let mappings = maps::parse(&maps);
        let files = maps::files(&mappings);
        let library = files.iter().find(|file| is_c_library(file.first.path)).unwrap();
        let symbols = Symbols::of(std::process::id(), library).unwrap();
        assert_eq!(symbols.find(b"malloc\0"), Some(libc::malloc as *const () as u64));
        assert!(symbols.find(SYMBOL).is_some());
        assert_eq!(symbols.find(b"no_such_symbol\0"), None);
        assert_eq!(message(std::process::id(), &maps), "");
    }

    #[test]
    fn nonsense_is_no_library() {
        assert_eq!(message(std::process::id(), b"1000-2000 r-xp 0 1:1 5 /lib/libc.so.6\n"), "");
        assert_eq!(message(std::process::id(), b""), "");
    }
}
