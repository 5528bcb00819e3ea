//! What the host is asked for: Linux on x86_64.

use std::ffi::{CStr, c_char, c_void};

use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat_abi::Frame;

use super::EMPTY;

/// Most frames that the recorder takes.
const FRAMES_MAX: usize = 64;
/// A thread's name, with its NUL. See <https://man7.org/linux/man-pages/man2/PR_SET_NAME.2const.html>.
pub(super) const THREAD_NAME_ROOM: usize = 16;

/// Whether the program has rights that its caller lacks.
pub(super) fn is_privileged() -> bool {
    // SAFETY: the call takes a number and reads what the kernel handed over at exec.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The process's environment.
pub(super) fn environ() -> *const *const c_char {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: every libc has it, and only `setenv` beside `start`, which the guide forbids, could change it now.
    unsafe { environ }
}

/// The calling thread's name. std's own is not asked for: it is gone in a destructor of thread-local storage, and
/// asking for it then panics.
pub(super) fn thread_name(room: &mut [u8; THREAD_NAME_ROOM]) -> &str {
    // SAFETY: the call takes nothing and cannot fail.
    let process = unsafe { libc::getpid() };
    // SAFETY: as above.
    if unsafe { libc::gettid() } == process {
        return "main";
    }
    // SAFETY: the kernel writes at most 16 bytes, the NUL included.
    unsafe { libc::prctl(libc::PR_GET_NAME, room.as_mut_ptr()) };
    CStr::from_bytes_until_nul(room).ok().and_then(|name| name.to_str().ok()).unwrap_or_default()
}

/// Has the libc call this in every child of a fork from now on; once in a program.
pub(super) fn watch_forks(in_child: extern "C" fn()) {
    static IS_WATCHING: AtomicBool = AtomicBool::new(false);
    if !IS_WATCHING.swap(true, Ordering::Relaxed) {
        // It fails for want of memory alone; then a child counts as its parent's, until it executes a program.
        // SAFETY: the function lives as long as this library, and the libc forgets it when that is unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

/// A stack of addresses; what they mean, the monitor finds out.
pub(super) struct Stack {
    frames: [Frame; FRAMES_MAX],
    count: usize,
}

impl Stack {
    /// Begins empty.
    pub(super) const fn new() -> Self {
        let empty = Frame { function: EMPTY, file: EMPTY, line: 0, column: 0, address: 0 };
        Self { frames: [empty; FRAMES_MAX], count: 0 }
    }

    /// Adds a frame, as long as there is room.
    pub(super) fn push(&mut self, frame: Frame) {
        if let Some(place) = self.frames.get_mut(self.count) {
            *place = frame;
            self.count += 1;
        }
    }

    /// Adds the callers of `function`, which must be on the stack and not inlined.
    pub(super) fn fill_after(&mut self, function: usize) {
        let mut is_past = false;
        let mut next = |frame: &backtrace::Frame| {
            let address = frame.ip() as u64;
            if is_past && address != 0 {
                self.push(Frame { function: EMPTY, file: EMPTY, line: 0, column: 0, address });
            } else if !is_past {
                is_past = frame.symbol_address() == function as *mut c_void;
            }
            self.count < FRAMES_MAX
        };
        // SAFETY: only Windows needs the lock that is left out; a panic may come while another thread holds it.
        unsafe { backtrace::trace_unsynchronized(&mut next) };
    }

    /// Innermost first.
    pub(super) fn frames(&self) -> &[Frame] {
        self.frames.get(..self.count).unwrap_or_default()
    }
}
