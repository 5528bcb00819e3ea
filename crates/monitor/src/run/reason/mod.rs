//! Why a program ended, by its own last lines: the forms in which Nim, Rust, C++ and the C library tell it.
//!
//! A pure function over lines of one stream. What of it is believed, and when, is `conclude`'s job.

mod cpp;
mod libc;
mod nim;
mod rust;

use lifeboat_abi::Origin;

/// Most lines that a message may go on for.
const MESSAGE_LINES_MAX: usize = 32;
/// Most frames that are taken from a traceback.
const FRAMES_MAX: usize = 64;

/// What a program said of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The language that said it.
    pub origin: Origin,
    /// The exception's type.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// Where it came from, innermost first, as far as the text tells.
    pub frames: Vec<Frame>,
    /// The line that it was found in, counted from the first that was handed in.
    pub line: usize,
}

/// One frame of a traceback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function; empty where it is not told.
    pub function: String,
    /// The source file.
    pub file: String,
    /// The line; 0 where it is not told.
    pub line: u32,
    /// The column; 0 where it is not told.
    pub column: u32,
}

/// The last reason among these lines, oldest first, without their ends and without terminal escapes.
#[must_use]
pub fn find(lines: &[&str]) -> Option<Reason> {
    let forms = [nim::at, rust::at, cpp::at, libc::at];
    (0..lines.len()).rev().find_map(|at| {
        let (before, from) = lines.split_at_checked(at)?;
        let (first, after) = from.split_first()?;
        let told = forms.iter().find_map(|form| form(before, first, after))?;
        Some(Reason { line: at, ..told })
    })
}

/// A reason that needs no traceback.
fn bare(origin: Origin, kind: &str, message: &str) -> Reason {
    let (kind, message) = (kind.to_owned(), message.trim().to_owned());
    Reason { origin, kind, message, frames: Vec::new(), line: 0 }
}

/// `src/main.rs:3:5` as file, line and column; the last may be missing.
fn place(text: &str) -> Option<(&str, u32, u32)> {
    let (head, last) = text.rsplit_once(':')?;
    let last = last.parse().ok()?;
    match head.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) if !file.is_empty() => Some((file, line, last)),
        _ if head.is_empty() => None,
        _ => Some((head, last, 0)),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
