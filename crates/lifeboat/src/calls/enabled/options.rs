//! What a program says of itself at start, and how that becomes the contract's struct.

use std::ffi::{CString, c_char};
use std::ptr;

use lifeboat_abi::option_flags;

use super::host;

/// What a program says of itself at start. The environment wins over all of it.
///
/// ```
/// let options = lifeboat::Options::new().app("demo").version(env!("CARGO_PKG_VERSION")).fleet("test");
/// lifeboat::start(options);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    texts: [Option<&'a str>; TEXTS],
    is_on: bool,
    capture_timeout_ms: u32,
    series_max: u32,
    report_caught_panics: bool,
}

/// How many texts there are: the places that `text!` numbers.
const TEXTS: usize = 11;
const REPORTER: usize = 9;

macro_rules! texts {
    ($($(#[$docs:meta])* $name:ident $place:literal)+) => {
        $($(#[$docs])*
        #[must_use]
        pub const fn $name(mut self, text: &'a str) -> Self {
            self.texts[$place] = Some(text);
            self
        })+
    };
}

impl<'a> Options<'a> {
    /// Nothing said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            texts: [None; TEXTS],
            is_on: false,
            capture_timeout_ms: 0,
            series_max: 0,
            report_caught_panics: false,
        }
    }

    texts! {
        /// The program's name; with the version it makes the release, `app@version` (`SENTRY_RELEASE` replaces both).
        app 0
        /// The program's version.
        version 1
        /// The commit it was built from; becomes `dist` (`LIFEBOAT_COMMIT`).
        commit 2
        /// As Sentry uses it (`SENTRY_ENVIRONMENT`).
        environment 3
        /// The fleet's name (`LIFEBOAT_FLEET`).
        fleet 4
        /// The node's name in its fleet; only so named a report tells it (`LIFEBOAT_NODE`).
        node 5
        /// More tags: `dc=do-ams3,stage=sandbox` (`LIFEBOAT_TAGS`).
        tags 6
        /// Where reports are sent; without one they stay on disk (`SENTRY_DSN`).
        dsn 7
        /// Where reports are kept, absolute (`LIFEBOAT_STATE_DIR`).
        state_dir 8
        /// The reporter's file, absolute; naming it turns a `load` build on (`LIFEBOAT_REPORTER`).
        reporter 9
        /// The monitor's file, absolute (`LIFEBOAT_MONITOR`).
        monitor 10
    }

    /// Turns a `link` build on without `LIFEBOAT=on` in the environment.
    #[must_use]
    pub const fn on(mut self, is_on: bool) -> Self {
        self.is_on = is_on;
        self
    }

    /// How long a dying process waits for its capture at most, milliseconds; 0 means 2,000.
    #[must_use]
    pub const fn capture_timeout_ms(mut self, timeout: u32) -> Self {
        self.capture_timeout_ms = timeout;
        self
    }

    /// How many series of metrics the node may have; 0 means 10,000 (`LIFEBOAT_SERIES_MAX`).
    #[must_use]
    pub const fn series_max(mut self, series: u32) -> Self {
        self.series_max = series;
        self
    }

    /// Reports panics too that somebody catches, as handled errors.
    #[must_use]
    pub const fn report_caught_panics(mut self, wanted: bool) -> Self {
        self.report_caught_panics = wanted;
        self
    }

    pub(super) const fn reports_caught_panics(&self) -> bool {
        self.report_caught_panics
    }

    pub(super) const fn is_turned_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn reporter_path(&self) -> Option<&'a str> {
        self.texts.get(REPORTER).copied().flatten()
    }
}

/// The contract's struct and the texts that it points to.
pub(super) struct Lowered {
    pub(super) options: lifeboat_abi::Options,
    _texts: [Option<CString>; TEXTS],
}

impl Lowered {
    /// `reporter` is the real path of the loaded file; the linked reporter has none, and looks at the option.
    pub(super) fn new(options: &Options<'_>, reporter: Option<&CString>) -> Self {
        let texts = options.texts.map(|text| text.map(terminated));
        let [app, version, commit, environment, fleet, node, tags, dsn, state_dir, option, monitor] =
            texts.each_ref().map(|text| pointer(text.as_ref()));
        let lowered = lifeboat_abi::Options {
            struct_size: size_of::<lifeboat_abi::Options>() as u32,
            flags: if options.is_turned_on() { option_flags::ON } else { 0 },
            app,
            version,
            commit,
            environment,
            fleet,
            node,
            tags,
            dsn,
            state_dir,
            reporter: reporter.map_or(option, |path| path.as_ptr()),
            monitor,
            capture_timeout_ms: options.capture_timeout_ms,
            series_max: options.series_max,
            environ: host::environ(),
        };
        Self { options: lowered, _texts: texts }
    }
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

/// The text up to a NUL in it, as C would read it.
fn terminated(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}
