//! Files as an operator names them: bounded, and only what is a file.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// No inventory of nodes is longer: a hundred thousand nodes have less.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is wrong with a file, and what mends that.
type Fault = (String, String);

fn wrong<T>(what: impl Into<String>, remedy: &str) -> Result<T, Fault> {
    Err((what.into(), remedy.to_owned()))
}

/// The file, opened; what is no file that this user may read is refused.
pub(super) fn open(path: &Path) -> Result<File, Fault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return wrong(format!("cannot be read: {error}"), "name a file that is there"),
    };
    if metadata.is_dir() {
        return wrong("is a folder", "name a file in it");
    }
    // A pipe may never end, and a device such as /dev/zero does not.
    if !metadata.is_file() {
        return wrong("is no ordinary file", "write what it gives to a file, and name that");
    }
    File::open(path).or_else(|error| wrong(format!("cannot be read: {error}"), "let this user read it"))
}

/// The text of a file, or what is wrong with it. A byte order mark is left out.
pub(super) fn text(path: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    if let Err(error) = open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes) {
        return wrong(format!("cannot be read: {error}"), "let this user read it");
    }
    if bytes.len() as u64 > BYTES_MAX {
        return wrong("is longer than 16 MiB", "name the inventory itself, or split it");
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
            wrong(format!("is no UTF-8 text: see line {line}"), "save it as UTF-8")
        }
    }
}
