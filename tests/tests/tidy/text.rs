//! What holds for every text file, whatever its language.

use crate::tree::{SourceFile, Violation};

/// Words that put work off, spelled so that this file does not hold them.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("db", "g!")];

/// What a merge that was not finished leaves at the start of a line.
const MERGE_MARKS: &[&str] = &[concat!("<<<<", "<<< "), concat!(">>>>", ">>> "), concat!("||||", "||| ")];

/// Folders that are there on one machine only, spelled likewise.
const MACHINE_FOLDERS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Names that stand for anybody in an example.
const EXAMPLE_USERS: &[&str] = &["alice", "bob", "user", "operator", "node", "<"];

/// Where home directories are the subject: the scrubber that takes them out of a report.
const ABOUT_HOME_FOLDERS: &str = "scrub";

/// No line ends in white space, no Rust line holds a tab, every file ends with one line end.
pub(crate) fn lines_end_clean(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.path != "LICENSE-APACHE") {
        for (number, line) in file.lines() {
            if line.ends_with([' ', '\t', '\r']) {
                violations.push(file.violation(number, "white space at the end of the line", "remove it"));
            }
            if file.is_rust() && line.contains('\t') {
                violations.push(file.violation(number, "a tab", "indent with spaces"));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            let last = file.lines().count();
            violations.push(file.violation(last, "the file's end", "close it with exactly one line end"));
        }
    }
    violations
}

/// No mark that puts work off, and no debugging left behind.
pub(crate) fn nothing_is_left_for_later(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            for mark in MARKS.iter().filter(|mark| holds_word(line, mark)) {
                violations.push(file.violation(number, format!("`{mark}`"), "do it now or take it out"));
            }
            if MERGE_MARKS.iter().any(|mark| line.starts_with(mark)) {
                violations.push(file.violation(number, "a mark of a merge", "make one text of the two"));
            }
        }
    }
    violations
}

fn holds_word(line: &str, word: &str) -> bool {
    let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|index| line.as_bytes().get(index).copied());
        let after = line.as_bytes().get(at + word.len()).copied();
        !letter(before) && (word.ends_with('!') || !letter(after))
    })
}

/// No path that is there on one machine only.
pub(crate) fn no_path_of_one_machine(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| !file.path.contains(ABOUT_HOME_FOLDERS)) {
        for (number, line) in file.lines() {
            for folder in MACHINE_FOLDERS.iter().filter(|folder| names_a_machine(line, folder)) {
                let what = format!("a path below {folder}");
                violations.push(file.violation(number, what, "use a relative path or a variable"));
            }
        }
    }
    violations
}

fn names_a_machine(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let starts_there =
            !line.get(..at).unwrap_or_default().ends_with(|c: char| c.is_alphanumeric() || c == '}');
        let rest = line.get(at + folder.len()..).unwrap_or_default();
        let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
        starts_there && goes_on && !EXAMPLE_USERS.iter().any(|user| rest.starts_with(user))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::lines_of;

    #[test]
    fn white_space_and_tabs_are_seen() {
        assert_eq!(lines_of(lines_end_clean, "a.md", "good\nbad \nbad\t\n"), [2, 3]);
        assert_eq!(lines_of(lines_end_clean, "a.rs", "\tbad\n"), [1]);
        assert_eq!(lines_of(lines_end_clean, "Makefile", "\tgood\n"), []);
        assert_eq!(lines_of(lines_end_clean, "a.md", "no end"), [1]);
        assert_eq!(lines_of(lines_end_clean, "a.md", "two ends\n\n"), [3]);
    }

    #[test]
    fn marks_are_seen_as_whole_words() {
        for mark in MARKS {
            let text = format!("// {mark}: later\n");
            assert_eq!(lines_of(nothing_is_left_for_later, "a.rs", &text), [1], "{mark}");
        }
        assert_eq!(lines_of(nothing_is_left_for_later, "a", "mktemp -d node.XXXXXX\n"), []);
    }

    #[test]
    fn merge_marks_are_seen() {
        let text = format!("a\n{}HEAD\nb\n", MERGE_MARKS[0]);
        assert_eq!(lines_of(nothing_is_left_for_later, "a.md", &text), [2]);
    }

    #[test]
    fn machine_paths_are_seen_and_examples_are_not() {
        for folder in MACHINE_FOLDERS {
            let text = format!("good\ncd {folder}carol/lifeboat\n");
            assert_eq!(lines_of(no_path_of_one_machine, "a.md", &text), [2], "{folder}");
            assert_eq!(lines_of(no_path_of_one_machine, "src/scrub.rs", &text), [], "{folder}");
            let example = format!("{folder}alice/node\nsrc{folder}carol\n");
            assert_eq!(lines_of(no_path_of_one_machine, "a.md", &example), [], "{folder}");
        }
    }
}
