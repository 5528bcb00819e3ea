//! C: a failed `assert`, as glibc and musl tell it, and what glibc says when it finds the heap or the stack destroyed.

use lifeboat_abi::Origin;

use super::{Frame, Reason, bare};

/// How glibc starts its complaints; each is a line of its own.
const COMPLAINTS: [&str; 12] = [
    "free(): ",
    "malloc(): ",
    "malloc_consolidate(): ",
    "munmap_chunk(): ",
    "realloc(): ",
    "corrupted size vs. prev_size",
    "corrupted double-linked list",
    "double free or corruption",
    "tcache_thread_shutdown(): ",
    "*** stack smashing detected ***",
    "*** buffer overflow detected ***",
    "Fatal glibc error: ",
];

pub(super) fn at(_: &[&str], line: &str, _: &[&str]) -> Option<Reason> {
    if let Some(told) = by_glibc(line).or_else(|| by_musl(line)) {
        return Some(told);
    }
    let complaint = COMPLAINTS.iter().any(|complaint| line.starts_with(complaint));
    complaint.then(|| bare(Origin::Other, "abort", line))
}

/// ``prog: file.c:12: function: Assertion `x' failed.``
fn by_glibc(line: &str) -> Option<Reason> {
    let (before, condition) = line.split_once(": Assertion ")?;
    let condition = condition.trim_end().trim_end_matches('.').strip_suffix(" failed")?;
    // The function may be a whole C++ signature, with colons of its own: the first number between colons is the line.
    let mut from = 0;
    let (file, number, function) = loop {
        let at = from + before.get(from..)?.find(':')?;
        let (head, rest) = (before.get(..at)?, before.get(at + 1..)?);
        let number = rest.split(':').next().and_then(|number| number.parse().ok());
        match number {
            Some(number) => break (head, number, rest.split_once(": ").map_or("", |(_, name)| name)),
            None => from = at + 1,
        }
    };
    let file = file.rsplit_once(": ").map_or(file, |(_, file)| file);
    Some(assertion(condition, file, number, function))
}

/// `Assertion failed: x (file.c: function: 12)`
fn by_musl(line: &str) -> Option<Reason> {
    let (condition, at) = line.strip_prefix("Assertion failed: ")?.rsplit_once(" (")?;
    let (place, number) = at.trim_end().strip_suffix(')')?.rsplit_once(": ")?;
    let (file, function) = place.split_once(": ")?;
    Some(assertion(condition, file, number.parse().ok()?, function))
}

fn assertion(condition: &str, file: &str, line: u32, function: &str) -> Reason {
    let condition = condition.trim_matches(['`', '\'', '‘', '’']);
    let frame = Frame { function: function.to_owned(), file: file.to_owned(), line, column: 0 };
    Reason { frames: vec![frame], ..bare(Origin::Other, "assert", &format!("{condition} failed")) }
}
