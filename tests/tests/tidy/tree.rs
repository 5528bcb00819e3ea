//! The files that git knows or would take, and what a rule says of them.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A rule of the house.
pub(crate) type Rule = fn(&[SourceFile]) -> Vec<Violation>;

/// Folders of bytes that are data, not text that somebody wrote.
const DATA_FOLDERS: &[&str] = &["fuzz/corpus/", "fuzz/artifacts/"];

/// One text file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// From the root of the repository.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// May it be run?
    pub(crate) executable: bool,
}

impl SourceFile {
    /// A file that is on no disk.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), executable: true }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_c(&self) -> bool {
        [".h", ".hpp", ".c", ".cpp"].iter().any(|ending| self.path.ends_with(ending))
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folder, with its closing slash; empty for the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.strip_suffix(self.name()).unwrap_or_default()
    }

    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    pub(crate) fn violation(&self, line: usize, what: impl Into<String>, remedy: &'static str) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into(), remedy }
    }
}

/// One place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Violation {
    path: String,
    pub(crate) line: usize,
    what: String,
    remedy: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}, {}", self.path, self.line, self.what, self.remedy)
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Every text file that git tracks, and every new one that it does not ignore.
pub(crate) fn tracked_files() -> Result<Vec<SourceFile>, String> {
    let root = root();
    let listing = Command::new("git")
        // The tree may belong to another user than the one who tests it, as in a container.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("git could not be run: {error}"))?;
    if !listing.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listing.stderr)));
    }
    let names = String::from_utf8_lossy(&listing.stdout);
    let wanted =
        |path: &&str| !path.is_empty() && !DATA_FOLDERS.iter().any(|folder| path.starts_with(folder));
    Ok(names.split('\0').filter(wanted).filter_map(|path| read(&root, path)).collect())
}

/// Nothing for a folder, a link, a file that is gone from the disk and a file that is not text.
fn read(root: &Path, path: &str) -> Option<SourceFile> {
    let full = root.join(path);
    let metadata = fs::symlink_metadata(&full).ok().filter(fs::Metadata::is_file)?;
    let text = fs::read_to_string(&full).ok()?;
    Some(SourceFile { path: path.to_owned(), text, executable: metadata.permissions().mode() & 0o111 != 0 })
}

/// The lines that a rule objects to in one file: what the rules' own tests compare.
#[cfg(test)]
pub(crate) fn lines_of(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    rule(&[SourceFile::new(path, text)]).iter().map(|violation| violation.line).collect()
}
