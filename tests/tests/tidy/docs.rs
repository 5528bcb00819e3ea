//! Documents name only what is there: paths in code marks and links to our own pages.

use crate::tree::{SourceFile, Violation};

/// Folders whose paths are written in code marks.
const FOLDERS: &[&str] =
    &["benches/", "crates/", "docs/", "examples/", "ffi/", "fuzz/", "include/", "scripts/", "tests/", ".ci/"];

/// Every path and every link of our own in a document leads to a file or a folder of the tree.
pub(crate) fn documents_name_what_is_there(files: &[SourceFile]) -> Vec<Violation> {
    let is_there = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    };
    let mut violations = Vec::new();
    for document in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in document.lines() {
            let links = links(line).map(|link| resolve(document.folder(), link));
            for path in paths(line).map(str::to_owned).chain(links).filter(|path| !is_there(path)) {
                let what = format!("`{path}` is not there");
                violations.push(document.violation(number, what, "mend the name or take the sentence out"));
            }
        }
    }
    violations
}

/// What stands in code marks and begins like one of our paths; only the first word, `scripts/test` of
/// `scripts/test errno`.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let marked = line.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next());
    marked.filter(|word| {
        FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', '{', '…'])
    })
}

/// The targets of `[text](target)` that lie in the tree, without `#heading`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_link_to_nowhere_are_seen() {
        let text = "`crates/core/src/a.rs` `crates/core` [a](guide.md#b) [c](../README.md)\n\
                    `crates/core/src/b.rs`\n[a](gone.md)\n`other/thing` [w](https://example.org/x)\n";
        let document = SourceFile::new("docs/index.md", text);
        let there = ["crates/core/src/a.rs", "docs/guide.md", "README.md"];
        let mut files: Vec<SourceFile> = there.iter().map(|path| SourceFile::new(path, "")).collect();
        files.push(document);
        let lines: Vec<usize> = documents_name_what_is_there(&files).iter().map(|seen| seen.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
