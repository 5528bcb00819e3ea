//! The one table of functions, and the one symbol that hands it out.

use core::ffi::c_char;

use crate::{Metric, MetricLabel, Options};

/// The version of this contract that the symbol's name carries.
pub const ABI_VERSION: u32 = 1;

/// The one symbol that the reporter exports, NUL-terminated for `dlsym`.
pub const API_SYMBOL: &core::ffi::CStr = c"lifeboat_api_v1";

/// `lifeboat_api_v1(host_abi, host_size)`: the table, or null where the reporter refuses the host's version.
/// The table is valid for the life of the process.
pub type ApiFunction = extern "C" fn(host_abi: u32, host_size: u32) -> *const Table;

/// Borrowed UTF-8: valid for the call alone. A null `data` is the empty text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// The first byte, or null.
    pub data: *const c_char,
    /// How many bytes.
    pub length: u64,
}

/// How grave a record is: Sentry's levels.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who build the node.
    Debug = 0,
    /// The ordinary course.
    Info = 1,
    /// Worth a look.
    Warning = 2,
    /// Something failed.
    Error = 3,
    /// The process ends.
    Fatal = 4,
}

/// Which language an exception that nobody caught comes from; may carry [`REPORT_IF_CAUGHT`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No language of these: last words as `fatal` takes them.
    Other = 0,
    /// A Rust panic. It may yet be caught: it counts only where its own thread then ends the process.
    Panic = 1,
    /// A Nim exception or Defect.
    Nim = 2,
    /// A C++ exception, or another reason of `std::terminate`.
    Cpp = 3,
}

/// Added to [`Origin::Panic`]: where the process lives on, the panic is reported as a handled error.
pub const REPORT_IF_CAUGHT: u32 = 0x100;

/// One frame of a stack that a language runtime knows, innermost first in its array.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The function's readable name.
    pub function: Str,
    /// Its source file.
    pub file: Str,
    /// The line, from 1; 0 where unknown.
    pub line: u32,
    /// The column, from 1; 0 where unknown.
    pub column: u32,
    /// The instruction's address; 0 where unknown.
    pub address: u64,
}

/// What the reporter offers. Every call may come from any thread and copies what it is handed before it
/// returns; none allocates, locks or waits, but for `start` and `stop`. Answers are [`crate::Status`] numbers.
///
/// Only `breadcrumb`, `tag`, `context`, `fatal`, `uncaught` and `is_on` may be called from a signal handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Table {
    /// `sizeof` this table in the reporter.
    pub struct_size: u32,
    /// [`ABI_VERSION`] of the reporter.
    pub abi_version: u32,
    /// Begins: maps the flight recorder, starts the monitor, installs the handlers.
    pub start: Option<unsafe extern "C" fn(options: *const Options) -> i32>,
    /// A clean end: what comes after is no death.
    pub stop: Option<extern "C" fn() -> i32>,
    /// 1 while a reporter is at work in this process.
    pub is_on: Option<extern "C" fn() -> u32>,
    /// Gives the calling thread a signal stack and a name (`Str` by value, may be empty).
    pub thread_attach: Option<unsafe extern "C" fn(name: Str) -> i32>,
    /// Takes the signal handlers back after somebody replaced them.
    pub rearm: Option<extern "C" fn() -> i32>,
    /// Sets a tag of the node.
    pub tag: Option<unsafe extern "C" fn(key: Str, value: Str) -> i32>,
    /// Sets one value in a context section.
    pub context: Option<unsafe extern "C" fn(section: Str, key: Str, value: Str) -> i32>,
    /// Leaves a breadcrumb; `level` is a [`Level`].
    pub breadcrumb: Option<unsafe extern "C" fn(level: u32, category: Str, message: Str) -> i32>,
    /// Reports a handled error.
    pub error: Option<
        unsafe extern "C" fn(
            level: u32,
            kind: Str,
            message: Str,
            frames: *const Frame,
            frames_count: u64,
        ) -> i32,
    >,
    /// Last words: the process is about to end.
    pub fatal:
        Option<unsafe extern "C" fn(kind: Str, message: Str, frames: *const Frame, frames_count: u64) -> i32>,
    /// An invariant: counted always, reported when it fails.
    pub check: Option<unsafe extern "C" fn(name: Str, passed: u32, severity: u32, detail: Str) -> i32>,
    /// Gives a metric its slot.
    pub metric_resolve: Option<unsafe extern "C" fn(metric: *mut Metric) -> i32>,
    /// The calling thread's row of slots, or null; only this thread writes it.
    pub metric_row: Option<extern "C" fn() -> *mut u64>,
    /// Adds to a counter.
    pub counter_add: Option<unsafe extern "C" fn(metric: *mut Metric, value: u64) -> i32>,
    /// Sets a gauge.
    pub gauge_set: Option<unsafe extern "C" fn(metric: *mut Metric, value: f64) -> i32>,
    /// Adds to a gauge.
    pub gauge_add: Option<unsafe extern "C" fn(metric: *mut Metric, value: f64) -> i32>,
    /// Observes one value.
    pub histogram_observe: Option<unsafe extern "C" fn(metric: *mut Metric, value: f64) -> i32>,
    /// A component's state: 0 ok, 1 degraded, 2 failing, -1 unknown.
    pub health: Option<unsafe extern "C" fn(component: Str, state: i32, detail: Str) -> i32>,
    /// Proof of life of a loop; the next is due within `deadline_ms`.
    pub heartbeat: Option<unsafe extern "C" fn(name: Str, deadline_ms: u32) -> i32>,
    /// Writes the registry as OpenMetrics text; answers the size that the whole text needs.
    pub metrics_text: Option<unsafe extern "C" fn(buffer: *mut c_char, size: u64) -> u64>,
    /// The sentence for a status number, NUL-terminated, valid for the life of the process.
    pub status_text: Option<extern "C" fn(status: i32) -> *const c_char>,
    /// Last words of a language: an exception that nobody caught; `origin` is an [`Origin`].
    pub uncaught: Option<
        unsafe extern "C" fn(
            origin: u32,
            kind: Str,
            message: Str,
            frames: *const Frame,
            frames_count: u64,
        ) -> i32,
    >,
    /// The row of slots that all threads share, for gauges, or null; every write must be atomic.
    pub metric_shared: Option<extern "C" fn() -> *mut u64>,
    /// Sets an info's labels in the place of those that it had; they stay the caller's.
    pub info_set: Option<
        unsafe extern "C" fn(metric: *mut Metric, labels: *const MetricLabel, labels_count: u64) -> i32,
    >,
}

const _: () = assert!(core::mem::size_of::<Str>() == 16, "Str is two words");
const _: () = assert!(core::mem::size_of::<Frame>() == 48, "Frame has no padding");
const _: () = assert!(core::mem::offset_of!(Table, start) == 8, "the table's head is two u32");
const _: () = assert!(core::mem::size_of::<Options>() == 112, "Options of ABI 1");
const _: () = assert!(core::mem::size_of::<Metric>() == 72, "Metric of ABI 1");
