//! Starts the monitor without fork: two raw clones that share the node's memory, so that a large node pays nothing.
//!
//! The first child has no exit signal and is reaped at once with __WCLONE: the node's SIGCHLD and waitpid(-1)
//! never see it. The second is nobody's child, and executes the monitor.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::{NonNull, null};
use core::sync::atomic::{AtomicU32, Ordering};

use lifeboat_abi::Status;
use lifeboat_recorder::{MonitorState, Recorder};

use crate::bell::wait_until;
use crate::environ::{Environ, is_for_monitor};
use crate::sys::{self, number};

const CLONE_VM: usize = 0x100;
const CLONE_UNTRACED: usize = 0x0080_0000;
const SIGCHLD: usize = 17;
const WCLONE: usize = 0x8000_0000;
const F_DUPFD: usize = 0;
/// The first child only clones the second one.
const FIRST_STACK_BYTES: usize = 2 * 1024;
const SECOND_STACK_BYTES: usize = 14 * 1024;
const ENVIRON_MAX: usize = 48;
/// The longest number of 32 bits.
const PID_DIGITS: usize = 10;
const TEXTS_BYTES: usize = 16 * 1024;
/// The descriptors that the monitor finds.
const RECORDER_FD: usize = 3;
const PID_FD: usize = 4;
const METRICS_FD: usize = 5;
const FIRST_SPARE_FD: usize = 6;
/// Above all that the child puts in place.
const PARKED_FD: usize = 16;

/// All that the children need, in memory of its own that is never freed: the monitor's exec may still read it
/// when `start` has long returned.
///
/// The stacks grow down from their ends, which lie in one page: every fresh page costs a fault.
#[repr(C, align(16))]
struct Launch {
    second_stack: [u8; SECOND_STACK_BYTES],
    first_stack: [u8; FIRST_STACK_BYTES],
    path: *const c_char,
    arguments: [*const c_char; 5],
    environ: [*const c_char; ENVIRON_MAX + 1],
    texts: [u8; TEXTS_BYTES],
    recorder: Recorder,
    /// The recorder, the node's pidfd, the metrics.
    descriptors: [i32; 3],
    /// 1 once `start` has done its work: on one processor a monitor that starts would keep it waiting.
    go: AtomicU32,
}

/// Should `start` never get so far, because its thread is killed or stopped, the monitor comes all the same.
const GO_TIMEOUT_NS: u64 = 50_000_000;

/// A monitor that is about to be executed.
pub(crate) struct Monitor {
    go: &'static AtomicU32,
}

impl Monitor {
    /// Lets it begin.
    pub(crate) fn go(&self) {
        self.go.store(1, Ordering::Release);
        sys::futex_wake(self.go);
    }
}

/// Starts the monitor; does not wait for it.
pub(crate) fn monitor(
    path: &CStr,
    environ: Environ,
    recorder: Recorder,
    descriptors: [i32; 3],
) -> Result<Monitor, Status> {
    let memory = sys::map(size_of::<Launch>(), sys::PROT_READ_WRITE, sys::MAP_PRIVATE_ANONYMOUS, -1);
    let mut launch = memory.map_err(|_| Status::NoMemory)?.cast::<Launch>();
    // SAFETY: the mapping is large enough, page-aligned, and ours alone.
    let place = unsafe { &raw mut (*launch.as_ptr()).recorder };
    // SAFETY: as above. All other fields are valid as the zeroes that they are.
    unsafe { place.write(recorder) };
    // SAFETY: every field is initialised now; nobody else knows of it yet.
    let filled = unsafe { launch.as_mut() };
    filled.descriptors = descriptors;
    fill(filled, path, environ);
    // A signal handler that ran in a child would run on the node's memory with the child's descriptors.
    let mask = sys::signal_mask(sys::SIG_SETMASK, u64::MAX);
    let first = clone_onto(launch, first_child, CLONE_VM | CLONE_UNTRACED, FIRST_TOP);
    let reaped = first.map(reap);
    sys::signal_mask(sys::SIG_SETMASK, mask);
    // SAFETY: the launch is never freed, and this field of it is an atomic.
    let go = unsafe { &(*launch.as_ptr()).go };
    reaped.map(|()| Monitor { go }).map_err(|()| Status::MonitorFailed)
}

fn fill(launch: &mut Launch, path: &CStr, environ: Environ) {
    let mut texts = Texts { rest: launch.texts.as_mut_slice() };
    launch.path = texts.keep(path.to_bytes()).unwrap_or(null());
    // The process id is for people who look through a list of processes.
    let mut digits = [0; PID_DIGITS];
    let node = decimal(sys::getpid(), &mut digits);
    let arguments: [&[u8]; 4] = [b"lifeboat-monitor", b"watch", b"--node", node];
    for (to, from) in launch.arguments.iter_mut().zip(arguments) {
        *to = texts.keep(from).unwrap_or(null());
    }
    let wanted = environ.entries().map(CStr::to_bytes).filter(|entry| is_for_monitor(entry));
    for (to, from) in launch.environ.iter_mut().zip(wanted.take(ENVIRON_MAX)) {
        let Some(kept) = texts.keep(from) else { break };
        *to = kept;
    }
}

/// A number as text, at the end of a buffer.
fn decimal(mut number: u32, digits: &mut [u8; PID_DIGITS]) -> &[u8] {
    let mut start = PID_DIGITS;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

/// Copies texts one after the other, each with its NUL.
struct Texts<'a> {
    rest: &'a mut [u8],
}

impl Texts<'_> {
    fn keep(&mut self, text: &[u8]) -> Option<*const c_char> {
        let rest = core::mem::take(&mut self.rest);
        if text.len() >= rest.len() {
            self.rest = rest;
            return None;
        }
        let (place, rest) = rest.split_at_mut_checked(text.len() + 1)?;
        for (to, from) in place.iter_mut().zip(text) {
            *to = *from;
        }
        self.rest = rest;
        Some(place.as_ptr().cast())
    }
}

const FIRST_TOP: usize = core::mem::offset_of!(Launch, first_stack) + FIRST_STACK_BYTES;
const SECOND_TOP: usize = core::mem::offset_of!(Launch, second_stack) + SECOND_STACK_BYTES;

fn clone_onto(
    launch: NonNull<Launch>,
    entry: extern "C" fn(*mut c_void) -> !,
    flags: usize,
    top: usize,
) -> Result<usize, ()> {
    // SAFETY: the offset lies within the launch.
    let top = unsafe { launch.cast::<u8>().add(top) };
    // SAFETY: the stack is one that only this child uses, large enough for it, and the launch is never freed.
    let pid = unsafe { sys::call_on_new_stack(flags, top.as_ptr(), entry, launch.as_ptr().cast()) };
    usize::try_from(pid).map_err(|_| ())
}

fn reap(pid: usize) {
    loop {
        // SAFETY: no status is asked for.
        let waited = unsafe { sys::call(number::WAIT4, [pid, 0, WCLONE, 0, 0, 0]) };
        if waited != Err(sys::Errno::INTERRUPTED) {
            return;
        }
    }
}

extern "C" fn first_child(launch: *mut c_void) -> ! {
    if let Some(launch) = NonNull::new(launch.cast::<Launch>())
        && clone_onto(launch, second_child, CLONE_VM | CLONE_UNTRACED | SIGCHLD, SECOND_TOP).is_err()
    {
        failed(launch, sys::Errno::AGAIN);
    }
    sys::exit_thread()
}

extern "C" fn second_child(launch: *mut c_void) -> ! {
    let Some(launch) = NonNull::new(launch.cast::<Launch>()) else { sys::exit_thread() };
    // SAFETY: the launch is never freed, and nobody writes it any more.
    let ready = unsafe { launch.as_ref() };
    // From here on the node can tell whether its monitor lives, even if it never gets to speak.
    ready.recorder.control().monitor_pid.store(sys::getpid(), Ordering::Release);
    wait_until(&ready.go, 1, GO_TIMEOUT_NS);
    let error = place_descriptors(ready.descriptors).err().unwrap_or_else(|| execute(ready));
    failed(launch, error);
    sys::exit_thread()
}

fn execute(launch: &Launch) -> sys::Errno {
    let arguments =
        [launch.path as usize, launch.arguments.as_ptr() as usize, launch.environ.as_ptr() as usize, 0, 0, 0];
    // SAFETY: path, arguments and environment are NUL- and null-terminated and never freed.
    match unsafe { sys::call(number::EXECVE, arguments) } {
        Ok(_) => sys::Errno::AGAIN,
        Err(error) => error,
    }
}

/// In a descriptor table of the child's own: /dev/null for 0 to 2, then recorder, pidfd and metrics, and nothing else.
fn place_descriptors([recorder_fd, pid_fd, metrics_fd]: [i32; 3]) -> Result<(), sys::Errno> {
    let quiet = |number, arguments| {
        // SAFETY: these calls take descriptors and numbers alone.
        unsafe { sys::call(number, arguments) }
    };
    quiet(number::SETSID, [0; 6]).ok();
    let park = |fd: usize| quiet(number::FCNTL, [fd, F_DUPFD, PARKED_FD, 0, 0, 0]);
    let recorder = park(recorder_fd as usize)?;
    let pid = park(pid_fd as usize)?;
    let metrics = park(metrics_fd as usize)?;
    let null = park(sys::open(c"/dev/null", sys::O_RDWR, 0)? as usize)?;
    let places =
        [(null, 0), (null, 1), (null, 2), (recorder, RECORDER_FD), (pid, PID_FD), (metrics, METRICS_FD)];
    for (from, to) in places {
        quiet(number::DUP2, [from, to, 0, 0, 0, 0])?;
    }
    // Where the kernel lacks it or seccomp refuses it, the monitor closes what it finds.
    let _ = quiet(number::CLOSE_RANGE, [FIRST_SPARE_FD, u32::MAX as usize, 0, 0, 0, 0]);
    Ok(())
}

/// Tells the node, whose memory this still is, that no monitor will come.
fn failed(launch: NonNull<Launch>, error: sys::Errno) {
    // SAFETY: the launch is never freed; the recorder in it points to atomics.
    let recorder = unsafe { launch.as_ref() }.recorder;
    let control = recorder.control();
    control.monitor_errno.store(error.0 as u32, Ordering::Relaxed);
    control.monitor_state.store(MonitorState::Failed as u32, Ordering::Release);
}
