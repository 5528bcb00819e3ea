//! What was loaded in the process, and the files on disk that are still the same. A file that is not, or cannot be
//! shown to be, is not looked into: better no name than a wrong one.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::capture::Image;
use crate::maps::{self, MappedFile};

use super::debug_files;
use super::elf::Elf;
use super::nim;
use super::store::Store;

/// Most modules that are looked at.
const MODULES_MAX: usize = 1024;

/// Where systems keep libraries that are nobody's own.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/nix/store/", "/gnu/store/"];
/// Libraries of every program, wherever they lie; the last one is ours.
const COMMON: [&str; 6] = ["libc.", "ld-", "libgcc_s", "libstdc++", "libm.", "liblifeboat_reporter"];

/// The loaded files.
pub(super) struct Modules<'s> {
    list: Vec<Module<'s>>,
}

/// One loaded file.
pub(super) struct Module<'s> {
    pub(super) path: PathBuf,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The program itself, and libraries that the system did not bring along.
    pub(super) is_own: bool,
    /// Where its code lies.
    code: Vec<(u64, u64)>,
    /// As it was in memory, or in the file that was shown to be the same.
    pub(super) build_id: Vec<u8>,
    /// The file, where it is the one that was loaded.
    pub(super) elf: Option<Elf<'s>>,
    first_offset: u64,
    store: &'s Store,
    /// The folder of the program, where debug files may lie too.
    program_dir: PathBuf,
    debug: OnceCell<Option<Elf<'s>>>,
    bias: OnceCell<Option<u64>>,
    is_nim: OnceCell<bool>,
}

impl<'s> Modules<'s> {
    /// Reads the list of mappings and opens what is still the same on disk.
    pub(super) fn open(store: &'s Store, maps: &[u8], images: &[Image], program: &str) -> Self {
        let mappings = maps::parse(maps);
        let files = maps::files(&mappings);
        let code = files.iter().filter(|file| file.has_code()).take(MODULES_MAX);
        let list = code.map(|file| Module::open(store, file, images, Path::new(program))).collect();
        Self { list }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Module<'s>> {
        self.list.iter()
    }

    /// The module that has this address, and its number.
    pub(super) fn find(&self, address: u64) -> Option<(usize, &Module<'s>)> {
        let index = self.list.partition_point(|module| module.start <= address).checked_sub(1)?;
        let module = self.list.get(index)?;
        (address < module.end).then_some((index, module))
    }

    /// Whether code of a loaded file may run here.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.find(address).is_some_and(|(_, module)| module.is_code(address))
    }
}

impl<'s> Module<'s> {
    fn open(store: &'s Store, file: &MappedFile<'_>, images: &[Image], program: &Path) -> Self {
        let path = PathBuf::from(OsStr::from_bytes(file.first.path));
        let image = images.iter().find(|image| image.start == file.first.start);
        let elf = open_same(store, &path, file, image);
        let of_file = elf.as_ref().and_then(Elf::build_id).map(<[u8]>::to_vec);
        let build_id = image.map(|image| image.build_id.clone()).or(of_file).unwrap_or_default();
        let code = file.mappings.iter().filter(|mapping| mapping.is_executable);
        Self {
            is_own: is_own(&path, program),
            path,
            start: file.first.start,
            end: file.end,
            code: code.map(|mapping| (mapping.start, mapping.end)).collect(),
            build_id,
            elf,
            first_offset: file.first.offset,
            store,
            program_dir: program.parent().unwrap_or(program).to_owned(),
            debug: OnceCell::new(),
            bias: OnceCell::new(),
            is_nim: OnceCell::new(),
        }
    }

    pub(super) fn is_code(&self, address: u64) -> bool {
        self.code.iter().any(|(start, end)| (*start..*end).contains(&address))
    }

    /// Whether a Nim runtime is in it.
    pub(super) fn is_nim(&self) -> bool {
        *self.is_nim.get_or_init(|| {
            let files = self.elf.as_ref().into_iter().chain(self.debug());
            self.is_own && files.into_iter().any(|elf| elf.has_symbol(nim::is_runtime_symbol))
        })
    }

    /// What to add to an address that the file states to get one in the process.
    pub(super) fn bias(&self) -> Option<u64> {
        *self.bias.get_or_init(|| {
            let elf = self.elf.as_ref().or_else(|| self.debug())?;
            let stated = elf.address_of_offset(self.first_offset).unwrap_or_else(|| elf.base());
            Some(self.start.wrapping_sub(stated))
        })
    }

    /// The address as the file states it.
    pub(super) fn stated(&self, address: u64) -> Option<u64> {
        Some(address.wrapping_sub(self.bias()?))
    }

    /// The file with this module's debug information: itself, or the one that belongs to it beyond doubt.
    pub(super) fn debug(&self) -> Option<&Elf<'s>> {
        if self.elf.as_ref().is_some_and(Elf::has_debug_info) {
            return self.elf.as_ref();
        }
        let find = || {
            debug_files::find(self.store, &self.path, &self.program_dir, &self.build_id, self.elf.as_ref())
        };
        self.debug.get_or_init(find).as_ref()
    }
}

/// Opens the file if its build id is the one that was in memory or, where memory showed none, if it is the very
/// file that was mapped.
fn open_same<'s>(
    store: &'s Store,
    path: &Path,
    mapped: &MappedFile<'_>,
    image: Option<&Image>,
) -> Option<Elf<'s>> {
    let file = store.open(path)?;
    let elf = Elf::parse(store, file.bytes)?;
    let is_same = match image {
        Some(image) => elf.build_id() == Some(&image.build_id),
        None => (file.device, file.inode) == (mapped.first.device, mapped.first.inode),
    };
    is_same.then_some(elf)
}

fn is_own(path: &Path, program: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_system = SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder));
    path == program || !(is_system || COMMON.iter().any(|start| name.starts_with(start)))
}
