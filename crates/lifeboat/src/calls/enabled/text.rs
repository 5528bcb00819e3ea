//! Texts on their way to the table: borrowed, or formatted into a buffer of known size.

use std::fmt::{self, Write};

use lifeboat_abi::Str;

/// Shows that a text was cut.
const CUT_MARK: &str = "…";

/// A text for the length of one call.
pub(super) const fn borrowed(text: &str) -> Str {
    Str { data: text.as_ptr().cast(), length: text.len() as u64 }
}

/// A text of at most `MAX` bytes, on the stack: a panic hook may find a heap that is no more.
pub(super) struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    length: usize,
    is_cut: bool,
}

impl<const MAX: usize> Text<MAX> {
    /// Begins empty.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX], length: 0, is_cut: false }
    }

    /// Hands over what is formatted; a constant is not copied.
    pub(super) fn with<T>(format: fmt::Arguments<'_>, then: impl FnOnce(&str) -> T) -> T {
        if let Some(text) = format.as_str() {
            return then(text);
        }
        let mut text = Self::new();
        // What does not fit is cut; a Display that fails has said what it could.
        let _ = text.write_fmt(format);
        then(text.as_str())
    }

    /// The text so far.
    pub(super) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Adds at most `max` bytes of a text.
    pub(super) fn push_at_most(&mut self, text: &str, max: usize) {
        let start = floor(text, max);
        self.push(start);
        if start.len() < text.len() {
            self.push(CUT_MARK);
        }
    }

    fn push(&mut self, text: &str) {
        if self.is_cut {
            return;
        }
        let room = MAX.saturating_sub(self.length + CUT_MARK.len());
        let start = floor(text, room);
        self.append(start);
        if start.len() < text.len() {
            self.is_cut = true;
            self.append(CUT_MARK);
        }
    }

    fn append(&mut self, text: &str) {
        let place = self.bytes.iter_mut().skip(self.length);
        for (to, from) in place.zip(text.bytes()) {
            *to = from;
        }
        self.length = MAX.min(self.length + text.len());
    }
}

impl<const MAX: usize> Write for Text<MAX> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

/// The longest start of a text that has at most `max` bytes.
fn floor(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_letters_and_marked() {
        let cut = |text: &str| Text::<8>::with(format_args!("{text}"), str::to_owned);
        assert_eq!(cut(""), "");
        assert_eq!(cut("abcde"), "abcde");
        assert_eq!(cut("abcdefghij"), "abcde…");
        assert_eq!(cut("abcdäöü"), "abcd…");
        let [first, second, third] = ["abc", "def", "g"];
        let parts = Text::<8>::with(format_args!("{first}{second}{third}"), str::to_owned);
        assert_eq!(parts, "abcde…");
    }

    #[test]
    fn a_part_may_have_a_limit_of_its_own() {
        let mut text = Text::<32>::new();
        text.push_at_most("a long message", 6);
        let _ = write!(text, " ({})", 7);
        assert_eq!(text.as_str(), "a long… (7)");
    }
}
