//! The panic hook: keeps what a panic says before anybody knows whether it will be caught.
//!
//! It allocates nothing, touches no thread-local value with a destructor and takes no lock of its own: a panic may come
//! out of an allocator, a destructor of thread-local storage, or another panic's clean-up. To walk the stack is what
//! every unwinding does, too; with musl, and glibc before 2.35, that takes the loader's lock. The hook only ever adds:
//! the one that was there before runs after it.

use std::fmt::Write;
use std::panic::{self, Location, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat_abi::{Frame, REPORT_IF_CAUGHT};

use super::host::{self, Stack};
use super::text::{Text, borrowed};
use super::{EMPTY, SHORT_MAX, breadcrumb, is_on, panicked};
use crate::Level;

/// What std prints for a payload that is no text.
const NO_TEXT: &str = "Box<dyn Any>";
/// How much of the message a breadcrumb repeats, bytes: the place shall fit beside it.
const BREADCRUMB_MESSAGE_MAX: usize = 240;

static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
static REPORTS_CAUGHT: AtomicBool = AtomicBool::new(false);

/// Installs the hook, once for a process.
pub(super) fn install(reports_caught: bool) {
    // A thread that panics may not change the hook; its process is about to tell its last words anyway.
    if std::thread::panicking() || IS_INSTALLED.swap(true, Ordering::AcqRel) {
        return;
    }
    REPORTS_CAUGHT.store(reports_caught, Ordering::Relaxed);
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        keep(info);
        previous(info);
    }));
}

/// Keeps one panic. Its own frame, and those inside it, are left out of the stack.
#[inline(never)]
fn keep(info: &PanicHookInfo<'_>) {
    if !is_on() {
        return;
    }
    let message = info.payload_as_str().unwrap_or(NO_TEXT);
    let mut stack = Stack::new();
    if let Some(place) = info.location() {
        stack.push(frame_of(place));
        leave_breadcrumb(message, place);
    }
    stack.fill_after(keep as fn(&PanicHookInfo<'_>) as usize);
    let flags = if REPORTS_CAUGHT.load(Ordering::Relaxed) { REPORT_IF_CAUGHT } else { 0 };
    panicked(flags, message, stack.frames());
}

/// Where the panic says that it comes from: all there is in a build without debug information.
fn frame_of(place: &Location<'_>) -> Frame {
    Frame {
        function: EMPTY,
        file: borrowed(place.file()),
        line: place.line(),
        column: place.column(),
        address: 0,
    }
}

/// A panic that is caught, or that ends in an exit of another thread, is part of the trail.
fn leave_breadcrumb(message: &str, place: &Location<'_>) {
    let mut text = Text::<SHORT_MAX>::new();
    text.push_at_most(message, BREADCRUMB_MESSAGE_MAX);
    let mut name = [0; host::THREAD_NAME_ROOM];
    let name = host::thread_name(&mut name);
    // Nothing can fail but for want of room, and then the text is cut.
    let _ = write!(text, " ({place}, thread {name})");
    breadcrumb(Level::Error, "panic", text.as_str());
}
