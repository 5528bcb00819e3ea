//! What every host does around its reporter: reads its arguments, takes the time of the start, lets threads idle and
//! then rests or dies. The reporter itself is the host's own affair; the times are compared by the runner.
//!
//!     HOST FOLDER THREADS REST_MS die|rest

use std::error::Error;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The word that makes a host rest instead of die.
pub const REST: &str = "rest";
/// A host that nobody ends, because its runner was ended, ends by itself.
const REST_MAX: Duration = Duration::from_secs(60);

mod c {
    use std::ffi::{c_char, c_int, c_uint};

    unsafe extern "C" {
        pub(crate) safe fn peers_now_ns() -> u64;
        pub(crate) fn peers_say(word: *const c_char, figure: u64);
        pub(crate) safe fn peers_idle_threads(count: c_uint) -> c_uint;
        pub(crate) safe fn peers_die() -> c_int;
    }
}

/// Nanoseconds of the clock that host and runner share.
#[must_use]
pub fn now_ns() -> u64 {
    c::peers_now_ns()
}

/// Lives and dies as the arguments say. What `start` answers is kept until then.
///
/// # Errors
/// Where the arguments are others, the reporter does not start, or the fault does not end the process.
pub fn live<Reporter>(start: impl FnOnce(&Path) -> Result<Reporter>) -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: HOST FOLDER THREADS REST_MS die|rest");
    let folder = PathBuf::from(next()?);
    let threads: u32 = next()?.parse()?;
    let rest = Duration::from_millis(next()?.parse()?);
    let end = next()?;

    let before = now_ns();
    let _reporter = start(&folder)?;
    say(c"start", now_ns().saturating_sub(before));
    if c::peers_idle_threads(threads) > 0 {
        return Err("not every thread could be started".into());
    }
    sleep(rest);
    if end == REST {
        sleep(REST_MAX);
        return Ok(());
    }
    c::peers_die();
    Err("the fault did not end the process".into())
}

/// Tells the runner, who reads it after the death.
pub fn say(word: &CStr, figure: u64) {
    // SAFETY: `CStr` guarantees the NUL; the callee keeps no pointer.
    unsafe { c::peers_say(word.as_ptr(), figure) }
}
