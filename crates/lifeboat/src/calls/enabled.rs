//! The calls, through the reporter's table where there is one, else nothing.

mod hook;
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "enabled/host_elsewhere.rs")]
mod host;
mod link;
mod load;
mod metrics;
mod options;
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code, reason = "no reporter is found there")
)]
mod reporter;
mod status;
mod text;

use lifeboat_abi::{Frame, Origin, Str, Switch, Table};

pub use metrics::*;
pub use options::Options;
pub use status::{Error, Status};

use crate::Level;
use text::{Text, borrowed};

/// Whether Lifeboat is in this build.
#[doc(hidden)]
pub const ENABLED: bool = true;

/// Longest breadcrumb, tag or context value that is formatted, bytes; the recorder cuts them shorter.
const SHORT_MAX: usize = 512;
/// Longest message of an error or of last words.
const LONG_MAX: usize = 4096;

/// Begins: finds the reporter where one is named, starts it, and installs the panic hook. The first start stays
/// in force; a start that failed may be repeated. It may wait for another thread's start.
///
/// ```
/// let status = lifeboat::start(lifeboat::Options::new().app("demo").version("1.4.2"));
/// if let Err(error) = status.result() {
///     assert!(error.is_off() || error.is_disabled(), "{error}");
/// }
/// ```
pub fn start(options: Options<'_>) -> Status {
    if switch().is_some_and(Switch::forbids) {
        return Status::OFF;
    }
    let started = match reporter::find(&options) {
        Ok(reporter) => {
            host::watch_forks(metrics::in_child);
            reporter.start(&options)
        }
        Err(status) => status,
    };
    // Another part of this process, such as a library in C, may have started the same reporter: it has no hook.
    if started.is_ok() || started == Status::ALREADY_STARTED {
        hook::install(options.reports_caught_panics());
    }
    started
}

/// A clean end: what comes after is no death. A return from `main` and an exit with status 0 are one, too.
pub fn stop() -> Status {
    call(|table| Some(table.stop?()))
}

/// Whether a reporter is at work in this process.
#[must_use]
#[inline]
pub fn is_on() -> bool {
    reporter::table().is_some_and(|table| table.is_on.is_some_and(|is_on| is_on() != 0))
}

/// Gives the calling thread a name, as far as it has 15 bytes, and a signal stack if it has none; an empty name
/// keeps the one it has. Threads of std have both already: their stack is small but enough.
pub fn thread_attach(name: &str) -> Status {
    // SAFETY: the text is borrowed for the call.
    call(|table| Some(unsafe { table.thread_attach?(borrowed(name)) }))
}

/// Takes the signal handlers back after something replaced them.
pub fn rearm() -> Status {
    call(|table| Some(table.rearm?()))
}

/// Sets a tag of the node; a later value replaces the earlier.
pub fn tag(key: &str, value: &str) -> Status {
    // SAFETY: the texts are borrowed for the call.
    call(|table| Some(unsafe { table.tag?(borrowed(key), borrowed(value)) }))
}

/// Sets one value in a context section, such as `node` / `peers` / `48`.
pub fn context(section: &str, key: &str, value: &str) -> Status {
    // SAFETY: the texts are borrowed for the call.
    call(|table| Some(unsafe { table.context?(borrowed(section), borrowed(key), borrowed(value)) }))
}

/// Leaves a breadcrumb, one step of the trail before a death.
pub fn breadcrumb(level: Level, category: &str, message: &str) -> Status {
    let level = level as u32;
    // SAFETY: the texts are borrowed for the call.
    call(|table| Some(unsafe { table.breadcrumb?(level, borrowed(category), borrowed(message)) }))
}

/// Reports a handled error, with the stack of the call.
#[inline(never)]
pub fn error(level: Level, kind: &str, message: &str) -> Status {
    error_after(error as fn(Level, &str, &str) -> Status as usize, level, kind, message)
}

/// Last words: the process is about to end. They become the title of its report, with the stack of the call.
#[inline(never)]
pub fn fatal(kind: &str, message: &str) -> Status {
    fatal_after(fatal as fn(&str, &str) -> Status as usize, kind, message)
}

/// An invariant: counted always, reported when `passed` is false.
pub fn check(name: &str, passed: bool, severity: Level, detail: &str) -> Status {
    let (passed, severity) = (u32::from(passed), severity as u32);
    // SAFETY: the texts are borrowed for the call.
    call(|table| Some(unsafe { table.check?(borrowed(name), passed, severity, borrowed(detail)) }))
}

/// A component's state: 0 ok, 1 degraded, 2 failing, -1 unknown.
pub fn health(component: &str, state: i32, detail: &str) -> Status {
    // SAFETY: the texts are borrowed for the call.
    call(|table| Some(unsafe { table.health?(borrowed(component), state, borrowed(detail)) }))
}

/// Proof of life of a loop; the next is due within `deadline_ms`.
pub fn heartbeat(name: &str, deadline_ms: u32) -> Status {
    // SAFETY: the text is borrowed for the call.
    call(|table| Some(unsafe { table.heartbeat?(borrowed(name), deadline_ms) }))
}

/// The node's metrics as OpenMetrics text, for a page that the node serves itself; empty where there are none.
#[must_use]
pub fn metrics_text() -> String {
    /// What is counted meanwhile may make it longer.
    const TRIES: u32 = 4;
    let Some(write) = reporter::table().and_then(|table| table.metrics_text) else { return String::new() };
    let mut page: Vec<u8> = Vec::new();
    for _ in 0..TRIES {
        // SAFETY: the buffer is as long as it is said to be.
        let needed = unsafe { write(page.as_mut_ptr().cast(), page.len() as u64) } as usize;
        if needed <= page.len() {
            break;
        }
        page = vec![0; needed + needed / 8];
    }
    let length = page.iter().position(|byte| *byte == 0).unwrap_or(page.len());
    page.truncate(length);
    String::from_utf8(page).unwrap_or_default()
}

/// What the macros call.
#[doc(hidden)]
pub mod formatted {
    use std::fmt::Arguments;

    use super::{LONG_MAX, SHORT_MAX, Status, Text};
    use crate::Level;

    pub fn tag(key: &str, value: Arguments<'_>) -> Status {
        Text::<SHORT_MAX>::with(value, |value| super::tag(key, value))
    }

    pub fn context(section: &str, key: &str, value: Arguments<'_>) -> Status {
        Text::<SHORT_MAX>::with(value, |value| super::context(section, key, value))
    }

    pub fn breadcrumb(level: Level, category: &str, message: Arguments<'_>) -> Status {
        Text::<SHORT_MAX>::with(message, |message| super::breadcrumb(level, category, message))
    }

    #[inline(never)]
    pub fn error(level: Level, kind: &str, message: Arguments<'_>) -> Status {
        let own = error as fn(Level, &str, Arguments<'_>) -> Status as usize;
        Text::<LONG_MAX>::with(message, |message| super::error_after(own, level, kind, message))
    }

    #[inline(never)]
    pub fn fatal(kind: &str, message: Arguments<'_>) -> Status {
        let own = fatal as fn(&str, Arguments<'_>) -> Status as usize;
        Text::<LONG_MAX>::with(message, |message| super::fatal_after(own, kind, message))
    }
}

/// An error with the stack of those who called `function`.
fn error_after(function: usize, level: Level, kind: &str, message: &str) -> Status {
    if !is_on() {
        return Status::NOT_STARTED;
    }
    let mut stack = host::Stack::new();
    stack.fill_after(function);
    let (level, kind, message) = (level as u32, borrowed(kind), borrowed(message));
    let (frames, count) = parts(stack.frames());
    // SAFETY: texts and frames are borrowed for the call.
    call(|table| Some(unsafe { table.error?(level, kind, message, frames, count) }))
}

/// Last words with the stack of those who called `function`.
fn fatal_after(function: usize, kind: &str, message: &str) -> Status {
    if !is_on() {
        return Status::NOT_STARTED;
    }
    let mut stack = host::Stack::new();
    stack.fill_after(function);
    let (kind, message) = (borrowed(kind), borrowed(message));
    let (frames, count) = parts(stack.frames());
    // SAFETY: texts and frames are borrowed for the call.
    call(|table| Some(unsafe { table.fatal?(kind, message, frames, count) }))
}

/// Last words of a panic, which may yet be caught. An older reporter does not know them: there the signal or the
/// exit tells of the death.
fn panicked(flags: u32, message: &str, frames: &[Frame]) -> Status {
    let (origin, kind, message) = (Origin::Panic as u32 | flags, borrowed("panic"), borrowed(message));
    let (frames, count) = parts(frames);
    // SAFETY: texts and frames are borrowed for the call.
    call(|table| Some(unsafe { table.uncaught?(origin, kind, message, frames, count) }))
}

/// Calls an entry of the table, where there is a table and it has the entry.
fn call(entry: impl FnOnce(&Table) -> Option<i32>) -> Status {
    match reporter::table() {
        Some(table) => entry(table).map_or(Status::NOT_SUPPORTED, Status::from_number),
        None => Status::NOT_STARTED,
    }
}

/// What the environment asks for.
fn switch() -> Option<Switch> {
    Switch::of(std::env::var_os("LIFEBOAT")?.as_encoded_bytes())
}

fn parts(frames: &[Frame]) -> (*const Frame, u64) {
    (frames.as_ptr(), frames.len() as u64)
}

const EMPTY: Str = Str { data: std::ptr::null(), length: 0 };
