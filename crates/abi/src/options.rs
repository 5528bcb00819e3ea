//! What a program says of itself at start. The environment wins over all of it.

use core::ffi::c_char;

/// Bits of [`Options::flags`].
pub mod option_flags {
    /// Turn Lifeboat on in a linked build without `LIFEBOAT=on` in the environment.
    pub const ON: u32 = 1;
}

/// Options of `lifeboat_start`. Texts are NUL-terminated UTF-8, may be null, and are copied before the call
/// returns. Each is the default for the environment variable named beside it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `sizeof` this struct in the caller's header.
    pub struct_size: u32,
    /// See [`option_flags`].
    pub flags: u32,
    /// The program's name; with `version` it makes the release, `app@version` (`SENTRY_RELEASE` replaces both).
    pub app: *const c_char,
    /// The program's version.
    pub version: *const c_char,
    /// The commit it was built from (`LIFEBOAT_COMMIT`); becomes `dist`.
    pub commit: *const c_char,
    /// `SENTRY_ENVIRONMENT`.
    pub environment: *const c_char,
    /// `LIFEBOAT_FLEET`.
    pub fleet: *const c_char,
    /// `LIFEBOAT_NODE`.
    pub node: *const c_char,
    /// `LIFEBOAT_TAGS`: `key=value` pairs, separated by commas.
    pub tags: *const c_char,
    /// `SENTRY_DSN`.
    pub dsn: *const c_char,
    /// `LIFEBOAT_STATE_DIR`, absolute.
    pub state_dir: *const c_char,
    /// `LIFEBOAT_REPORTER`, absolute; used by the loader alone.
    pub reporter: *const c_char,
    /// `LIFEBOAT_MONITOR`, absolute; default `../bin/lifeboat-monitor` from the reporter.
    pub monitor: *const c_char,
    /// How long a dying process waits for its capture, milliseconds; 0 means 2,000.
    pub capture_timeout_ms: u32,
    /// `LIFEBOAT_SERIES_MAX`: the most series of metrics, histograms by their buckets; 0 means 10,000.
    pub series_max: u32,
    /// The process's environment, null-terminated; the loader fills it in.
    pub environ: *const *const c_char,
}
