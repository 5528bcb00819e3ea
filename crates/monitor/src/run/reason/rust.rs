//! Rust: `thread 'NAME' panicked at PLACE:` and the message on the lines below; before Rust 1.73 all on one line.

use lifeboat_abi::Origin;

use super::{Frame, MESSAGE_LINES_MAX, Reason, bare, place};

const THREAD: &str = "thread '";
const PANICKED: &str = " panicked at ";
/// What Rust writes below a panic's message.
const BELOW: [&str; 2] = ["note: run with `RUST_BACKTRACE=", "stack backtrace:"];

pub(super) fn at(_: &[&str], line: &str, after: &[&str]) -> Option<Reason> {
    let (_, named) = line.split_once(THREAD)?;
    let (thread, told) = named.split_once(PANICKED)?;
    // Newer ones tell the thread's number too: `thread 'main' (4711) panicked at`.
    if !thread.ends_with('\'') && !thread.ends_with(')') {
        return None;
    }
    let (message, at) = match told.strip_suffix(':').and_then(place) {
        Some(at) => (message_below(after), at),
        None => quoted(told, after)?,
    };
    let (file, line, column) = at;
    let frame = Frame { function: String::new(), file: file.to_owned(), line, column };
    Some(Reason { frames: vec![frame], ..bare(Origin::Panic, "panic", &message) })
}

/// All lines down to what Rust writes below a message; the first alone where that does not come.
fn message_below(after: &[&str]) -> String {
    let near = after.get(..after.len().min(MESSAGE_LINES_MAX)).unwrap_or_default();
    let is_below = |line: &&str| BELOW.iter().any(|below| line.starts_with(below));
    let end = near.iter().position(is_below);
    let lines = near.get(..end.unwrap_or(1).min(near.len())).unwrap_or_default();
    lines.join("\n")
}

/// `'MESSAGE', src/main.rs:3:5`, of which the message may have several lines.
fn quoted<'a>(told: &'a str, after: &[&'a str]) -> Option<(String, (&'a str, u32, u32))> {
    let mut message = Vec::new();
    let first = told.strip_prefix('\'')?;
    for line in std::iter::once(first).chain(after.iter().copied()).take(MESSAGE_LINES_MAX) {
        let end = line.rsplit_once("', ").and_then(|(rest, at)| Some((rest, place(at)?)));
        if let Some((rest, at)) = end {
            message.push(rest);
            return Some((message.join("\n"), at));
        }
        message.push(line);
    }
    None
}
