//! The role `check-database`: one look through one SQLite database of the node, which must not feel it. The process lives
//! for this alone, at the lowest priority, and can write no file.
//!
//! What a reader does to a writer decides how it reads. A database that nobody writes, and one with a rollback journal,
//! whose readers keep writers out, is read without any lock; what it says counts where nothing changed meanwhile. One
//! with a write-ahead log in use is read as SQLite reads it: no writer waits for that, but the log cannot begin anew
//! before the reader is done, so it has little time, and none where the log grows.

mod confine;
mod file;
mod read;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, hygiene};

pub(crate) use file::File;
use file::Mode;
use read::Limits;

/// So long the whole of it may take, after which the kernel ends it.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(150);
/// So long a reader may keep a write-ahead log from beginning anew, and so much may be written into it meanwhile.
const LIVE: Limits = Limits { time: Duration::from_secs(30), log_growth_bytes: 64 << 20 };
/// Without a lock nobody is kept from anything.
const STILL: Limits = Limits { time: Duration::from_secs(120), log_growth_bytes: u64::MAX };
/// How often it is tried to find a moment in which nobody writes.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
const DETAIL_MAX: usize = 200;

/// What a check says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every page is as it should be.
    Whole,
    /// Something is not.
    Damaged,
    /// Nothing could be said.
    #[default]
    Undecided,
    /// It does not begin as SQLite's files do: it is none, is encrypted, or was overwritten.
    Foreign,
}

/// A verdict and why, as the role prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The verdict.
    pub verdict: Verdict,
    /// SQLite's first complaint, or why nothing could be said.
    pub detail: String,
}

impl Checked {
    fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into() }
    }

    fn undecided(detail: impl Into<String>) -> Self {
        Self::new(Verdict::Undecided, detail)
    }

    /// What the role wrote. It worked on a file that anybody may have made.
    pub(crate) fn from_output(output: &[u8]) -> Option<Self> {
        let checked: Self = serde_json::from_slice(output.trim_ascii_end()).ok()?;
        let letters = checked.detail.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        Some(Self { detail: letters.take(DETAIL_MAX).collect(), ..checked })
    }
}

/// Checks the database whose absolute path is the argument, and prints a [`Checked`].
///
/// # Errors
/// `is_usage()` where the path is not absolute.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Error> {
    let paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let [path] = paths.as_slice() else { return Err(Error::usage("check-database takes one path")) };
    if !path.is_absolute() {
        return Err(Error::usage("check-database takes an absolute path"));
    }
    hygiene::close_above(2);
    confine::confine(TIME_MAX)?;
    let line = serde_json::to_string(&check(path)).unwrap_or_default();
    writeln!(std::io::stdout(), "{line}").map_err(|error| Error::system("cannot tell the outcome", error))
}

/// Tries until a moment is found in which it can be told.
fn check(path: &Path) -> Checked {
    let mut checked = Checked::default();
    for number in 0..TRIES {
        if number > 0 {
            std::thread::sleep(BETWEEN_TRIES);
        }
        checked = match try_once(path) {
            Ok(checked) => return checked,
            Err(why) => Checked::undecided(why),
        };
    }
    checked
}

/// One try; an error says why another one may find a better moment.
fn try_once(path: &Path) -> Result<Checked, String> {
    let before = match File::look(path) {
        Ok(before) => before,
        Err(error) => return Ok(Checked::undecided(format!("it cannot be read: {error}"))),
    };
    match before.mode {
        Mode::Empty => Ok(Checked::new(Verdict::Whole, "")),
        Mode::Foreign => Ok(Checked::new(Verdict::Foreign, "it is no SQLite database, or an encrypted one")),
        Mode::Logged => Ok(read::quick_check(path, "mode=ro&readonly_shm=1", LIVE)),
        Mode::InTransaction => Err("a transaction was going on each time".into()),
        Mode::Still => {
            let checked = read::quick_check(path, "mode=ro&immutable=1", STILL);
            match File::look(path) {
                Ok(after) if after == before => Ok(checked),
                _ => Err("it was written each time while it was read".into()),
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
