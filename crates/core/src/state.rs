//! The one state of this process: where the recorder lies. A fork's child finds it empty.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering};

use lifeboat_abi::Status;
use lifeboat_recorder::{Recorder, SETTING_MAX, Stamp};

use crate::sys;

/// A page that the kernel empties in a fork's child: there Lifeboat is off, and nobody writes what is not theirs.
#[repr(C)]
pub(crate) struct Page {
    recorder: AtomicPtr<u8>,
    pub(crate) pid: AtomicU32,
    /// The thread whose fault is being recorded or handled, or 0.
    pub(crate) entered: AtomicU32,
    /// A `Phase`.
    pub(crate) phase: AtomicU32,
    /// The signal being handled.
    pub(crate) signal: AtomicU32,
    /// Faults that other handlers repaired.
    pub(crate) recovered: AtomicU32,
}

/// How far the handling of a fault has come.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle = 0,
    /// The handler writes and waits for the capture.
    Recording = 1,
    /// Whoever was there before is at work.
    Chained = 2,
}

static PAGE: AtomicPtr<Page> = AtomicPtr::new(null_mut());
/// 1 while a start is under way.
static STARTING: AtomicU32 = AtomicU32::new(0);

/// Where raw captures go, NUL-terminated; written once by `start`, before the handlers are installed.
pub(crate) static STATE_DIR: PathBuffer = PathBuffer::new();

/// The page, once `start` has been called in this process or in its parent.
pub(crate) fn page() -> Option<&'static Page> {
    // SAFETY: the pointer is null or a mapping that is never unmapped; the page is atomics.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

/// The recorder, while Lifeboat is on in this very process.
pub(crate) fn recorder() -> Option<(&'static Page, Recorder)> {
    let page = page()?;
    let base = NonNull::new(page.recorder.load(Ordering::Acquire))?;
    // SAFETY: `publish` stores only bases of recorders that were laid out and are never unmapped.
    Some((page, unsafe { Recorder::at(base) }))
}

/// Begins a start: at most one is under way, and none where Lifeboat is on.
pub(crate) fn begin_start() -> Result<&'static Page, Status> {
    if STARTING.swap(1, Ordering::AcqRel) == 1 {
        return Err(Status::AlreadyStarted);
    }
    let begun = if recorder().is_some() { Err(Status::AlreadyStarted) } else { page_or_new() };
    if begun.is_err() {
        end_start();
    }
    begun
}

pub(crate) fn end_start() {
    STARTING.store(0, Ordering::Release);
}

fn page_or_new() -> Result<&'static Page, Status> {
    if let Some(page) = page() {
        return Ok(page);
    }
    const BYTES: usize = 4096;
    let at = sys::map(BYTES, sys::PROT_READ_WRITE, sys::MAP_PRIVATE_ANONYMOUS, -1)
        .map_err(|_| Status::NoMemory)?;
    let arguments = [at.as_ptr() as usize, BYTES, sys::MADV_WIPEONFORK, 0, 0, 0];
    // SAFETY: the range is the mapping just made.
    unsafe { sys::call(sys::number::MADVISE, arguments) }.map_err(|_| Status::UnsupportedPlatform)?;
    PAGE.store(at.as_ptr().cast(), Ordering::Release);
    page().ok_or(Status::NoMemory)
}

impl Page {
    /// Turns the calls on.
    pub(crate) fn publish(&self, recorder: Recorder) {
        self.pid.store(sys::getpid(), Ordering::Relaxed);
        self.phase.store(Phase::Idle as u32, Ordering::Relaxed);
        self.entered.store(0, Ordering::Relaxed);
        self.recorder.store(recorder.base().as_ptr(), Ordering::Release);
    }

    /// Turns them off. The mapping stays: another thread may be writing.
    pub(crate) fn withdraw(&self) {
        self.recorder.store(null_mut(), Ordering::Release);
    }
}

/// Who writes, and when.
pub(crate) fn stamp() -> Stamp {
    Stamp { realtime_ns: sys::clock_ns(sys::CLOCK_REALTIME), tid: sys::gettid() }
}

/// A path that a handler can read at any time.
pub(crate) struct PathBuffer {
    bytes: [AtomicU8; Self::ROOM],
    length: AtomicU32,
}

impl PathBuffer {
    /// The longest path with its NUL; what makes a raw capture's name is added to it.
    pub(crate) const ROOM: usize = 1024;

    pub(crate) const fn new() -> Self {
        Self { bytes: [const { AtomicU8::new(0) }; Self::ROOM], length: AtomicU32::new(0) }
    }

    /// Keeps the path; false where it is too long.
    pub(crate) fn set(&self, path: &[u8]) -> bool {
        // A setting that is cut would send the monitor to another folder.
        if path.len() > SETTING_MAX {
            return false;
        }
        self.length.store(0, Ordering::Release);
        for (to, from) in self.bytes.iter().zip(path) {
            to.store(*from, Ordering::Relaxed);
        }
        self.length.store(path.len() as u32, Ordering::Release);
        true
    }

    /// Copies it out; answers its length.
    pub(crate) fn copy_to(&self, into: &mut [u8]) -> usize {
        let length = (self.length.load(Ordering::Acquire) as usize).min(into.len());
        for (to, from) in into.iter_mut().zip(&self.bytes).take(length) {
            *to = from.load(Ordering::Relaxed);
        }
        length
    }
}
