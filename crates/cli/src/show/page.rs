//! A page for a terminal. All text goes in through here, and here it is made harmless, cut and coloured: no
//! section can print a report's bytes past it.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::clean;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// No paragraph of a report takes more lines than this.
const PARAGRAPH_LINES_MAX: usize = 6;

/// Lines of at most `width` columns.
#[derive(Debug)]
pub(crate) struct Page {
    width: usize,
    text: String,
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, text: String::new() }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A heading, with a word beside it.
    pub(crate) fn section(&mut self, name: &str, beside: &str) {
        self.blank();
        self.line(&[(CYAN.bold(), name), (DIM, if beside.is_empty() { "" } else { "  " }), (DIM, beside)]);
    }

    /// One line of differently coloured parts; what is too long is cut.
    pub(crate) fn line(&mut self, parts: &[(Style, &str)]) {
        let mut left = self.width;
        let mut clean: Vec<(Style, String)> = Vec::with_capacity(parts.len());
        for (style, text) in parts {
            let text = cut(&clean::line(text), left);
            left = left.saturating_sub(text.width());
            clean.push((*style, text));
        }
        // Blanks at the end of a line show when somebody copies it.
        for (_, text) in clean.iter_mut().rev() {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                break;
            }
        }
        for (style, text) in &clean {
            self.paint(*style, text);
        }
        self.text.push('\n');
    }

    /// A paragraph; lines after the first stand below the text, not below `indent`.
    pub(crate) fn wrapped(&mut self, style: Style, indent: &str, text: &str) {
        self.wrapped_after(&[(DIM, indent)], style, text);
    }

    /// A paragraph behind parts that are printed once.
    pub(crate) fn wrapped_after(&mut self, before: &[(Style, &str)], style: Style, text: &str) {
        let indent: usize = before.iter().map(|(_, part)| clean::line(part).width()).sum();
        let room = self.width.saturating_sub(indent).max(20);
        let text = clean::line(text);
        let lines = textwrap::wrap(&text, room);
        let hanging = " ".repeat(indent);
        for (number, line) in lines.iter().take(PARAGRAPH_LINES_MAX).enumerate() {
            let is_cut = number + 1 == PARAGRAPH_LINES_MAX && lines.len() > PARAGRAPH_LINES_MAX;
            let line =
                if is_cut { format!("{} …", cut(line, room.saturating_sub(2))) } else { line.to_string() };
            let parts = if number == 0 { before } else { &[(PLAIN, hanging.as_str())] };
            self.line(&parts.iter().copied().chain([(style, line.as_str())]).collect::<Vec<_>>());
        }
        if lines.is_empty() {
            self.line(before);
        }
    }

    /// A paragraph of which nothing is left out, however long: what its reader has to choose from.
    pub(crate) fn wrapped_whole(&mut self, style: Style, indent: &str, text: &str) {
        let indent = clean::line(indent);
        let room = self.width.saturating_sub(indent.width()).max(20);
        for line in textwrap::wrap(&clean::line(text), room) {
            self.line(&[(DIM, indent.as_str()), (style, &line)]);
        }
    }

    fn paint(&mut self, style: Style, text: &str) {
        if style == PLAIN || text.is_empty() {
            self.text.push_str(text);
        } else {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        }
    }
}

/// Exactly `width` columns: cut with a mark, or filled up.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let text = cut(&clean::line(text), width);
    let fill = width.saturating_sub(text.width());
    text + &" ".repeat(fill)
}

/// At most `width` columns, cut at the end.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut out: String = text.chars().take_while(|letter| takes(&mut left, *letter)).collect();
    if width > 0 {
        out.push('…');
    }
    out
}

/// At most `width` columns, cut at the beginning: for paths, whose end says more.
pub(crate) fn cut_start(text: &str, width: usize) -> String {
    let text = clean::line(text);
    if text.width() <= width {
        return text;
    }
    let mut left = width.saturating_sub(1);
    let mut end: Vec<char> = text.chars().rev().take_while(|letter| takes(&mut left, *letter)).collect();
    end.push('…');
    end.iter().rev().collect()
}

fn takes(left: &mut usize, letter: char) -> bool {
    let width = letter.width().unwrap_or(0);
    let fits = width <= *left;
    *left = left.saturating_sub(width);
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_width_whatever_the_letters_take() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut_start("/a/very/long/path.c:12", 10), "…path.c:12");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn a_paragraph_hangs_below_its_text_and_ends_somewhere() {
        let mut page = Page::new(30);
        page.wrapped(PLAIN, "12345 ", "one two three four five six seven");
        assert!(page.into_text().ends_with("one two three four five\n      six seven\n"));
        let mut page = Page::new(30);
        page.wrapped(PLAIN, "", &"word ".repeat(1000));
        let text = page.into_text();
        assert!(
            text.lines().count() == 6 && text.ends_with("…\n") && text.lines().all(|line| line.width() <= 30)
        );
    }

    #[test]
    fn no_part_can_smuggle_an_escape_sequence() {
        let mut page = Page::new(80);
        page.line(&[(PLAIN, "a\x1b[31mb\nc")]);
        page.wrapped(PLAIN, "\x1b]0;x\x07", "d\x1b[2Je");
        let text = page.into_text();
        assert!(!text.replace("\x1b[2m", "").replace("\x1b[0m", "").contains('\x1b'), "{text:?}");
    }
}
