//! What the last rendering wrote: so the next one knows its own files from those that somebody changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// Its name in the folder.
pub(super) const NAME: &str = ".lifeboat-render.json";

const VERSION: u32 = 1;

/// None of ours is longer: a hundred thousand fleets have less.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files by path, each with the SHA-256 of what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pub(super) files: BTreeMap<PathBuf, String>,
    /// What a rendering was about to write. It is there only if that rendering was interrupted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unfinished: BTreeMap<PathBuf, String>,
}

impl Manifest {
    pub(super) fn of(files: BTreeMap<PathBuf, String>) -> Self {
        Self { version: VERSION, files, unfinished: BTreeMap::new() }
    }

    /// That of a folder; an empty one where nothing was rendered yet.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Refusal> {
        let path = folder.join(NAME);
        // A link would have us believe a file elsewhere; the one that is written replaces it.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Refusal::place(&path, "is no plain file: take it away"));
        }
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Refusal::io(&path, "read")(error)),
        };
        let refused = |what: String| {
            let remedy = "take it away, and the next rendering names every file that differs";
            Refusal::place(&path, format!("is no manifest of a rendering ({what}): {remedy}"))
        };
        if text.len() as u64 > BYTES_MAX {
            return Err(refused("longer than 64 MiB".into()));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(refused(format!("version {}", manifest.version)));
        }
        let mut paths = manifest.files.keys().chain(manifest.unfinished.keys());
        match paths.find(|path| !is_inside(path)) {
            Some(path) => Err(refused(format!("{} leads out of the folder", path.display()))),
            None => Ok(Some(manifest)),
        }
    }

    pub(super) fn text(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|error| error.to_string())
    }

    /// Whether a rendering wrote a file with this sum, or was about to.
    pub(super) fn knows(&self, path: &Path, sum: &str) -> bool {
        [&self.files, &self.unfinished].iter().any(|files| files.get(path).is_some_and(|known| known == sum))
    }
}

/// Whether a path has names of files and folders only.
pub(super) fn is_inside(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// SHA-256 in hexadecimal.
pub(super) fn sum(bytes: &[u8]) -> String {
    in_hexadecimal(&Sha256::digest(bytes))
}

/// The same of what is read, without holding all of it; none where that is longer than `most`.
pub(super) fn sum_of(from: impl Read, most: u64) -> io::Result<Option<String>> {
    let (mut digest, mut length) = (Sha256::new(), 0);
    let mut reader = BufReader::with_capacity(64 * 1024, from);
    loop {
        let read = match reader.fill_buf() {
            Ok([]) => return Ok(Some(in_hexadecimal(&digest.finalize()))),
            Ok(bytes) => {
                digest.update(bytes);
                bytes.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        reader.consume(read);
        length += read as u64;
        if length > most {
            return Ok(None);
        }
    }
}

fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
