//! A signal stack for a thread that has none: without one a stack overflow ends in silence.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use lifeboat_abi::Status;

use crate::sys;

/// The kernel's frame takes up to 11 KiB with AMX state; a chained handler may want more.
const STACK_BYTES: usize = 64 * 1024;
const GUARD_BYTES: usize = 4096;
/// How many threads can have a stack of ours at one time.
const THREADS_MAX: usize = 1024;
const SS_DISABLE: u64 = 2;

/// A stack and the thread that has it. A dead thread's stack goes to the next thread that asks.
struct Entry {
    tid: AtomicU32,
    stack: AtomicPtr<u8>,
}

static ENTRIES: [Entry; THREADS_MAX] =
    [const { Entry { tid: AtomicU32::new(0), stack: AtomicPtr::new(null_mut()) } }; THREADS_MAX];

/// `stack_t`: start, flags (padded), size.
#[repr(C)]
struct SignalStack {
    start: u64,
    flags: u64,
    bytes: u64,
}

/// Gives the calling thread a signal stack, unless it has one.
pub(crate) fn attach() -> Status {
    if let Some(start) = current_stack() {
        // A fork's child has its parent's stack under a number of its own.
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.stack.load(Ordering::Acquire) as u64 == start)
        {
            entry.tid.store(sys::gettid(), Ordering::Release);
        }
        return Status::Ok;
    }
    let Some(entry) = claim(sys::getpid(), sys::gettid()) else { return Status::NoRoom };
    let stack = entry.stack.load(Ordering::Acquire);
    let stack = match NonNull::new(stack).map_or_else(map_stack, Ok) {
        Ok(stack) => stack,
        Err(_) => {
            entry.tid.store(0, Ordering::Release);
            return Status::NoMemory;
        }
    };
    entry.stack.store(stack.as_ptr(), Ordering::Release);
    let new = SignalStack { start: stack.as_ptr() as u64, flags: 0, bytes: STACK_BYTES as u64 };
    let arguments = [(&raw const new) as usize, 0, 0, 0, 0, 0];
    // SAFETY: the stack is mapped for good and belongs to this thread alone while it lives.
    match unsafe { sys::call(sys::number::SIGALTSTACK, arguments) } {
        Ok(_) => Status::Ok,
        Err(_) => Status::NoMemory,
    }
}

/// Where this thread's signal stack starts, if it has one.
fn current_stack() -> Option<u64> {
    let mut now = SignalStack { start: 0, flags: 0, bytes: 0 };
    let arguments = [0, (&raw mut now) as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes one struct of this layout.
    let asked = unsafe { sys::call(sys::number::SIGALTSTACK, arguments) };
    (asked.is_ok() && now.flags & SS_DISABLE == 0).then_some(now.start)
}

/// This thread's own entry, a free one, or one whose thread has ended.
fn claim(pid: u32, tid: u32) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| {
        let owner = entry.tid.load(Ordering::Acquire);
        let free = owner == 0 || owner == tid || !sys::thread_lives(pid, owner);
        free && entry.tid.compare_exchange(owner, tid, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    })
}

fn map_stack() -> Result<NonNull<u8>, sys::Errno> {
    let whole = sys::map(GUARD_BYTES + STACK_BYTES, sys::PROT_READ_WRITE, sys::MAP_PRIVATE_ANONYMOUS, -1)?;
    let arguments = [whole.as_ptr() as usize, GUARD_BYTES, sys::PROT_NONE, 0, 0, 0];
    // SAFETY: the range is the start of the mapping just made.
    unsafe { sys::call(sys::number::MPROTECT, arguments) }?;
    // SAFETY: the mapping is longer than its guard.
    Ok(unsafe { whole.add(GUARD_BYTES) })
}
