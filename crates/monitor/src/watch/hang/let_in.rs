//! Asks a node to let us in, by the signal that its reporter has reserved for that: where Yama restricts tracing, only a
//! process itself can allow it to somebody who is not its parent.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::link::{self, Link};

/// How long the node may take to run its handler. One that waits in the kernel for good never does.
const PATIENCE: Duration = Duration::from_millis(500);
const FIRST_SIGNAL: u32 = 32;
const LAST_SIGNAL: u32 = 64;

/// While this lives the node waits, for half a second at most, and may be traced.
pub(super) struct LetIn<'l> {
    link: &'l Link,
    request: u32,
    /// The thread that let us in.
    pub(super) tid: u32,
    /// Where its interrupted registers lie.
    pub(super) context: u64,
}

impl Drop for LetIn<'_> {
    fn drop(&mut self) {
        let done = &self.link.control().hang_done;
        done.store(self.request, Ordering::Release);
        link::wake(done);
    }
}

/// Asks, by way of the thread that hangs if that will hear it: another one's system call would be interrupted.
///
/// The answer of a refusal is why.
pub(super) fn ask(link: &Link, hung_tid: u32) -> Result<LetIn<'_>, String> {
    let control = link.control();
    let request = control.hang_request.load(Ordering::Relaxed).wrapping_add(1).max(1);
    control.hang_request.store(request, Ordering::SeqCst);
    // From here on the node keeps its handler, or we see that it gave it back.
    std::sync::atomic::fence(Ordering::SeqCst);
    let mut asked = LetIn { link, request, tid: 0, context: 0 };
    let signal = control.hang_signal.load(Ordering::SeqCst);
    if !(FIRST_SIGNAL..=LAST_SIGNAL).contains(&signal) {
        return Err("no signal is reserved for letting the monitor in (LIFEBOAT_HANG_SIGNAL)".into());
    }
    if control.hang_armed.load(Ordering::SeqCst) != 1
        || !has_bit(&status(link, link.pid()), "SigCgt:", signal)
    {
        return Err(format!(
            "signal {signal} is the program's own: name a free one in LIFEBOAT_HANG_SIGNAL to let the monitor in"
        ));
    }
    let hears = |tid: &u32| {
        let status = status(link, *tid);
        is_awake(&status) && !has_bit(&status, "SigBlk:", signal)
    };
    let others = super::look::tids(link.pid());
    let Some(tid) = std::iter::once(hung_tid).chain(others).find(hears) else {
        return Err(format!("no thread can hear signal {signal}, which would let the monitor in"));
    };
    send(link, tid, signal)?;
    if !wait(link, request) {
        return Err(format!("the node did not answer signal {signal}, which would let the monitor in"));
    }
    asked.tid = control.hang_tid.load(Ordering::Relaxed);
    asked.context = control.hang_context.load(Ordering::Relaxed);
    Ok(asked)
}

fn send(link: &Link, tid: u32, signal: u32) -> Result<(), String> {
    // The number of one that has ended may be another's by now.
    if !link.lives() {
        return Err("the node has ended".into());
    }
    // SAFETY: the call takes numbers alone; a thread that is no more, or another process's, is not found.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, link.pid(), tid, signal) };
    if sent == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(format!("signal {signal}, which would let the monitor in, could not be sent: {error}"))
}

fn wait(link: &Link, request: u32) -> bool {
    let allowed = &link.control().hang_allowed;
    let from = Instant::now();
    loop {
        let seen = allowed.load(Ordering::Acquire);
        let left = PATIENCE.saturating_sub(from.elapsed());
        if seen == request || left.is_zero() {
            return seen == request;
        }
        link::wait(allowed, seen, Some(left));
    }
}

fn status(link: &Link, tid: u32) -> String {
    fs::read_to_string(format!("/proc/{}/task/{tid}/status", link.pid())).unwrap_or_default()
}

/// Neither stopped, nor in a wait that no signal ends, nor at its end.
fn is_awake(status: &str) -> bool {
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| state.trim_start().starts_with(['R', 'S']))
}

fn has_bit(status: &str, label: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(label));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
