//! System calls that answer EINTR only because we stopped the thread for a moment: the node shall not see that.
//!
//! Most are begun again by the kernel. Those of this list are not: a stop and a continuation make them fail, see "Interruption
//! of system calls and library functions by stop signals" in <https://man7.org/linux/man-pages/man7/signal.7.html>, and
//! sockets with a timeout, too. The kernel is told that this one may be begun again, unless a handler runs first.

use super::ptrace;

/// Calls that have done nothing yet where they answer EINTR. `close` is none of them.
#[cfg(target_arch = "x86_64")]
const REPEATABLE: [i64; 21] = [
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_io_getevents,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_enter,
];

/// Lets the kernel begin the call anew in which this stopped thread was interrupted, if it would fail else.
#[cfg(target_arch = "x86_64")]
pub(super) fn resume_call(tid: u32, registers: &[u64]) {
    /// Where `user_regs_struct` has the answer of a call and its number.
    const ANSWER: usize = 10;
    const NUMBER: usize = 15;
    /// `-ERESTARTNOHAND`, which the kernel keeps to itself: begun anew, or EINTR where a handler runs.
    const BEGIN_ANEW: u64 = -514_i64 as u64;
    const INTERRUPTED: u64 = -(libc::EINTR as i64) as u64;
    let number = registers.get(NUMBER).and_then(|number| i64::try_from(*number).ok());
    let is_repeatable = number.is_some_and(|number| REPEATABLE.contains(&number));
    let mut values = registers.to_vec();
    if let Some(answer) = values.get_mut(ANSWER).filter(|answer| is_repeatable && **answer == INTERRUPTED) {
        *answer = BEGIN_ANEW;
        // Where that fails the call fails with EINTR, as after any stop.
        let _ = ptrace::set_registers(tid, &mut values);
    }
}

/// Not known for this machine.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn resume_call(_: u32, _: &[u64]) {}
