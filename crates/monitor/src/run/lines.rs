//! The last lines that a program wrote: bounded, in the order in which they came, without terminal escapes.

use std::collections::VecDeque;
use std::time::SystemTime;

/// Most lines that are kept.
const LINES_MAX: usize = 256;
/// Most bytes of one line that are kept; a reason may be longer than a breadcrumb.
const LINE_BYTES_MAX: usize = 2048;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both, where they lead to the same place.
    Output,
}

impl Stream {
    /// The word for a breadcrumb's category.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Output => "output",
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) stream: Stream,
    pub(super) at: SystemTime,
    pub(super) text: String,
}

/// The last lines of all streams.
#[derive(Default)]
pub(super) struct Lines {
    kept: VecDeque<(Stream, SystemTime, Vec<u8>)>,
    /// What came of a line that has not ended yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    output: Vec<u8>,
}

impl Lines {
    /// Takes what a stream brought.
    pub(super) fn take(&mut self, stream: Stream, mut bytes: &[u8]) {
        let now = SystemTime::now();
        let (start, rest) = last_lines(bytes);
        if start > 0 {
            // So many lines came at once that none before them is kept.
            self.open(stream).clear();
            bytes = rest;
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            append(self.open(stream), line);
            let whole = std::mem::take(self.open(stream));
            self.keep(stream, now, whole);
            bytes = rest.get(1..).unwrap_or_default();
        }
        append(self.open(stream), bytes);
    }

    /// All that is kept, oldest first; a line without an end comes last.
    pub(super) fn all(&self) -> Vec<Line> {
        let now = SystemTime::now();
        let open =
            [(Stream::Stdout, &self.stdout), (Stream::Stderr, &self.stderr), (Stream::Output, &self.output)];
        let open = open.into_iter().map(|(stream, bytes)| (stream, now, bytes));
        let kept = self.kept.iter().map(|(stream, at, bytes)| (*stream, *at, bytes));
        let lines = kept.chain(open).map(|(stream, at, bytes)| Line { stream, at, text: readable(bytes) });
        lines.filter(|line| !line.text.trim().is_empty()).collect()
    }

    fn keep(&mut self, stream: Stream, at: SystemTime, line: Vec<u8>) {
        if self.kept.len() == LINES_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((stream, at, line));
    }

    const fn open(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
            Stream::Output => &mut self.output,
        }
    }
}

/// Where the last lines that can be kept begin: the rest of a flood need not be looked at line by line.
fn last_lines(bytes: &[u8]) -> (usize, &[u8]) {
    let mut ends = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = ends.nth(LINES_MAX).unwrap_or(0);
    (start, bytes.get(start..).unwrap_or_default())
}

fn append(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    line.extend(bytes.iter().take(room));
}

/// Text without terminal escapes and other control characters.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut readable = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => skip_escape(&mut letters),
            '\t' => readable.push(letter),
            control if control.is_control() => {}
            other => readable.push(other),
        }
    }
    readable
}

/// `ESC [ … letter` and `ESC ] … BEL`, or one character behind the ESC. See ECMA-48.
fn skip_escape(letters: &mut std::str::Chars<'_>) {
    match letters.next() {
        Some('[') => while letters.next().is_some_and(|letter| !('@'..='~').contains(&letter)) {},
        Some(']') => while letters.next().is_some_and(|letter| letter != '\u{7}' && letter != '\u{1b}') {},
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &Lines) -> Vec<String> {
        lines.all().into_iter().map(|line| format!("{} {}", line.stream.word(), line.text)).collect()
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let mut lines = Lines::default();
        lines.take(Stream::Stderr, b"on");
        lines.take(Stream::Stdout, b"two\r\nthr");
        lines.take(Stream::Stderr, b"e\n\n");
        lines.take(Stream::Stdout, b"ee");
        assert_eq!(texts(&lines), ["stdout two", "stderr one", "stdout three"]);
    }

    #[test]
    fn a_flood_leaves_the_last() {
        let mut lines = Lines::default();
        lines.take(Stream::Stdout, b"torn ");
        let flood: String = (0..5000).map(|number| format!("{number}\n")).collect();
        lines.take(Stream::Stdout, flood.as_bytes());
        let all = texts(&lines);
        assert_eq!(
            (all.len(), all[0].as_str(), all[LINES_MAX - 1].as_str()),
            (LINES_MAX, "stdout 4744", "stdout 4999")
        );
        lines.take(Stream::Stdout, &vec![b'x'; 1 << 20]);
        lines.take(Stream::Stdout, &vec![b'y'; 1 << 20]);
        assert_eq!(lines.all()[LINES_MAX].text, "x".repeat(LINE_BYTES_MAX));
    }

    #[test]
    fn escapes_are_taken_out() {
        let text = b"\x1b[1;31mERR\x1b[0m \x1b]0;title\x07no\x1b(B \x00peer\xff\x1b[";
        assert_eq!(readable(text), "ERR noB peer\u{fffd}");
    }
}
