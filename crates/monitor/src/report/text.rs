//! Small things that are done to text: bounded, readable, never failing.

use std::fmt::Write;

/// Stands where a text was cut.
const CUT_MARK: char = '…';

/// Bytes that nobody has vouched for, as text without control characters but line breaks and tabs.
pub(super) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

/// At most `max` characters of a text, with a mark where it was longer.
pub(super) fn cut(mut text: String, max: usize) -> String {
    let end = text.char_indices().nth(max).map(|(at, _)| at);
    if end.is_some() {
        let last = text.char_indices().nth(max.saturating_sub(1)).map_or(0, |(at, _)| at);
        text.truncate(last);
        text.push(CUT_MARK);
    }
    text
}

/// The same on one line.
pub(super) fn one_line(text: &str, max: usize) -> String {
    cut(text.split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
