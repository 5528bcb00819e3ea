//! What holds for Rust files beyond rustfmt and clippy.

use crate::length::without_literals;
use crate::tree::{SourceFile, Violation};

/// Every Rust file opens with `//!`: what it is, and what it leaves to others.
pub(crate) fn opens_with_docs(files: &[SourceFile]) -> Vec<Violation> {
    let silent = files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    silent.map(|file| file.violation(1, "no `//!` at the top", "say what the file is")).collect()
}

/// Whoever silences a lint says why.
pub(crate) fn silenced_lints_have_reasons(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let code = without_literals(&file.text);
        for (at, _) in code.match_indices("[allow(") {
            let attribute = code.get(at..).and_then(|rest| rest.split(']').next()).unwrap_or_default();
            if !attribute.contains("reason") {
                let line = code.get(..at).unwrap_or_default().matches('\n').count() + 1;
                violations.push(file.violation(
                    line,
                    "a lint silenced without a word",
                    "add `reason = \"…\"`",
                ));
            }
        }
    }
    violations
}

/// A feature is a folder with `mod.rs`, `enabled.rs` and `disabled.rs`; only that `mod.rs` asks for it.
pub(crate) fn features_live_in_one_folder(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let beside = |name: &str| files.iter().any(|other| other.path == format!("{}{name}", file.folder()));
        if file.name() == "mod.rs" && beside("enabled.rs") && beside("disabled.rs") {
            continue;
        }
        for (number, line) in without_literals(&file.text).split('\n').enumerate() {
            if line.contains("cfg") && line.contains("feature = \"") {
                let remedy = "ask in a mod.rs beside enabled.rs and disabled.rs";
                violations.push(file.violation(number + 1, "a feature asked for", remedy));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::lines_of;

    #[test]
    fn a_file_without_docs_is_seen() {
        assert_eq!(lines_of(opens_with_docs, "a.rs", "use std::fs;\n"), [1]);
        assert_eq!(lines_of(opens_with_docs, "a.rs", "// no docs\n//! late\n"), [1]);
        assert_eq!(lines_of(opens_with_docs, "a.rs", "//! Docs.\n"), []);
    }

    #[test]
    fn a_silent_allow_is_seen() {
        assert_eq!(lines_of(silenced_lints_have_reasons, "a.rs", "\n#[allow(unused)]\nfn a() {}\n"), [2]);
        let with_reason = "#[allow(unused,\n    reason = \"the macro needs it\")]\n";
        assert_eq!(lines_of(silenced_lints_have_reasons, "a.rs", with_reason), []);
        assert_eq!(lines_of(silenced_lints_have_reasons, "a.rs", "// #[allow(unused)]\n"), []);
    }

    #[test]
    fn a_feature_outside_its_folder_is_seen() {
        let text = "//! A.\n#[cfg(feature = \"load\")]\nmod enabled;\n";
        assert_eq!(lines_of(features_live_in_one_folder, "src/load/mod.rs", text), [2]);
        let folder = ["src/load/mod.rs", "src/load/enabled.rs", "src/load/disabled.rs"];
        let mut files: Vec<SourceFile> = folder.iter().map(|path| SourceFile::new(path, "")).collect();
        files[0].text = text.to_owned();
        assert!(features_live_in_one_folder(&files).is_empty());
    }
}
