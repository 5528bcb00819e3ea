//! One ELF file, as far as a report needs it. Nothing in the file is trusted; nothing here knows of a process.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, SegmentFlags, SymbolKind};

use super::store::{Store, UNPACKED_BYTES_MAX};

/// Most symbols that are looked through for one name.
const SYMBOLS_MAX: usize = 4_000_000;
/// How long the code at a program's entry is at most.
const ENTRY_BYTES: u64 = 64;
const PAGE: u64 = 4096;
const PF_X: u32 = object::elf::PF_X.0;

/// A parsed ELF file.
pub(super) struct Elf<'s> {
    file: ElfFile64<'s, Endianness, &'s [u8]>,
    store: &'s Store,
    frame_info: OnceCell<FrameInfo<'s>>,
    functions: OnceCell<Vec<Function<'s>>>,
}

/// The sections that say how to leave a function.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameInfo<'s> {
    pub(super) eh_frame: Option<(&'s [u8], Range<u64>)>,
    pub(super) eh_frame_hdr: Option<(&'s [u8], Range<u64>)>,
    pub(super) debug_frame: Option<&'s [u8]>,
}

impl<'s> Elf<'s> {
    pub(super) fn parse(store: &'s Store, bytes: &'s [u8]) -> Option<Self> {
        let file = ElfFile64::parse(bytes).ok()?;
        (file.architecture() == native()).then(|| {
            let (frame_info, functions) = (OnceCell::new(), OnceCell::new());
            Self { file, store, frame_info, functions }
        })
    }

    pub(super) fn build_id(&self) -> Option<&'s [u8]> {
        self.file.build_id().ok().flatten().filter(|id| !id.is_empty())
    }

    /// The name and the CRC-32 of the file with its debug information.
    pub(super) fn debug_link(&self) -> Option<(&'s [u8], u32)> {
        self.file.gnu_debuglink().ok().flatten()
    }

    pub(super) fn has_debug_info(&self) -> bool {
        self.file.section_by_name(".debug_info").is_some()
    }

    /// A section's bytes, unpacked where they are compressed.
    pub(super) fn section(&self, name: &str) -> Option<&'s [u8]> {
        let section = self.file.section_by_name(name)?;
        let data = section.compressed_data().ok()?;
        if data.uncompressed_size > UNPACKED_BYTES_MAX && data.format != object::CompressionFormat::None {
            return None;
        }
        let bytes: Cow<'s, [u8]> = data.decompress().ok()?;
        Some(self.store.keep(bytes)).filter(|bytes| !bytes.is_empty())
    }

    /// Where a section lies, as the file states it.
    pub(super) fn section_range(&self, name: &str) -> Option<Range<u64>> {
        let section = self.file.section_by_name(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    }

    /// Looked up once: every step of every thread asks for it.
    pub(super) fn frame_info(&self) -> &FrameInfo<'s> {
        self.frame_info.get_or_init(|| {
            let both = |name| self.section(name).zip(self.section_range(name));
            let (eh_frame, eh_frame_hdr) = (both(".eh_frame"), both(".eh_frame_hdr"));
            FrameInfo { eh_frame, eh_frame_hdr, debug_frame: self.section(".debug_frame") }
        })
    }

    /// The stated address of the byte at this offset of the file, which starts a page.
    pub(super) fn address_of_offset(&self, offset: u64) -> Option<u64> {
        self.file.segments().find_map(|segment| {
            let (start, size) = segment.file_range();
            let (first, end) = (start & !(PAGE - 1), start.checked_add(size)?);
            let is_here = first <= offset && offset < end;
            is_here.then(|| segment.address().wrapping_sub(start).wrapping_add(offset))
        })
    }

    /// Whether the program begins here: the few instructions at its entry call everything else.
    pub(super) fn is_entry(&self, address: u64) -> bool {
        address.checked_sub(self.file.entry()).is_some_and(|offset| offset < ENTRY_BYTES)
    }

    /// The lowest stated address of any segment.
    pub(super) fn base(&self) -> u64 {
        self.file.segments().map(|segment| segment.address() & !(PAGE - 1)).min().unwrap_or(0)
    }

    /// `size` bytes of code before this stated address.
    pub(super) fn code_before(&self, address: u64, size: u64) -> Option<&'s [u8]> {
        self.code_at(address.checked_sub(size)?, size)
    }

    /// `size` bytes of code at this stated address.
    pub(super) fn code_at(&self, address: u64, size: u64) -> Option<&'s [u8]> {
        let mut segments = self.file.segments().filter(
            |segment| matches!(segment.flags(), SegmentFlags::Elf { p_flags, .. } if p_flags.0 & PF_X != 0),
        );
        segments.find_map(|segment| segment.data_range(address, size).ok().flatten())
    }

    /// Whether a symbol has a name of this kind.
    pub(super) fn has_symbol(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let symbols = self.file.symbols().chain(self.file.dynamic_symbols()).take(SYMBOLS_MAX);
        symbols.filter_map(|symbol| symbol.name().ok()).any(is_wanted)
    }

    /// The name of the function whose symbol covers the address, by the symbol's own size; of several the smallest.
    pub(super) fn symbol_at(&self, address: u64) -> Option<(&'s str, u64)> {
        let functions = self.functions.get_or_init(|| self.functions());
        let end = functions.partition_point(|function| function.start <= address);
        let before = functions.get(..end)?.iter().rev();
        // One that starts earlier may be the longer one; no further back than any of them reaches.
        let near = before.take_while(|function| function.reach > address);
        let covering = near.filter(|function| address - function.start < function.size);
        let key = |name: &str| (name.bytes().take_while(|byte| *byte == b'_').count(), name.len());
        let best = covering.min_by_key(|function| (function.size, key(function.name)));
        best.map(|function| (function.name, function.start))
    }

    /// Every function with a name and a size, by its start.
    fn functions(&self) -> Vec<Function<'s>> {
        let symbols = self.file.symbols().chain(self.file.dynamic_symbols()).take(SYMBOLS_MAX);
        let code = symbols.filter(|symbol| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown)
                && symbol.is_definition()
                && symbol.size() > 0
        });
        let named = code.filter_map(|symbol| {
            let name = symbol.name().ok().filter(|name| !name.is_empty())?;
            Some(Function { start: symbol.address(), size: symbol.size(), reach: 0, name })
        });
        let mut functions: Vec<_> = named.collect();
        functions.sort_unstable_by_key(|function| (function.start, function.size));
        let mut reach = 0_u64;
        for function in &mut functions {
            reach = reach.max(function.start.saturating_add(function.size));
            function.reach = reach;
        }
        functions
    }
}

/// A function's symbol.
struct Function<'s> {
    start: u64,
    size: u64,
    /// Where the last of those up to this one ends.
    reach: u64,
    name: &'s str,
}

const fn native() -> object::Architecture {
    #[cfg(target_arch = "x86_64")]
    return object::Architecture::X86_64;
    #[cfg(target_arch = "aarch64")]
    return object::Architecture::Aarch64;
}
