//! A tree of files, and how it gets to a folder in which others write too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files by their path in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<PathBuf, String>,
}

/// What became of a rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were made or changed.
    pub changed: Vec<PathBuf>,
    /// Files that were so already.
    pub unchanged: Vec<PathBuf>,
}

impl Tree {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        self.files.insert(path.into(), text);
    }

    /// Paths and texts.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// Writes them below a folder; a file that is so already is not touched.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&self, folder: &Path) -> io::Result<Written> {
        let mut written = Written::default();
        for (path, text) in &self.files {
            let place = folder.join(path);
            if fs::read(&place).is_ok_and(|there| there == text.as_bytes()) {
                written.unchanged.push(path.clone());
                continue;
            }
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            let fresh = place.with_extension("lifeboat-new");
            fs::write(&fresh, text)?;
            fs::rename(&fresh, &place)?;
            written.changed.push(path.clone());
        }
        Ok(written)
    }
}
