//! Makes foreign text harmless: no byte of a report may move a cursor, colour a line or turn letters around.

use unicode_width::UnicodeWidthChar;

/// How many marks one letter may bear; living languages need fewer.
const MARKS_MAX: usize = 4;

/// One line: whatever steers a terminal is replaced, and so are line ends.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|letter| if letter == '\n' || letter == '\t' { ' ' } else { harmless(letter) }).collect()
}

/// JSON as it is, with what serde leaves alone in strings written as escapes.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push(letter),
            _ if steers(letter) => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out
}

/// Text of many lines in which what steers is shown by its number, `‹U+202E›`. Line ends and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut stacked = 0;
    for letter in text.chars() {
        stacked = if letter.width() == Some(0) { stacked + 1 } else { 0 };
        match u32::from(letter) {
            _ if letter == '\n' || letter == '\t' => out.push(letter),
            // Marks upon marks would paint over the lines around them; letters without ink hide text.
            code if steers(letter) || stacked > MARKS_MAX || matches!(code, 0xe0000..=0xe0fff) => {
                out.push_str(&format!("‹U+{code:04X}›"));
            }
            _ => out.push(letter),
        }
    }
    out
}

fn harmless(letter: char) -> char {
    if steers(letter) { char::REPLACEMENT_CHARACTER } else { letter }
}

/// Control characters (C0, DEL, C1), and Unicode's invisible ones: bidirectional controls, zero width, line
/// and paragraph separators, byte order mark. All are in the basic plane.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        let planted = "a\x1b[2Jb\u{9b}31mc\rd\u{202e}e\u{200b}f\x07g\x7fh";
        assert_eq!(line(planted), "a�[2Jb�31mc�d�e�f�g�h");
        assert_eq!(
            visible(planted),
            "a‹U+001B›[2Jb‹U+009B›31mc‹U+000D›d‹U+202E›e‹U+200B›f‹U+0007›g‹U+007F›h"
        );
        assert_eq!(visible("one\ntwo\tthree ä→日\0"), "one\ntwo\tthree ä→日‹U+0000›");
        let marks = visible(&format!("a{}b\u{e0041}", "\u{301}".repeat(6)));
        assert_eq!(marks, "a\u{301}\u{301}\u{301}\u{301}‹U+0301›‹U+0301›b‹U+E0041›");
        assert_eq!(line("one\ntwo\tthree ä→"), "one two three ä→");
        assert_eq!(json("{\n\"a\u{9b}\u{7f}ä\"}"), "{\n\"a\\u009b\\u007fä\"}");
    }
}
