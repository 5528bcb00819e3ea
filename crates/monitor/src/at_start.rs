//! What signals did when this process began. Rust's runtime changes that before `main`: SIGPIPE is ignored there. A program
//! that we start shall find what we found.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ignored by Rust.
static IS_PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
/// Who ignores it never learns how a child of his ended.
static IS_CHILD_IGNORED: AtomicBool = AtomicBool::new(false);

/// Called by the C library before `main`, and so before Rust's runtime begins.
#[used]
// SAFETY: the section holds pointers to functions of this kind; the C library passes arguments that this one leaves alone.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    IS_PIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    IS_CHILD_IGNORED.store(is_ignored(libc::SIGCHLD), Ordering::Relaxed);
}

fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set; the kernel's answer is written to what is ours.
    unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed is a value of plain numbers.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// From now on children of ours can be waited for, whoever started us.
pub fn expect_children() {
    set(libc::SIGCHLD, false);
}

/// Puts back what we were started with, for a program that is about to take our place or is a child of ours.
/// It calls nothing that must not be called between `fork` and `exec`.
pub fn restore() {
    set(libc::SIGPIPE, IS_PIPE_IGNORED.load(Ordering::Relaxed));
    set(libc::SIGCHLD, IS_CHILD_IGNORED.load(Ordering::Relaxed));
}

fn set(signal: i32, is_ignored: bool) {
    let action = if is_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: neither action is code of ours.
    unsafe { libc::signal(signal, action) };
}
