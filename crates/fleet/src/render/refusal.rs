//! Why a tree was not written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What stands in the way of a tree of files.
#[derive(Debug)]
pub struct Refusal {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    ByHand { folder: PathBuf, paths: Vec<PathBuf> },
    Place { path: PathBuf, what: String },
    Io { path: PathBuf, doing: &'static str, error: io::Error },
}

impl Refusal {
    pub(super) fn by_hand(folder: &Path, paths: Vec<PathBuf>) -> Self {
        Self { kind: Kind::ByHand { folder: folder.into(), paths } }
    }

    pub(super) fn place(path: &Path, what: impl Into<String>) -> Self {
        Self { kind: Kind::Place { path: path.into(), what: what.into() } }
    }

    /// What a failed call of the file system is told by.
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { kind: Kind::Io { path: path.into(), doing, error } }
    }

    /// The files that somebody changed by hand, below the folder; none where something else is in the way.
    #[must_use]
    pub fn by_hand_paths(&self) -> &[PathBuf] {
        match &self.kind {
            Kind::ByHand { paths, .. } => paths,
            Kind::Place { .. } | Kind::Io { .. } => &[],
        }
    }

    /// Whether files that somebody changed by hand are all that is in the way.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        matches!(self.kind, Kind::ByHand { .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::ByHand { folder, paths } => {
                let folder = folder.display();
                writeln!(
                    formatter,
                    "nothing was written to {folder}: these were not rendered, or changed since:"
                )?;
                for path in paths {
                    writeln!(formatter, "  {}", path.display())?;
                }
                formatter
                    .write_str("what you add belongs into files of your own; --force keeps each as NAME.orig")
            }
            Kind::Place { path, what } => write!(formatter, "{}: {what}", path.display()),
            Kind::Io { path, doing, error } => {
                write!(formatter, "cannot {doing} {}: {error}{}", path.display(), remedy(error.kind()))
            }
        }
    }
}

/// What mends a failed call of the file system, where that is known.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => ": let this user write there, or name another folder",
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound => ": name another folder",
        io::ErrorKind::NotADirectory => ": what stands above it is a file: name another folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room, or name another folder",
        _ => "",
    }
}

impl std::error::Error for Refusal {}
