//! Finds the file, has it judged and loads it, for good.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use lifeboat_abi::{ABI_VERSION, API_SYMBOL, ApiFunction, Status as Abi, Table};

use super::super::super::host;
use super::super::super::reporter::Reporter;
use super::super::super::status::Status;
use super::{content, place};

/// The reporter that the environment names, else the options.
pub(in super::super::super) fn find(option: Option<&str>) -> Result<Reporter, Status> {
    let named = std::env::var_os("LIFEBOAT_REPORTER").filter(|path| !path.is_empty());
    let path = named.or_else(|| option.map(OsString::from));
    let Some(path) = path.filter(|path| !path.is_empty()) else { return Err(Status::OFF) };
    if host::is_privileged() {
        return Err(Status::of(Abi::Privileged));
    }
    let path = Path::new(&path);
    if !path.is_absolute() {
        return Err(Status::of(Abi::ReporterNotAbsolute));
    }
    open(path).and_then(|file| load(&file, path)).map_err(Status::of)
}

fn open(path: &Path) -> Result<File, Abi> {
    // Neither a pipe nor a terminal may hold us up or become ours.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Abi::ReporterMissing,
        _ => Abi::ReporterLoadFailed,
    })
}

/// Judges the open file and loads it.
fn load(file: &File, path: &Path) -> Result<Reporter, Abi> {
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file);
    let Some(metadata) = metadata else { return Err(Abi::ReporterNotALibrary) };
    let real = place::judge(file, &metadata, path)?;
    content::judge(file, metadata.len())?;
    let library = load_open(file)?;
    // SAFETY: the symbol carries the contract's major version in its name, and its type with it.
    let api = unsafe { library.get::<ApiFunction>(API_SYMBOL.to_bytes_with_nul()) };
    let Ok(api) = api else { return Err(Abi::ReporterForeign) };
    let table = api(ABI_VERSION, size_of::<Table>() as u32);
    let real = CString::new(real.as_os_str().as_bytes()).map_err(|_| Abi::ReporterUnsafe)?;
    // SAFETY: the library is never unloaded, and it answered for this ABI version.
    let reporter = unsafe { Reporter::new(table, Some(real)) };
    // Its handle is given up, not closed: the library stays.
    let _ = library.into_raw();
    reporter.ok_or(Abi::ReporterOtherVersion)
}

/// Loads the very file that was judged, and for good.
fn load_open(file: &File) -> Result<Library, Abi> {
    /// glibc takes a path that it has loaded before for the same library, and descriptors are used again: each
    /// attempt gets a path of its own, which slashes can give it.
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    let slashes = "/".repeat(ATTEMPTS.fetch_add(1, Ordering::Relaxed) % 64 + 1);
    let path = format!("/proc/self/fd{slashes}{}", file.as_raw_fd());
    // SAFETY: the file was judged: nobody but root and this user could have written what now runs in this process.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE) };
    library.map_err(|_| Abi::ReporterLoadFailed)
}
