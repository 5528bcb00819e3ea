//! The structure of an ELF file: symbols, needed libraries, and which bytes are debug information.

use std::fs::File;

use object::read::elf::{ElfFile, FileHeader};
use object::{Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef, SectionFlags, elf};

/// How an archive begins, whole or thin. See <https://man7.org/linux/man-pages/man5/ar.5.html>.
const ARCHIVES: [&[u8]; 2] = [b"!<arch>\n", b"!<thin>\n"];

/// What of the file matters here.
#[derive(Debug, Default)]
pub(super) struct Structure {
    pub(super) symbols: Vec<Symbol>,
    pub(super) needed: Vec<String>,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) is_defined: bool,
}

#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    /// Debug information that is not loaded: what stands there is never run or read by the program.
    pub(super) is_debug: bool,
    start: u64,
    end: u64,
}

impl Structure {
    pub(super) fn section_at(&self, offset: u64) -> Option<&Section> {
        self.sections.iter().find(|section| (section.start..section.end).contains(&offset))
    }
}

/// Reads what there is; an ELF file without sections or symbols is read as well as any other.
pub(super) fn read(file: &File) -> Result<Structure, String> {
    let cache = ReadCache::new(file);
    match object::FileKind::parse(&cache) {
        Ok(object::FileKind::Elf64) => Ok(structure::<elf::FileHeader64<object::Endianness>, _>(&cache)),
        Ok(object::FileKind::Elf32) => Ok(structure::<elf::FileHeader32<object::Endianness>, _>(&cache)),
        _ if (&cache).read_bytes_at(0, 8).is_ok_and(|head| ARCHIVES.contains(&head)) => {
            Err("an archive: audit the program that it is linked into, or each object of it (ar x)"
                .to_owned())
        }
        _ => Err("is not an ELF file".to_owned()),
    }
}

fn structure<'data, H, R>(data: R) -> Structure
where
    H: FileHeader<Endian = object::Endianness>,
    R: ReadRef<'data>,
    H: 'data,
{
    // The kernel runs programs whose section headers are nonsense: then all bytes count as code.
    let Ok(file) = ElfFile::<H, R>::parse(data) else { return Structure::default() };
    let symbols = file.symbols().chain(file.dynamic_symbols()).filter_map(|symbol| {
        let name = symbol.name().ok()?.to_owned();
        // The names of source files stand in the symbol table too: they are no code.
        let is_code = symbol.kind() != object::SymbolKind::File && !name.is_empty();
        is_code.then_some(Symbol { name, is_defined: symbol.is_definition() })
    });
    let sections = file.sections().filter_map(|section| {
        let (start, size) = section.file_range()?;
        let name = section.name().unwrap_or_default().to_owned();
        let is_loaded = match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.contains(elf::SHF_ALLOC),
            _ => true,
        };
        let is_debug =
            !is_loaded && [".debug", ".zdebug", ".gnu_debug"].iter().any(|prefix| name.starts_with(prefix));
        Some(Section { name, is_debug, start, end: start.saturating_add(size) })
    });
    Structure { symbols: symbols.collect(), sections: sections.collect(), needed: needed(&file) }
}

/// From the section headers; where a program has none, the scan of all bytes finds the names.
fn needed<'data, H, R>(file: &ElfFile<'data, H, R>) -> Vec<String>
where
    H: FileHeader<Endian = object::Endianness>,
    R: ReadRef<'data>,
{
    let Ok(table) = file.elf_dynamic_table() else { return Vec::new() };
    let entries = table.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
    let names = entries.filter_map(|entry| table.string(entry).ok());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}
