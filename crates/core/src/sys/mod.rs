//! System calls without libc: errno of the node is never touched. One file a machine holds the assembly.
//!
//! Constants and layouts are those of the kernel's user API, <https://man7.org/linux/man-pages/man2/syscalls.2.html>.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub(crate) use arch::{
    call_on_new_stack, chained_restorer, number, registers_of, restorer, stack_pointer_of,
};

use core::ffi::CStr;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

/// A failed call's errno.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const AGAIN: Self = Self(11);
    pub(crate) const INTERRUPTED: Self = Self(4);
    pub(crate) const NO_SUCH_PROCESS: Self = Self(3);
}

pub(crate) const AT_FDCWD: usize = -100_isize as usize;
pub(crate) const O_RDONLY: usize = 0;
pub(crate) const O_WRONLY: usize = 1;
pub(crate) const O_RDWR: usize = 2;
pub(crate) const O_CREAT: usize = 0o100;
pub(crate) const O_EXCL: usize = 0o200;
pub(crate) const O_CLOEXEC: usize = 0o2_000_000;
pub(crate) const O_PATH: usize = 0o10_000_000;
pub(crate) const PROT_NONE: usize = 0;
pub(crate) const PROT_READ_WRITE: usize = 3;
pub(crate) const MAP_SHARED: usize = 1;
pub(crate) const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
pub(crate) const MADV_WIPEONFORK: usize = 18;
pub(crate) const PR_SET_PTRACER: usize = 0x5961_6d61;
pub(crate) const CLOCK_REALTIME: usize = 0;
pub(crate) const CLOCK_MONOTONIC: usize = 1;
pub(crate) const CLOCK_BOOTTIME: usize = 7;
pub(crate) const SIG_BLOCK: usize = 0;
pub(crate) const SIG_SETMASK: usize = 2;

const FUTEX_WAIT: usize = 0;
const FUTEX_WAKE: usize = 1;
const ERRNO_MAX: isize = 4095;

/// Splits the kernel's answer.
fn answer(raw: isize) -> Result<usize, Errno> {
    if (-ERRNO_MAX..0).contains(&raw) { Err(Errno(-raw as i32)) } else { Ok(raw as usize) }
}

/// A system call whose arguments are numbers, or pointers that the kernel checks and that name memory of ours.
///
/// # Safety
/// Every pointer among the arguments must be valid for what this call does with it.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: handed on from the caller.
    answer(unsafe { arch::syscall(number, arguments) })
}

/// A system call that touches no memory of ours.
fn plain(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: only numbers are handed over; each use below names a call without pointer arguments.
    unsafe { call(number, arguments) }
}

pub(crate) fn getpid() -> u32 {
    plain(number::GETPID, [0; 6]).unwrap_or(0) as u32
}

pub(crate) fn gettid() -> u32 {
    plain(number::GETTID, [0; 6]).unwrap_or(0) as u32
}

pub(crate) fn geteuid() -> u32 {
    plain(number::GETEUID, [0; 6]).unwrap_or(u32::MAX as usize) as u32
}

/// Whether this thread of this process is still there.
pub(crate) fn thread_lives(pid: u32, tid: u32) -> bool {
    plain(number::TGKILL, [pid as usize, tid as usize, 0, 0, 0, 0]) != Err(Errno::NO_SUCH_PROCESS)
}

/// Whether a process with this number is there and has not ended: where the first process of a machine or container
/// reaps nobody, the killed stay as zombies, which still answer kill(2) but have no memory left.
pub(crate) fn process_lives(pid: u32) -> bool {
    let mut byte = 0_u8;
    let (local, remote) = ([(&raw mut byte) as usize, 1], [0_usize, 1]);
    let arguments = [pid as usize, (&raw const local) as usize, 1, (&raw const remote) as usize, 1, 0];
    // SAFETY: the local window is a byte of ours. Whatever else the kernel answers, a refusal too, means that it lives.
    let read = unsafe { call(number::PROCESS_VM_READV, arguments) };
    read != Err(Errno::NO_SUCH_PROCESS)
        && plain(number::KILL, [pid as usize, 0, 0, 0, 0, 0]) != Err(Errno::NO_SUCH_PROCESS)
}

/// Lets another thread have the processor, where one wants it.
pub(crate) fn yield_now() {
    // SAFETY: takes nothing.
    let _ = unsafe { call(number::SCHED_YIELD, [0; 6]) };
}

/// Sends the calling thread a signal, without a story of its own.
pub(crate) fn send_to_self(signal: u32) {
    let _ = plain(number::TGKILL, [getpid() as usize, gettid() as usize, signal as usize, 0, 0, 0]);
}

pub(crate) fn exit_group(status: i32) -> ! {
    loop {
        let _ = plain(number::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]);
    }
}

pub(crate) fn exit_thread() -> ! {
    loop {
        let _ = plain(number::EXIT, [0; 6]);
    }
}

pub(crate) fn close(fd: i32) {
    let _ = plain(number::CLOSE, [fd as usize, 0, 0, 0, 0, 0]);
}

/// Nanoseconds on this clock.
pub(crate) fn clock_ns(clock: usize) -> u64 {
    let mut time = [0_i64; 2];
    // SAFETY: the kernel writes two longs.
    let _ = unsafe { call(number::CLOCK_GETTIME, [clock, (&raw mut time) as usize, 0, 0, 0, 0]) };
    let [seconds, nanoseconds] = time;
    (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(nanoseconds as u64)
}

/// Wakes all who wait for this word, in this process and in others that map it.
pub(crate) fn futex_wake(word: &AtomicU32) {
    let _ = plain(number::FUTEX, [word.as_ptr() as usize, FUTEX_WAKE, i32::MAX as usize, 0, 0, 0]);
}

/// Waits while the word is `expected`, at most `timeout_ns`. May return early.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout_ns: u64) {
    let time = [(timeout_ns / 1_000_000_000) as i64, (timeout_ns % 1_000_000_000) as i64];
    let arguments = [word.as_ptr() as usize, FUTEX_WAIT, expected as usize, (&raw const time) as usize, 0, 0];
    // SAFETY: the word is alive, and the kernel only reads the two longs of the timeout.
    let _ = unsafe { call(number::FUTEX, arguments) };
}

/// Opens a file.
pub(crate) fn open(path: &CStr, flags: usize, mode: usize) -> Result<i32, Errno> {
    // SAFETY: the path is NUL-terminated and only read.
    unsafe { call(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, flags, mode, 0, 0]) }.map(|fd| fd as i32)
}

pub(crate) fn mkdir(path: &CStr, mode: usize) {
    // SAFETY: the path is NUL-terminated and only read.
    let _ = unsafe { call(number::MKDIRAT, [AT_FDCWD, path.as_ptr() as usize, mode, 0, 0, 0]) };
}

pub(crate) fn rename(from: &CStr, to: &CStr) {
    // SAFETY: both paths are NUL-terminated and only read.
    let _ = unsafe { call(number::RENAME, [from.as_ptr() as usize, to.as_ptr() as usize, 0, 0, 0, 0]) };
}

pub(crate) fn unlink(path: &CStr) {
    // SAFETY: the path is NUL-terminated and only read.
    let _ = unsafe { call(number::UNLINKAT, [AT_FDCWD, path.as_ptr() as usize, 0, 0, 0, 0]) };
}

/// Takes a pending signal of this set out of the queue, so that it is never delivered.
pub(crate) fn consume(mask: u64) {
    let no_time = [0_i64; 2];
    let arguments = [(&raw const mask) as usize, 0, (&raw const no_time) as usize, 8, 0, 0];
    // SAFETY: the kernel reads one mask of 8 bytes and a timeout of two longs.
    let _ = unsafe { call(number::RT_SIGTIMEDWAIT, arguments) };
}

/// Reads at most `room` bytes to `into`.
///
/// # Safety
/// `into` must be valid for writes of `room` bytes.
pub(crate) unsafe fn read(fd: i32, into: NonNull<u8>, room: usize) -> Result<usize, Errno> {
    // SAFETY: handed on from the caller.
    unsafe { call(number::READ, [fd as usize, into.as_ptr() as usize, room, 0, 0, 0]) }
}

/// Writes bytes.
///
/// # Safety
/// `from` must be valid for reads of `bytes` bytes; others may be writing them.
pub(crate) unsafe fn write(fd: i32, from: NonNull<u8>, bytes: usize) -> Result<usize, Errno> {
    // SAFETY: handed on from the caller.
    unsafe { call(number::WRITE, [fd as usize, from.as_ptr() as usize, bytes, 0, 0, 0]) }
}

/// Maps memory.
pub(crate) fn map(bytes: usize, protection: usize, flags: usize, fd: i32) -> Result<NonNull<u8>, Errno> {
    // SAFETY: the kernel chooses a place that nothing of ours uses.
    let at = unsafe { call(number::MMAP, [0, bytes, protection, flags, fd as isize as usize, 0]) }?;
    NonNull::new(at as *mut u8).ok_or(Errno::AGAIN)
}

/// Moves a mapping to where another one of the same size is, which it replaces at once.
pub(crate) fn move_over(from: NonNull<u8>, bytes: usize, to: NonNull<u8>) -> Result<(), Errno> {
    const MAYMOVE_FIXED: usize = 3;
    let arguments = [from.as_ptr() as usize, bytes, bytes, MAYMOVE_FIXED, to.as_ptr() as usize, 0];
    // SAFETY: both are mappings of ours of this size, and what lies there is as good as what lay there before.
    unsafe { call(number::MREMAP, arguments) }.map(drop)
}

/// Copies up to `bytes` from any address of this process, which need not be mapped; answers how many came.
///
/// Goes by the calling thread: where the main thread has ended, the process's own number leads to no memory.
///
/// # Safety
/// `into` must be valid for writes of `bytes` bytes.
pub(crate) unsafe fn copy_from_anywhere(address: u64, into: NonNull<u8>, bytes: usize) -> usize {
    let thread = gettid();
    let local = [into.as_ptr() as usize, bytes];
    let remote = [address as usize, bytes];
    let arguments = [thread as usize, (&raw const local) as usize, 1, (&raw const remote) as usize, 1, 0];
    // SAFETY: the kernel checks the remote range; the local one is the caller's promise.
    if let Ok(copied) = unsafe { call(number::PROCESS_VM_READV, arguments) } {
        return copied;
    }
    let Ok(fd) = open(c"/proc/thread-self/mem", O_RDONLY | O_CLOEXEC, 0) else { return 0 };
    let arguments = [fd as usize, into.as_ptr() as usize, bytes, address as usize, 0, 0];
    // SAFETY: as above; the kernel answers an error where the address is not mapped.
    let copied = unsafe { call(number::PREAD64, arguments) };
    close(fd);
    copied.unwrap_or(0)
}

/// Owner and mode of a file, symbolic links followed.
#[derive(Clone, Copy)]
pub(crate) struct FileStatus {
    pub(crate) uid: u32,
    pub(crate) mode: u32,
}

/// What the kernel says of the file at `path`.
pub(crate) fn stat(path: &CStr) -> Result<FileStatus, Errno> {
    let mut raw = [0_u64; 18];
    let arguments = [AT_FDCWD, path.as_ptr() as usize, (&raw mut raw) as usize, 0, 0, 0];
    // SAFETY: `struct stat` is 144 bytes on this machine; the path is NUL-terminated.
    unsafe { call(number::NEWFSTATAT, arguments) }?;
    let [_, _, _, mode_uid, ..] = raw;
    Ok(FileStatus { mode: mode_uid as u32, uid: (mode_uid >> 32) as u32 })
}

/// Where a symbolic link points: the bytes written to `into`, not NUL-terminated.
pub(crate) fn readlink<'a>(path: &CStr, into: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let arguments = [AT_FDCWD, path.as_ptr() as usize, into.as_mut_ptr() as usize, into.len(), 0, 0];
    // SAFETY: the buffer is ours and its length is handed over.
    let bytes = unsafe { call(number::READLINKAT, arguments) }?;
    Ok(into.get(..bytes).unwrap_or(&[]))
}

/// Changes the calling thread's signal mask; answers the mask before.
pub(crate) fn signal_mask(how: usize, mask: u64) -> u64 {
    let mut before = 0_u64;
    let arguments = [how, (&raw const mask) as usize, (&raw mut before) as usize, 8, 0, 0];
    // SAFETY: the kernel reads one mask and writes one, 8 bytes each.
    let _ = unsafe { call(number::RT_SIGPROCMASK, arguments) };
    before
}

/// Lets this process, and nobody (0), trace us where Yama restricts tracing.
pub(crate) fn allow_tracer(pid: u32) {
    let _ = plain(number::PRCTL, [PR_SET_PTRACER, pid as usize, 0, 0, 0, 0]);
}
