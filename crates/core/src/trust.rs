//! Whether a file may be executed on the node's behalf: nobody but root or this user could have written it.

use core::ffi::CStr;

use lifeboat_abi::Status;

use crate::{state, sys};

const PATH_ROOM: usize = 1024;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
const DIRECTORY: u32 = 0o040_000;
const PLAIN_FILE: u32 = 0o100_000;
const KIND: u32 = 0o170_000;
const X_OK: usize = 1;
const W_OK: usize = 2;
const OWN_FOLDER_MODE: usize = 0o700;

/// A path with its NUL.
pub(crate) struct TrustedPath {
    bytes: [u8; PATH_ROOM],
}

impl TrustedPath {
    /// The path, NUL-terminated.
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

/// Resolves the executable at `path` and looks at it and at every folder above.
pub(crate) fn executable(path: &[u8]) -> Result<TrustedPath, Status> {
    let asked = terminated(path).filter(|_| path.starts_with(b"/")).ok_or(Status::MonitorMissing)?;
    let fd =
        sys::open(asked.as_c_str(), sys::O_PATH | sys::O_CLOEXEC, 0).map_err(|_| Status::MonitorMissing)?;
    let resolved = resolve(fd);
    sys::close(fd);
    let resolved = resolved.ok_or(Status::MonitorMissing)?;
    let path = resolved.as_c_str();
    // A folder passes the look at its execute bits, too.
    sys::stat(path).ok().filter(|it| it.mode & KIND == PLAIN_FILE).ok_or(Status::MonitorMissing)?;
    let arguments = [sys::AT_FDCWD, path.as_ptr() as usize, X_OK, 0, 0, 0];
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { sys::call(sys::number::FACCESSAT, arguments) }.map_err(|_| Status::MonitorMissing)?;
    // The path as it was given, too: who may change a link in it chooses the program.
    let given = asked.as_c_str();
    let is_safe =
        every_part_is_safe(path.to_bytes()) && (given == path || every_part_is_safe(given.to_bytes()));
    if is_safe { Ok(resolved) } else { Err(Status::MonitorUnsafe) }
}

/// Makes the state directory where it is not there, and looks whether a monitor can use it: reports must not vanish
/// after a start that said all is well.
pub(crate) fn own_folder(path: &state::PathBuffer) -> Result<(), Status> {
    let mut folder = TrustedPath { bytes: [0; PATH_ROOM] };
    let length = path.copy_to(&mut folder.bytes);
    if sys::stat(folder.as_c_str()).is_err() {
        for end in 1..=length {
            if end == length || folder.bytes.get(end) == Some(&b'/') {
                let Some(part) = folder.bytes.get(..end).and_then(terminated) else { continue };
                sys::mkdir(part.as_c_str(), OWN_FOLDER_MODE);
            }
        }
    }
    let status = sys::stat(folder.as_c_str()).map_err(|_| Status::StateDirUnusable)?;
    let is_own = status.uid == sys::geteuid() || status.uid == 0;
    let is_folder = status.mode & KIND == DIRECTORY && status.mode & WRITABLE_BY_OTHERS == 0;
    // SAFETY: the path is NUL-terminated and only read.
    let may_write = unsafe {
        sys::call(sys::number::FACCESSAT, [sys::AT_FDCWD, folder.as_c_str().as_ptr() as usize, W_OK, 0, 0, 0])
    };
    if is_own && is_folder && may_write.is_ok() { Ok(()) } else { Err(Status::StateDirUnusable) }
}

/// The real path of an open file, by /proc.
fn resolve(fd: i32) -> Option<TrustedPath> {
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let digits = link.get_mut(14..25)?;
    let mut rest = u32::try_from(fd).ok()?;
    let mut divisor = 1_000_000_000;
    let mut at = digits.iter_mut();
    let mut begun = false;
    while divisor > 0 {
        let digit = rest / divisor;
        rest %= divisor;
        divisor /= 10;
        begun |= digit > 0 || divisor == 0;
        if begun {
            *at.next()? = b'0' + digit as u8;
        }
    }
    let mut resolved = TrustedPath { bytes: [0; PATH_ROOM] };
    let length = sys::readlink(CStr::from_bytes_until_nul(&link).ok()?, &mut resolved.bytes).ok()?.len();
    (length < PATH_ROOM - 1).then_some(resolved)
}

/// Looks at the file itself and at `/`, `/a`, `/a/b`… above it.
fn every_part_is_safe(path: &[u8]) -> bool {
    let user = sys::geteuid();
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at.max(1));
    ends.chain([path.len()]).all(|end| {
        let part = path.get(..end).and_then(terminated);
        part.and_then(|part| sys::stat(part.as_c_str()).ok()).is_some_and(|status| {
            let owned = status.uid == 0 || status.uid == user;
            // In a sticky folder nobody replaces what is another's; the next part's owner is looked at as well.
            let sticky = status.mode & KIND == DIRECTORY && status.mode & STICKY != 0;
            owned && (status.mode & WRITABLE_BY_OTHERS == 0 || sticky)
        })
    })
}

fn terminated(path: &[u8]) -> Option<TrustedPath> {
    let mut bytes = [0; PATH_ROOM];
    if path.len() >= PATH_ROOM || path.contains(&0) {
        return None;
    }
    for (to, from) in bytes.iter_mut().zip(path) {
        *to = *from;
    }
    Some(TrustedPath { bytes })
}
