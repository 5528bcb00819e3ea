//! The public build: every type has no size, every function is empty, every answer is the same.

mod metrics;

use std::fmt;
use std::marker::PhantomData;

pub use metrics::*;

/// Whether Lifeboat is in this build.
#[doc(hidden)]
pub const ENABLED: bool = false;

/// What a call answers; it may be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(());

impl Status {
    #[doc(hidden)]
    pub const DISABLED: Self = Self(());
    #[doc(hidden)]
    pub const NOT_STARTED: Self = Self(());

    /// Whether the call did its work: never in this build.
    #[must_use]
    #[inline(always)]
    pub const fn is_ok(self) -> bool {
        false
    }

    /// The number that C knows: 1 in this build.
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> i32 {
        1
    }

    /// The answer for `?`.
    ///
    /// # Errors
    /// Always in this build; `is_disabled()`.
    #[inline(always)]
    pub const fn result(self) -> Result<(), Error> {
        Err(Error(()))
    }
}

/// Why a call did not do its work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(());

macro_rules! predicates {
    ($($(#[$docs:meta])* $name:ident $answer:literal)+) => {
        impl Error {
            $($(#[$docs])*
            #[must_use]
            #[inline(always)]
            pub const fn $name(&self) -> bool {
                $answer
            })+
        }
    };
}

predicates! {
    /// Lifeboat is not in this build: the public build.
    is_disabled true
    /// Built in, but not turned on.
    is_off false
    /// Started before: the first start stays in force.
    is_already_started false
    /// The call needs `start` first.
    is_not_started false
    /// The reporter at hand, or this platform, does not know this call.
    is_not_supported false
    /// The reporter, its monitor or the state directory was found and refused: others could write it, it is no
    /// reporter of this machine and version, or the program has rights that its caller lacks.
    is_refused false
    /// The reporter, its monitor or the state directory is not where it is said to be.
    is_missing false
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not in this build")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Error {}

/// What a program says of itself at start: nothing in this build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a>(PhantomData<&'a str>);

macro_rules! options {
    ($($name:ident: $type:ty),+) => {
        #[expect(missing_docs, reason = "the build that has them documents them")]
        impl<'a> Options<'a> {
            #[must_use]
            #[inline(always)]
            pub const fn new() -> Self {
                Self(PhantomData)
            }
            $(#[must_use]
            #[inline(always)]
            pub const fn $name(self, _: $type) -> Self {
                self
            })+
        }
    };
}

options! {
    on: bool, app: &'a str, version: &'a str, commit: &'a str, environment: &'a str, fleet: &'a str,
    node: &'a str, tags: &'a str, dsn: &'a str, state_dir: &'a str, reporter: &'a str, monitor: &'a str,
    capture_timeout_ms: u32, series_max: u32, report_caught_panics: bool
}

macro_rules! calls {
    ($($name:ident($($argument:ty),*);)+) => {
        $(#[doc = concat!("`", stringify!($name), "` does nothing in this build.")]
        #[inline(always)]
        pub const fn $name($(_: $argument),*) -> Status {
            Status::DISABLED
        })+
    };
}

calls! {
    start(Options<'_>);
    stop();
    thread_attach(&str);
    rearm();
    tag(&str, &str);
    context(&str, &str, &str);
    breadcrumb(crate::Level, &str, &str);
    error(crate::Level, &str, &str);
    fatal(&str, &str);
    check(&str, bool, crate::Level, &str);
    health(&str, i32, &str);
    heartbeat(&str, u32);
}

/// Whether a reporter is at work in this process: never in this build.
#[must_use]
#[inline(always)]
pub const fn is_on() -> bool {
    false
}

/// The node's metrics as a page: none in this build.
#[must_use]
#[inline(always)]
pub const fn metrics_text() -> String {
    String::new()
}

/// What the macros call.
#[doc(hidden)]
pub mod formatted {
    use std::fmt::Arguments;

    use super::Status;
    use crate::Level;

    calls! {
        tag(&str, Arguments<'_>);
        context(&str, &str, Arguments<'_>);
        breadcrumb(Level, &str, Arguments<'_>);
        error(Level, &str, Arguments<'_>);
        fatal(&str, Arguments<'_>);
    }
}
