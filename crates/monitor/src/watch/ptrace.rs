//! The few ptrace calls that a capture needs, one function each. What to do with a stopped thread is `threads`' job.
//!
//! Waiting is for the calling thread's own tracees only (`__WNOTHREAD`): other children of the monitor keep their
//! exit status. A tracer thread that ends lets all its tracees go, whatever state they are in.
//! See <https://man7.org/linux/man-pages/man2/ptrace.2.html>.

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat_recorder::REGISTERS_MAX;

/// The general registers, `NT_PRSTATUS` of elf.h.
const NT_PRSTATUS: usize = 1;
/// Leaves a thread in a stop that its whole process is in; not in the crate's list.
const PTRACE_LISTEN: libc::c_uint = 0x4208;
/// The stop came from ptrace itself, not from a signal on its way to the thread.
pub(crate) const EVENT_STOP: i32 = 128;

/// Whether a seccomp filter, which we share with the node, kills whoever calls ptrace.
static IS_DEADLY: AtomicBool = AtomicBool::new(false);

/// Tries ptrace in a child that may die of it, where a filter is at work. Called once, before there are threads.
pub(crate) fn probe() {
    const FILTERED: &str = "Seccomp:\t2";
    if !std::fs::read_to_string("/proc/self/status").unwrap_or_default().contains(FILTERED) {
        return;
    }
    // SAFETY: this process has one thread, so the child may do all that we may.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // Nobody has this number: all but a filter answers ESRCH.
        let _ = request(libc::PTRACE_SEIZE, i32::MAX as u32, null_mut(), null_mut());
        // SAFETY: ends the child at once, without running what the parent will run at its own end.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: `status` is ours and lives through the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    IS_DEADLY.store(waited == child && libc::WIFSIGNALED(status), Ordering::Relaxed);
}

/// What [`wait_any`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This thread stands still. The signal, if not 0, was on its way to it and must be handed on at detaching.
    Stopped { tid: u32, signal: i32 },
    /// This thread has ended.
    Ended(u32),
    /// Nothing to report now.
    Nothing,
}

/// Becomes the tracer of a thread without stopping it.
///
/// # Errors
/// Whatever the kernel or a seccomp filter answers: EPERM, ENOSYS, ESRCH.
pub(crate) fn seize(tid: u32) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, tid, null_mut(), null_mut())
}

/// Becomes the tracer of a thread that will stop once more when it exits.
pub(crate) fn seize_for_exit(tid: u32) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, tid, null_mut(), libc::PTRACE_O_TRACEEXIT as usize as *mut libc::c_void)
}

/// Becomes the tracer of a program: its threads follow, and each stops once more when it exits. Its children do not.
/// It is killed where the tracer ends before it.
pub(crate) fn seize_program(pid: u32) -> io::Result<()> {
    let events = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_TRACEEXIT;
    let options = events | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SEIZE, pid, null_mut(), options as usize as *mut libc::c_void)
}

/// Lets a stopped thread run on, with this signal if it is not 0.
pub(crate) fn resume(tid: u32, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_CONT, tid, null_mut(), signal as usize as *mut libc::c_void)
}

/// Leaves a thread in a stop that its whole process is in, and listens for its end.
pub(crate) fn listen(tid: u32) -> io::Result<()> {
    request(PTRACE_LISTEN, tid, null_mut(), null_mut())
}

/// What the kernel says of the event at which a thread stopped: of its exit, the wait status.
pub(crate) fn event_message(tid: u32) -> Option<i32> {
    exit_status(tid)
}

/// A signal on its way to a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalInfo {
    pub(crate) number: i32,
    pub(crate) code: i32,
    /// Who sent it; 0 where the kernel did.
    pub(crate) sender_pid: u32,
    /// `si_addr`; 0 where somebody sent it.
    pub(crate) address: u64,
}

/// The signal at which a thread stopped.
pub(crate) fn signal_info(tid: u32) -> io::Result<SignalInfo> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    request(libc::PTRACE_GETSIGINFO, tid, null_mut(), info.as_mut_ptr().cast())?;
    // SAFETY: it was zeroed, which is a value of plain numbers, and the kernel has written it.
    let info = unsafe { info.assume_init() };
    let is_sent = info.si_code <= 0;
    // SAFETY: any bytes are a number; it is only believed where somebody sent the signal.
    let sender = unsafe { info.si_pid() };
    // SAFETY: any bytes are an address; nobody looks behind it.
    let address = unsafe { info.si_addr() } as u64;
    let (number, code) = (info.si_signo, info.si_code);
    let (sender, address) = if is_sent { (u32::try_from(sender).unwrap_or(0), 0) } else { (0, address) };
    Ok(SignalInfo { number, code, sender_pid: sender, address })
}

/// The next change of a child or a traced thread of the calling thread, and its wait status. Without `wait` nothing
/// where there is none now.
pub(crate) fn next_change(wait: bool) -> io::Result<Option<(u32, i32)>> {
    let options = libc::__WALL | libc::__WNOTHREAD | if wait { 0 } else { libc::WNOHANG };
    loop {
        let mut status = 0;
        // SAFETY: `status` is ours and lives through the call.
        let waited = unsafe { libc::waitpid(-1, &raw mut status, options) };
        match u32::try_from(waited) {
            Ok(0) => return Ok(None),
            Ok(tid) => return Ok(Some((tid, status))),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// Lets a seized thread run until it exits; there it stands still. Answers its wait status, or nothing where it
/// ended another way.
pub(crate) fn wait_for_exit(tid: u32) -> Option<i32> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is ours and lives through the call.
        let waited = unsafe { libc::waitpid(tid as i32, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if waited < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            continue;
        }
        if waited < 0 || !libc::WIFSTOPPED(status) {
            return None;
        }
        if status >> 16 == libc::PTRACE_EVENT_EXIT {
            return exit_status(tid);
        }
        let signal = pending_signal(status);
        if status >> 16 == EVENT_STOP && libc::WSTOPSIG(status) != libc::SIGTRAP {
            // The whole process was stopped, by SIGSTOP or its like: so it shall stay.
            listen(tid).ok()?;
            continue;
        }
        resume(tid, signal).ok()?;
    }
}

fn exit_status(tid: u32) -> Option<i32> {
    let mut status: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, tid, null_mut(), (&raw mut status).cast()).ok()?;
    Some(status as i32)
}

/// Asks a seized thread to stop.
pub(crate) fn interrupt(tid: u32) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, null_mut(), null_mut())
}

/// Lets a stopped thread go, with the signal that was on its way to it.
pub(crate) fn detach(tid: u32, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, tid, null_mut(), signal as usize as *mut libc::c_void)
}

/// The registers of a stopped thread, in the order of `user_regs_struct`, and how many there are.
pub(crate) fn registers(tid: u32) -> io::Result<([u64; REGISTERS_MAX], usize)> {
    let mut values = [0_u64; REGISTERS_MAX];
    let mut window =
        libc::iovec { iov_base: values.as_mut_ptr().cast(), iov_len: std::mem::size_of_val(&values) };
    request(
        libc::PTRACE_GETREGSET,
        tid,
        NT_PRSTATUS as *mut libc::c_void,
        std::ptr::from_mut(&mut window).cast(),
    )?;
    Ok((values, (window.iov_len / 8).min(REGISTERS_MAX)))
}

/// Gives a stopped thread these general registers, as many as [`registers`] answered.
pub(crate) fn set_registers(tid: u32, values: &mut [u64]) -> io::Result<()> {
    let mut window =
        libc::iovec { iov_base: values.as_mut_ptr().cast(), iov_len: std::mem::size_of_val(values) };
    request(
        libc::PTRACE_SETREGSET,
        tid,
        NT_PRSTATUS as *mut libc::c_void,
        std::ptr::from_mut(&mut window).cast(),
    )
}

/// Looks once for a thread of ours that changed its state; does not wait.
pub(crate) fn wait_any() -> io::Result<Seen> {
    let mut status = 0;
    let options = libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG;
    // SAFETY: `status` is ours and lives through the call.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, options) };
    let Ok(tid) = u32::try_from(tid) else { return Err(io::Error::last_os_error()) };
    Ok(match tid {
        0 => Seen::Nothing,
        _ if libc::WIFSTOPPED(status) => Seen::Stopped { tid, signal: pending_signal(status) },
        _ => Seen::Ended(tid),
    })
}

fn pending_signal(status: i32) -> i32 {
    if status >> 16 == EVENT_STOP { 0 } else { libc::WSTOPSIG(status) }
}

/// The requests of this file write at most through `data`, which each caller lets live through the call.
fn request(
    request: libc::c_uint,
    tid: u32,
    address: *mut libc::c_void,
    data: *mut libc::c_void,
) -> io::Result<()> {
    if IS_DEADLY.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let Ok(tid) = libc::pid_t::try_from(tid) else { return Err(io::Error::from_raw_os_error(libc::ESRCH)) };
    // SAFETY: GETREGSET writes, SETREGSET reads through the iovec that their callers own, GETEVENTMSG and GETSIGINFO to what their caller
    // owns; others nothing.
    let answer = unsafe { libc::ptrace(request, tid, address, data) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
