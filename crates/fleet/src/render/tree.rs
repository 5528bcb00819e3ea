//! A tree of files, and what became of it in a folder in which others write too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files by their path in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<PathBuf, String>,
    /// The first path that two texts were added under.
    twice: Option<PathBuf>,
}

/// What became of a rendering, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were made or changed.
    pub changed: Vec<PathBuf>,
    /// Files that were so already.
    pub unchanged: Vec<PathBuf>,
    /// Files of an earlier rendering that this one no longer has.
    pub removed: Vec<PathBuf>,
    /// Files that somebody else changed or made; each is also among those that are changed or removed.
    pub by_hand: Vec<PathBuf>,
    /// Where those were put, by `force`.
    pub kept: Vec<PathBuf>,
}

impl Written {
    /// Whether the folder was right as it stood.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Tree {
    /// Adds a file. Two under one path are told by [`Tree::whole`].
    pub fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        let path = path.into();
        if self.files.insert(path.clone(), text).is_some() {
            self.twice.get_or_insert(path);
        }
    }

    /// The tree, if every text has a path of its own.
    ///
    /// # Errors
    /// The path that two of them have.
    pub fn whole(self) -> Result<Self, String> {
        match self.twice {
            Some(path) => Err(format!(
                "two files would be {}: give a fleet or an endpoint another name",
                path.display()
            )),
            None => Ok(self),
        }
    }

    /// Paths and texts.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, path: impl AsRef<Path>) -> Option<&str> {
        self.files.get(path.as_ref()).map(String::as_str)
    }
}
