//! What the kernel says of a signal that came.

use core::ffi::c_void;

use crate::action::{SIGBUS, SIGFPE, SIGILL, SIGSEGV};
use crate::sys;

/// The parts of `siginfo` that a record needs.
#[derive(Clone, Copy)]
pub(crate) struct SignalInfo {
    pub(crate) signal: u32,
    pub(crate) code: i32,
    pub(crate) address: u64,
    pub(crate) sender_pid: u32,
}

impl SignalInfo {
    /// # Safety
    /// `info` must be the siginfo of a signal that came.
    pub(crate) unsafe fn read(info: *const c_void) -> Self {
        // SAFETY: siginfo is 128 bytes: three ints, padding, then address or pid and uid.
        let words = unsafe { info.cast::<[u32; 6]>().read() };
        let [signal, _, code, _, low, high] = words;
        let code = code as i32;
        let address = u64::from(high) << 32 | u64::from(low);
        let (address, sender_pid) = if code > 0 { (address, 0) } else { (0, low) };
        Self { signal, code, address, sender_pid }
    }

    /// Whether the instruction itself faults, and does so again when the handler returns.
    pub(crate) fn repeats(&self) -> bool {
        const MACHINE_CHECK_LATER: i32 = 5;
        match self.signal {
            SIGSEGV | SIGILL | SIGFPE => self.code > 0,
            SIGBUS => self.code > 0 && self.code != MACHINE_CHECK_LATER,
            _ => false,
        }
    }

    /// Whether this process sent it to itself, as `abort` and `raise` do.
    pub(crate) fn is_own(&self) -> bool {
        self.code <= 0 && self.sender_pid == sys::getpid()
    }
}
