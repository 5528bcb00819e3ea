//! The one error of this crate: a sentence that names the place and the remedy, and predicates for callers.

use std::fmt;
use std::io;
use std::path::Path;

/// Why the monitor could not do what it was asked.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Io,
    Refused,
    Missing,
    Malformed,
    Usage,
}

impl Error {
    /// A place that others could tamper with was refused; the message says what to change.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// What was asked for is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    /// The input is not what it claims to be.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.kind == Kind::Malformed
    }

    /// The program was called in a way it does not know.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.kind == Kind::Usage
    }

    /// The operating system's answer, where there was one.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        self.source.as_ref()
    }

    /// `action` ("cannot write") failed at `place`.
    pub(crate) fn at(action: &str, place: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = if source.kind() == io::ErrorKind::NotFound { Kind::Missing } else { Kind::Io };
        Self { kind, message: format!("{action} {}", place.display()), source: Some(source) }
    }

    /// `action` failed, and no file has to do with it.
    pub(crate) fn system(action: &str, source: impl Into<io::Error>) -> Self {
        Self { kind: Kind::Io, message: action.to_owned(), source: Some(source.into()) }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, message: message.into(), source: None }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Malformed, message: message.into(), source: None }
    }

    /// The program was called in a way it does not know; the message says which way it does.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into(), source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(formatter, "{}: {source}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
