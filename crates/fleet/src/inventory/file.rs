//! Files as an operator names them: bounded, and only what is a file.

use std::fs;
use std::io::Read;
use std::path::Path;

/// No inventory of nodes is longer: a hundred thousand nodes have less.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The text of a file, or what is wrong with it and what mends that. A byte order mark is left out.
pub(super) fn text(path: &Path) -> Result<String, (String, String)> {
    let wrong = |what: String, remedy: &str| Err((what, remedy.to_owned()));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return wrong(format!("cannot be read: {error}"), "name a file that is there"),
    };
    if metadata.is_dir() {
        return wrong("is a folder".into(), "name a file in it");
    }
    // A pipe may never end, and a device such as /dev/zero does not.
    if !metadata.is_file() {
        return wrong("is no ordinary file".into(), "write what it gives to a file, and name that");
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return wrong(format!("cannot be read: {error}"), "let this user read it");
    }
    if bytes.len() as u64 > BYTES_MAX {
        return wrong("is longer than 16 MiB".into(), "name the inventory itself, or split it");
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
