//! Small files of the state directory that several processes change: each is read, changed and replaced whole, under the
//! lock of its folder. Readers need no lock. What is in them is `lives`', `post`'s and the sampler's business.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::spool::write_whole;

const LOCK: &str = ".lock";
/// How long somebody else may hold the lock: his work is to write one small file.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(5);
/// The form of these files.
const VERSION: u32 = 1;
/// Who writes more is not one of us.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    record: T,
}

/// What is on record.
///
/// # Errors
/// `is_missing()` where nothing is; `is_malformed()` where nobody could read it.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = crate::envelope::read_bounded(path, FILE_BYTES_MAX)?;
    let read: Versioned<T> = serde_json::from_slice(&bytes)
        .map_err(|error| Error::malformed(format!("{}: {error}", path.display())))?;
    if read.version != VERSION {
        return Err(Error::malformed(format!("{} has version {}", path.display(), read.version)));
    }
    Ok(read.record)
}

/// What is on record; what there is at the beginning where nothing is.
///
/// # Errors
/// As above, but where nothing is.
pub(crate) fn read_or_default<T: Default + DeserializeOwned>(path: &Path) -> Result<T, Error> {
    match read(path) {
        Err(error) if error.is_missing() => Ok(T::default()),
        read => read,
    }
}

/// Changes what is on record, with nobody else at it; `change` says whether there is anything to write. A file that
/// nobody could read is set aside, and its record begins anew.
///
/// # Errors
/// Where the file cannot be read now or not be written, or where somebody holds the lock for too long.
pub(crate) fn change<T: Default + Serialize + DeserializeOwned>(
    path: &Path,
    change: impl FnOnce(&mut T) -> bool,
) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let _lock = lock(&folder.join(LOCK))?;
    let mut record = match read(path) {
        Ok(record) => record,
        Err(error) if error.is_missing() => T::default(),
        Err(error) if error.is_malformed() => {
            set_aside(path)?;
            T::default()
        }
        // A disk that cannot be read now may be later: nothing is begun anew over what is there.
        Err(error) => return Err(error),
    };
    if !change(&mut record) {
        return Ok(());
    }
    let bytes = serde_json::to_vec(&Versioned { version: VERSION, record })
        .map_err(|error| Error::malformed(error.to_string()))?;
    write_whole(folder, path, &bytes)
}

/// Seconds since 1970.
pub(crate) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Nobody can read it any more, but it stays for somebody to look at.
fn set_aside(path: &Path) -> Result<(), Error> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".corrupt-{}", now_seconds()));
    fs::rename(path, &aside).map_err(|error| Error::at("cannot set aside", path, error))
}

/// The lock goes with the file that is answered.
fn lock(path: &Path) -> Result<File, Error> {
    let unlockable = |error: io::Error| Error::at("cannot lock", path, error);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path).map_err(unlockable)?;
    let from = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::AGAIN) if from.elapsed() < LOCK_PATIENCE => std::thread::sleep(NAP),
            Err(error) => return Err(unlockable(error.into())),
        }
    }
}
