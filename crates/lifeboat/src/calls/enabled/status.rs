//! What a call answers: a number of the contract, as the value that may be ignored and as the error that says why.

use std::fmt;

use lifeboat_abi::Status as Abi;

/// What a call answers; it may be ignored.
///
/// ```
/// let status = lifeboat::tag("role", "store");
/// assert!(!status.is_ok() && status.result().unwrap_err().is_not_started());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(i32);

impl Status {
    #[doc(hidden)]
    pub const DISABLED: Self = Self::of(Abi::Disabled);
    #[doc(hidden)]
    pub const NOT_STARTED: Self = Self::of(Abi::NotStarted);
    pub(super) const ALREADY_STARTED: Self = Self::of(Abi::AlreadyStarted);
    pub(super) const OFF: Self = Self::of(Abi::Off);
    pub(super) const NOT_SUPPORTED: Self = Self::of(Abi::NotSupported);

    pub(super) const fn of(status: Abi) -> Self {
        Self(status as i32)
    }

    pub(super) const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Whether the call did its work.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == Abi::Ok as i32
    }

    /// The number that C knows; the guide lists them.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The answer for `?`.
    ///
    /// # Errors
    /// Where the call did not do its work; the error says why.
    pub const fn result(self) -> Result<(), Error> {
        if self.is_ok() { Ok(()) } else { Err(Error(self)) }
    }
}

/// Why a call did not do its work. What it displays names the cause and the remedy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(Status);

impl Error {
    /// Lifeboat is not in this build: the public build.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.is(&[Abi::Disabled])
    }

    /// Built in, but not turned on.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.is(&[Abi::Off])
    }

    /// Started before: the first start stays in force.
    #[must_use]
    pub fn is_already_started(&self) -> bool {
        self.is(&[Abi::AlreadyStarted])
    }

    /// The call needs `start` first.
    #[must_use]
    pub fn is_not_started(&self) -> bool {
        self.is(&[Abi::NotStarted])
    }

    /// The reporter at hand, or this platform, does not know this call.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        self.is(&[Abi::NotSupported, Abi::UnsupportedPlatform])
    }

    /// The reporter, its monitor or the state directory was found and refused: others could write it, it is no
    /// reporter of this machine and version, or the program has rights that its caller lacks.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is(&[
            Abi::ReporterNotAbsolute,
            Abi::ReporterUnsafe,
            Abi::ReporterNotALibrary,
            Abi::ReporterTruncated,
            Abi::ReporterForeign,
            Abi::ReporterOtherVersion,
            Abi::ReporterLoadFailed,
            Abi::Privileged,
            Abi::MonitorUnsafe,
            Abi::StateDirUnusable,
        ])
    }

    /// The reporter, its monitor or the state directory is not where it is said to be.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is(&[Abi::ReporterMissing, Abi::MonitorMissing, Abi::StateDirMissing])
    }

    fn is(&self, any: &[Abi]) -> bool {
        any.iter().any(|status| *status as i32 == self.0.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Abi::from_number(self.0.0).map_or(c"unknown status", Abi::text);
        out.write_str(text.to_str().unwrap_or_default())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({self})", self.0.0)
    }
}

impl std::error::Error for Error {}
