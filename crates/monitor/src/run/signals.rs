//! Signals for the program: what is sent to us is meant for it.
//!
//! All that can be handed on is blocked in every thread of ours and waited for in one. SIGTSTP, SIGTTIN and SIGTTOU stop
//! us as they stop the program, which is in the same process group: so a shell sees its job stop.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::recorder::{OwnRecorder, boottime_ns};

/// Left alone: our own faults, what stops us, our children's ends, and what Rust ignores.
const NOT_OURS: [i32; 11] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGPIPE,
    libc::SIGSYS,
];
/// These ask for a stop; a program that gets one twice may give up its orderly end.
pub(super) const STOPS: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
const SIGNALS: usize = 65;
/// Who signals a whole group of processes reaches the program at the same moment as us: so long we look whether it got
/// the same signal itself.
const SAME_NS: u64 = 250_000_000;
const LOOK: Duration = Duration::from_millis(50);
/// The kernel itself sent it: a terminal, to all of a process group.
const SI_KERNEL: i32 = 128;

/// The signals that were blocked when we began.
pub(super) struct Mask(libc::sigset_t);

impl Mask {
    /// Blocks what is handed on, before the program is forked: so that none is lost.
    pub(super) fn block() -> Self {
        let (ours, mut before) = (handed_on(), empty());
        // SAFETY: both sets are whole and ours.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ours, &raw mut before) };
        Self(before)
    }

    /// Puts the mask back, in a child or at our end.
    pub(super) fn restore(&self) {
        // SAFETY: the set is whole; the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// When the program got which signal, as far as its tracer saw it.
pub(super) struct Seen([AtomicU64; SIGNALS]);

impl Default for Seen {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; SIGNALS])
    }
}

impl Seen {
    /// Takes note of a signal that others than we sent.
    pub(super) fn note(&self, signal: i32) {
        if let Some(at) = usize::try_from(signal).ok().and_then(|signal| self.0.get(signal)) {
            at.store(boottime_ns(), Ordering::Release);
        }
    }

    fn was_just_now(&self, signal: i32) -> bool {
        let at = usize::try_from(signal).ok().and_then(|signal| self.0.get(signal));
        at.is_some_and(|at| boottime_ns().saturating_sub(at.load(Ordering::Acquire)) < SAME_NS)
    }
}

/// Hands on what comes, for as long as we live.
pub(super) struct Forwarder {
    pub(super) recorder: Arc<OwnRecorder>,
    pub(super) seen: Arc<Seen>,
    pub(super) is_traced: bool,
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
}

impl Forwarder {
    /// Starts it.
    pub(super) fn start(self) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name("signals".into()).stack_size(64 * 1024);
        thread.spawn(move || self.run()).map(drop)
    }

    fn run(self) {
        let set = handed_on();
        loop {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            // SAFETY: the set is whole, and the kernel writes within the info, which is ours.
            let signal = unsafe { libc::sigwaitinfo(&raw const set, info.as_mut_ptr()) };
            if signal > 0 {
                // SAFETY: zeroed is a value, and the kernel has written it.
                self.hand_on(signal, unsafe { info.assume_init() }.si_code);
            }
        }
    }

    fn hand_on(&self, signal: i32, code: i32) {
        if code == SI_KERNEL && self.is_of_our_group() {
            // A terminal sent it to all of us.
            return self.note_stop(signal);
        }
        if self.is_traced && STOPS.contains(&signal) {
            std::thread::sleep(LOOK);
            if self.seen.was_just_now(signal) {
                return;
            }
        }
        self.note_stop(signal);
        // A program that has ended needs no signal any more.
        // SAFETY: the pidfd is open; without an info the kernel makes one as `kill` does.
        let _ = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
    }

    /// Where a tracer sees what reaches the program, it takes note.
    fn note_stop(&self, signal: i32) {
        if !self.is_traced && STOPS.contains(&signal) && signal != libc::SIGQUIT {
            self.recorder.request_stop(signal);
        }
    }

    fn is_of_our_group(&self) -> bool {
        // SAFETY: numbers alone.
        let its = unsafe { libc::getpgid(self.pid as i32) };
        // SAFETY: it has no preconditions.
        its == unsafe { libc::getpgrp() }
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is ours and made whole by this call.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { set.assume_init() }
}

/// Every signal that is the program's.
fn handed_on() -> libc::sigset_t {
    let mut set = empty();
    // SAFETY: the set is whole and ours.
    unsafe { libc::sigfillset(&raw mut set) };
    for signal in NOT_OURS {
        // SAFETY: as above; the number is a signal's.
        unsafe { libc::sigdelset(&raw mut set, signal) };
    }
    set
}
