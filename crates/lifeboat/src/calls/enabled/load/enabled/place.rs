//! Judges a file by where it lies: nobody but root and this user may have written it or a folder above it.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lifeboat_abi::Status as Abi;

/// `PATH_MAX`, without its NUL.
const PATH_BYTES_MAX: usize = 4095;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// The real path of the open file, if it lies where only root and this user could have put it.
pub(super) fn judge(file: &File, opened: &Metadata, path: &Path) -> Result<PathBuf, Abi> {
    let real = real_path(file, opened).filter(|_| is_only_ours(opened)).ok_or(Abi::ReporterUnsafe)?;
    // The path as given matters too: whoever may change a link in it chooses the file.
    if is_safe(&real) && (real == path || is_safe(path)) { Ok(real) } else { Err(Abi::ReporterUnsafe) }
}

/// The path as the kernel knows it; none for a file that was deleted or replaced.
fn real_path(file: &File, opened: &Metadata) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let found = fs::symlink_metadata(&path).ok()?;
    let is_same = found.dev() == opened.dev() && found.ino() == opened.ino();
    (path.is_absolute() && is_same).then_some(path)
}

/// Every component of an absolute path, the root folder and the last one included.
fn is_safe(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let ends = (1..=bytes.len()).filter(|end| matches!(bytes.get(*end), None | Some(b'/')));
    let mut components =
        ends.filter_map(|end| bytes.get(..end)).map(|part| Path::new(OsStr::from_bytes(part)));
    bytes.len() <= PATH_BYTES_MAX && is_component_safe(Path::new("/")) && components.all(is_component_safe)
}

/// Of a symbolic link, which has no mode of its own, the owner and the target count.
fn is_component_safe(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    if !found.is_symlink() {
        return is_only_ours(&found);
    }
    is_owner_trusted(&found) && fs::metadata(path).is_ok_and(|target| is_only_ours(&target))
}

/// Whether root or this user owns it, and nobody else may write. A sticky folder may be written by anybody: what it
/// holds stays its owner's, and the owner of the next component is looked at in its turn.
fn is_only_ours(found: &Metadata) -> bool {
    let is_sticky_folder = found.is_dir() && found.mode() & STICKY != 0;
    is_owner_trusted(found) && (is_sticky_folder || found.mode() & OTHERS_WRITE == 0)
}

fn is_owner_trusted(found: &Metadata) -> bool {
    found.uid() == 0 || found.uid() == user()
}

/// The user whose rights count.
fn user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
