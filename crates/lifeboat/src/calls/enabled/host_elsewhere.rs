//! What the host is asked for where no reporter runs: nothing.

use std::ffi::c_char;

use lifeboat_abi::Frame;

/// Room for a thread's name.
pub(super) const THREAD_NAME_ROOM: usize = 16;

/// The process's environment: nobody reads it.
pub(super) fn environ() -> *const *const c_char {
    std::ptr::null()
}

/// The calling thread's name: nobody asks.
pub(super) fn thread_name(_: &mut [u8; THREAD_NAME_ROOM]) -> &str {
    ""
}

/// Nobody counts.
pub(super) fn watch_forks(_: extern "C" fn()) {}

/// A stack that is never taken.
pub(super) struct Stack;

impl Stack {
    /// Begins and stays empty.
    pub(super) const fn new() -> Self {
        Self
    }

    /// Adds nothing.
    pub(super) fn push(&mut self, _: Frame) {}

    /// Adds nothing.
    pub(super) fn fill_after(&mut self, _: usize) {}

    /// None.
    pub(super) fn frames(&self) -> &[Frame] {
        &[]
    }
}
