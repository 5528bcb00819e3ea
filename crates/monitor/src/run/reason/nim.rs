//! Nim: `Error: unhandled exception: MESSAGE [TYPE]`, with a traceback before it in builds that keep one.

use lifeboat_abi::Origin;

use super::{FRAMES_MAX, Frame, MESSAGE_LINES_MAX, Reason, bare};

const ERROR: &str = "Error: unhandled exception: ";
const RERAISED: &str = "[[reraised from:";
const RERAISED_END: &str = "]]";
/// What chronos adds to the message of an exception that went through futures.
const ASYNC_TRACEBACK: &str = "Async traceback:";
/// Most lines that a traceback may have.
const TRACEBACK_LINES_MAX: usize = 256;

pub(super) fn at(before: &[&str], line: &str, after: &[&str]) -> Option<Reason> {
    // Another program's output may stand before it on the same line.
    let (_, said) = line.split_once(ERROR)?;
    let (message, kind) = message_and_kind(said, after);
    Some(Reason { frames: frames(before), ..bare(Origin::Nim, kind, &message) })
}

/// The message goes on until a line ends with the type.
fn message_and_kind<'a>(said: &'a str, after: &[&'a str]) -> (String, &'a str) {
    let mut message: Vec<&str> = Vec::new();
    for line in std::iter::once(said).chain(after.iter().copied()).take(MESSAGE_LINES_MAX) {
        if let Some((rest, kind)) = kind_at_end(line) {
            message.push(rest);
            let told = message.iter().take_while(|line| !line.starts_with(ASYNC_TRACEBACK));
            return (told.copied().collect::<Vec<_>>().join("\n"), kind);
        }
        message.push(line);
    }
    (said.to_owned(), "Exception")
}

/// `MESSAGE [TYPE]` in its parts.
fn kind_at_end(line: &str) -> Option<(&str, &str)> {
    let (message, kind) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    let is_name = |letter: char| letter.is_alphanumeric() || "_.:".contains(letter);
    let starts_so = kind.chars().next().is_some_and(char::is_alphabetic);
    (starts_so && kind.chars().all(is_name)).then_some((message, kind))
}

/// The calls of the traceback that ends just before the message. Nim writes the innermost last; of a thread it writes no
/// headline above them.
fn frames(before: &[&str]) -> Vec<Frame> {
    let near = before.get(before.len().saturating_sub(TRACEBACK_LINES_MAX)..).unwrap_or_default();
    let is_of_it =
        |line: &&&str| frame(line).is_some() || line.starts_with(RERAISED) || **line == RERAISED_END;
    let count = near.iter().rev().take_while(is_of_it).count();
    let calls = near.get(near.len().saturating_sub(count)..).unwrap_or_default();
    // Behind this the same exception's earlier ways are told.
    let own = calls.iter().take_while(|line| !line.starts_with(RERAISED));
    let mut frames: Vec<_> = own.filter_map(|line| frame(line)).collect();
    frames.reverse();
    frames.truncate(FRAMES_MAX);
    frames
}

/// `/path/file.nim(79) procName`, the line perhaps with a column, `79, 4`.
fn frame(line: &str) -> Option<Frame> {
    let (place, function) = line.split_once(')')?;
    let (file, numbers) = place.rsplit_once('(')?;
    let mut numbers = numbers.split(',').map(|number| number.trim().parse().ok());
    let (line, column) = (numbers.next()??, numbers.next().flatten().unwrap_or(0));
    let function = function.trim();
    // Whatever else has a number in brackets is no call.
    let is_call = file.ends_with(".nim") || file.ends_with(".nims");
    let is_call = is_call && !function.is_empty();
    is_call.then(|| Frame { function: function.to_owned(), file: file.trim().to_owned(), line, column })
}
