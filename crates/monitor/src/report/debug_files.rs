//! Finds the separate file with a module's debug information, where debuggers look for it, and takes it only if it
//! belongs to that very module. See <https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html>.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::Elf;
use super::store::Store;
use super::text::hex;

/// Where the system keeps debug files.
const SYSTEM: &str = "/usr/lib/debug";
/// Folders to look into as well, separated by colons; each may hold a `.build-id` folder.
const FOLDERS: &str = "LIFEBOAT_DEBUG_DIRS";
/// Shorter build ids name no file.
const BUILD_ID_MIN: usize = 2;

/// The debug file of the module at `path`, whose build id in memory was `build_id`.
pub(super) fn find<'s>(
    store: &'s Store,
    path: &Path,
    program_dir: &Path,
    build_id: &[u8],
    module: Option<&Elf<'s>>,
) -> Option<Elf<'s>> {
    let by_id = by_build_id(path, program_dir, build_id).into_iter().find_map(|path| {
        let elf = Elf::parse(store, store.open(&path)?.bytes)?;
        (elf.build_id() == Some(build_id) && elf.has_debug_info()).then_some(elf)
    });
    by_id.or_else(|| by_link(store, path, build_id, module?))
}

/// `.build-id/ab/cdef….debug` in each folder that may hold one.
fn by_build_id(path: &Path, program_dir: &Path, build_id: &[u8]) -> Vec<PathBuf> {
    if build_id.len() < BUILD_ID_MIN {
        return Vec::new();
    }
    let id = hex(build_id);
    let (folder, name) = id.split_at_checked(2).unwrap_or_default();
    let name = format!(".build-id/{folder}/{name}.debug");
    let asked = std::env::var_os(FOLDERS).unwrap_or_default();
    let asked: Vec<PathBuf> = std::env::split_paths(&asked).filter(|folder| folder.is_absolute()).collect();
    let beside = [path.parent().unwrap_or(program_dir), program_dir];
    let folders = std::iter::once(Path::new(SYSTEM)).chain(asked.iter().map(PathBuf::as_path)).chain(beside);
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name)).collect()
}

/// The file that `.gnu_debuglink` names: beside the module, in `.debug/`, or below the system's folder.
fn by_link<'s>(store: &'s Store, path: &Path, build_id: &[u8], module: &Elf<'s>) -> Option<Elf<'s>> {
    let (name, checksum) = module.debug_link()?;
    // A name with a slash in it could lead anywhere.
    if name.is_empty() || name.contains(&b'/') {
        return None;
    }
    let (name, folder) = (OsStr::from_bytes(name), path.parent()?);
    let below_system = Path::new(SYSTEM).join(folder.strip_prefix("/").unwrap_or(folder));
    let places = [folder.join(name), folder.join(".debug").join(name), below_system.join(name)];
    places.iter().filter(|place| *place != path).find_map(|place| {
        let file = store.open(place)?;
        let elf = Elf::parse(store, file.bytes)?;
        let is_same = match elf.build_id() {
            Some(id) if !build_id.is_empty() => id == build_id,
            _ => crc32fast::hash(file.bytes) == checksum,
        };
        (is_same && elf.has_debug_info()).then_some(elf)
    })
}
