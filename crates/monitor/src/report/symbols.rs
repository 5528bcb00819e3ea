//! From an address to function, file and line. A name is given only where the debug information or a symbol's own
//! size says that the address belongs to it.

use std::collections::HashMap;
use std::rc::Rc;

use addr2line::Context;
use gimli::{EndianSlice, LittleEndian, SectionId};

use super::demangle::demangle;
use super::elf::Elf;
use super::modules::{Module, Modules};
use super::text::cut;

type Reader<'s> = EndianSlice<'s, LittleEndian>;

/// Most functions that are inlined at one address.
const INLINED_MAX: usize = 32;
/// Longest file name, characters.
const FILE_MAX: usize = 1024;

/// Where an address is in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Location {
    /// The function, readable.
    pub(super) function: Option<String>,
    /// The function as the linker knows it, where that differs.
    pub(super) symbol: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

/// Looks up addresses of one process.
pub(super) struct Symbols<'m, 's> {
    modules: &'m Modules<'s>,
    debug: HashMap<usize, Option<Context<Reader<'s>>>>,
    found: HashMap<u64, Rc<[Location]>>,
}

impl<'m, 's> Symbols<'m, 's> {
    pub(super) fn new(modules: &'m Modules<'s>) -> Self {
        Self { modules, debug: HashMap::new(), found: HashMap::new() }
    }

    /// The function at this address and those it was inlined into, innermost first; empty where nothing is known.
    pub(super) fn look_up(&mut self, address: u64) -> Rc<[Location]> {
        if let Some(found) = self.found.get(&address) {
            return Rc::clone(found);
        }
        let found: Rc<[Location]> = self.search(address).unwrap_or_default().into();
        self.found.insert(address, Rc::clone(&found));
        found
    }

    fn search(&mut self, address: u64) -> Option<Vec<Location>> {
        let (index, module) = self.modules.find(address)?;
        let stated = module.stated(address)?;
        let context = self.debug.entry(index).or_insert_with(|| debug_information(module));
        let mut locations =
            context.as_ref().map_or_else(Vec::new, |context| by_debug_info(context, stated, module.is_nim()));
        // Code without debug information, such as assembly, may still have a symbol; and line tables alone have Rust's names
        // without what they are in.
        let outermost = locations.last();
        if outermost.is_none_or(|outermost| outermost.symbol.is_none()) {
            let is_nameless = outermost.is_none_or(|outermost| outermost.function.is_none());
            let named = by_symbol(module, stated).filter(|named| is_nameless || is_rust(named));
            match (locations.last_mut(), named) {
                (Some(outermost), Some(named)) => {
                    (outermost.function, outermost.symbol) = (named.function, named.symbol);
                }
                (None, Some(named)) => locations.push(named),
                (_, None) => {}
            }
        }
        Some(locations)
    }
}

/// For code of the node's own. Of the system's libraries a name will do: unpacking the C library's debug information
/// takes longer than all the rest. Only what lookups need; each section is unpacked only if it is there and packed.
fn debug_information<'s>(module: &Module<'s>) -> Option<Context<Reader<'s>>> {
    let elf = module.debug().filter(|_| module.is_own)?;
    let load = |id: SectionId| -> Result<_, gimli::Error> {
        let is_needed =
            !matches!(id, SectionId::DebugFrame | SectionId::DebugMacinfo | SectionId::DebugMacro);
        let bytes = if is_needed { elf.section(id.name()) } else { None };
        Ok(EndianSlice::new(bytes.unwrap_or_default(), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(load).ok()?;
    Context::from_dwarf(dwarf).ok()
}

fn by_debug_info(context: &Context<Reader<'_>>, address: u64, is_nim: bool) -> Vec<Location> {
    let mut locations = Vec::new();
    let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return locations };
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
        let mut location = name.map_or_else(Location::default, |name| named(&name, is_nim));
        if let Some(place) = frame.location {
            location.file = place.file.map(|file| cut(file.to_owned(), FILE_MAX));
            location.line = place.line.filter(|line| *line != 0);
            location.column = place.column.filter(|column| *column != 0);
        }
        if locations.len() < INLINED_MAX && location != Location::default() {
            locations.push(location);
        }
    }
    locations
}

fn by_symbol(module: &Module<'_>, address: u64) -> Option<Location> {
    let in_module = module.elf.as_ref().and_then(|elf| elf.symbol_at(address));
    let found = in_module.or_else(|| module.debug().and_then(|elf: &Elf<'_>| elf.symbol_at(address)));
    found.map(|(name, _)| named(name, module.is_nim()))
}

fn is_rust(named: &Location) -> bool {
    named.symbol.as_deref().is_some_and(|symbol| rustc_demangle::try_demangle(symbol).is_ok())
}

fn named(name: &str, is_nim: bool) -> Location {
    let readable = demangle(name, is_nim);
    let symbol = (readable != name).then(|| cut(name.to_owned(), FILE_MAX));
    Location { function: Some(readable), symbol, ..Location::default() }
}
