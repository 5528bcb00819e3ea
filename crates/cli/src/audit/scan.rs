//! Looks through every byte of a file, a piece at a time: its size does not matter.

use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::os::unix::fs::FileExt;

use aho_corasick::AhoCorasick;

/// Ours first, then the other makers'.
const WORDS: [&str; 6] = ["lifeboat", "sentry_", "libsentry", "crashpad", "breakpad", "bugsnag"];
/// More is of no use to anybody, and a hostile file shall not fill the memory.
const MARKS_MAX: usize = 2000;
const CONTEXT_BYTES: u64 = 120;

/// A text that holds a word of interest, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) offset: u64,
    pub(super) text: String,
    pub(super) is_ours: bool,
}

/// Whether this name belongs to another crash reporter. `SENTRY_DSN` and its like do not count: they are
/// settings that many programs read.
pub(super) fn is_other(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.contains("sentry_") || WORDS.iter().skip(2).any(|word| lower.contains(word))
}

/// Every mark in the file; of a text that occurs often, the first places.
pub(super) fn whole(file: &File) -> io::Result<Vec<Mark>> {
    let words = AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS).map_err(io::Error::other)?;
    let mut marks: Vec<Mark> = Vec::new();
    // Whoever looked at the structure left the file's position somewhere in it.
    let mut from_start = file;
    from_start.rewind()?;
    let mut counts = [0_usize; 2];
    for found in words.stream_find_iter(BufReader::with_capacity(1 << 20, from_start)) {
        let found = found?;
        let is_ours = found.pattern().as_usize() == 0;
        let [ours, others] = &mut counts;
        let count = if is_ours { ours } else { others };
        *count += 1;
        // Counted apart: other makers' words never crowd out ours.
        if *count <= MARKS_MAX {
            let mark = text_around(file, found.start() as u64, found.len(), is_ours)?;
            // Several words of one text are one mark.
            let is_new =
                marks.last().is_none_or(|last| last.offset != mark.offset || last.is_ours != is_ours);
            if is_new && (is_ours || is_other(&mark.text)) {
                marks.push(mark);
            }
        }
    }
    Ok(marks)
}

/// The printable text that the word stands in.
fn text_around(file: &File, offset: u64, length: usize, is_ours: bool) -> io::Result<Mark> {
    let start = offset.saturating_sub(CONTEXT_BYTES);
    let before = usize::try_from(offset - start).unwrap_or_default();
    let mut bytes = vec![0; before + length + CONTEXT_BYTES as usize];
    let read = file.read_at(&mut bytes, start)?;
    bytes.truncate(read);
    let (head, tail) = bytes.split_at_checked(before).unwrap_or((&bytes, &[]));
    let is_text = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
    let mut text: Vec<u8> = head.iter().rev().take_while(is_text).copied().collect();
    let offset = offset - text.len() as u64;
    text.reverse();
    text.extend(tail.iter().take_while(is_text));
    Ok(Mark { offset, text: String::from_utf8_lossy(&text).into_owned(), is_ours })
}
