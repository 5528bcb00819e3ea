//! What the confined roles have in common: system calls that are refused, privileges that are given up.

use std::collections::BTreeMap;
use std::ffi::c_int;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::error::Error;

/// Tracing, other processes' memory, other programs, other namespaces, and ways around this filter: for all roles.
pub(crate) const FOREIGN: [i64; 16] = [
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_execve,
    libc::SYS_execveat,
];
/// Signals to others, and keys: for roles that outlive the node.
pub(crate) const SIGNALS: [i64; 6] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_add_key,
    libc::SYS_request_key,
];

/// New privileges, tracers and core files.
///
/// # Errors
/// Where privileges could not be given up.
pub(crate) fn close_up() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Error::system("cannot give up new privileges", error))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Error::system("cannot shut out tracers", error))?;
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // A core file of a process that is not dumpable is not written anyway.
    let _ = rustix::process::setrlimit(Resource::Core, nothing);
    Ok(())
}

/// From within a user namespace of its own a process may trace nothing outside, whoever it belongs to.
/// See "Ptrace access mode checking" in <https://man7.org/linux/man-pages/man2/ptrace.2.html>.
pub(crate) fn leave_user_namespace() -> bool {
    // SAFETY: `NEWUSER` leaves the descriptor table shared as it was, the one thing that would be unsafe.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }.is_ok()
}

/// All capabilities, for good.
///
/// # Errors
/// Where they could not be given up.
pub(crate) fn drop_capabilities() -> Result<(), Error> {
    for capability in CapabilitySet::all().iter() {
        // Only with CAP_SETPCAP; without it there is nothing that an exec, forbidden below, could gain.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
        .map_err(|error| Error::system("cannot give up capabilities", error))
}

/// Refuses these system calls, under all numbers that they have; and signals to threads of others.
///
/// # Errors
/// Where the kernel knows no such filter.
pub(crate) fn forbid(calls: &[i64]) -> Result<(), seccompiler::Error> {
    let own_pid = u64::from(std::process::id());
    let foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own_pid)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        numbers(calls).into_iter().map(|number| (number, Vec::new())).collect();
    // `abort` sends its signal to this very process.
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![foreign])?]);
    let refuse = SeccompAction::Errno(c_int::unsigned_abs(libc::EPERM));
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}

#[cfg(not(target_arch = "x86_64"))]
fn numbers(calls: &[i64]) -> Vec<i64> {
    calls.to_vec()
}

/// The x32 ABI has the same audit architecture and its own numbers: the bit, and 512 to 547 for calls whose
/// arguments differ. See `arch/x86/entry/syscalls/syscall_64.tbl`.
#[cfg(target_arch = "x86_64")]
fn numbers(calls: &[i64]) -> Vec<i64> {
    const BIT: i64 = 0x4000_0000;
    const RENUMBERED: [(i64, i64); 9] = [
        (libc::SYS_sendmsg, 518),
        (libc::SYS_recvmsg, 519),
        (libc::SYS_execve, 520),
        (libc::SYS_ptrace, 521),
        (libc::SYS_rt_sigqueueinfo, 524),
        (libc::SYS_rt_tgsigqueueinfo, 536),
        (libc::SYS_process_vm_readv, 539),
        (libc::SYS_process_vm_writev, 540),
        (libc::SYS_execveat, 545),
    ];
    let renumbered = RENUMBERED.iter().filter(|(number, _)| calls.contains(number)).map(|(_, other)| *other);
    let of_x32 = calls.iter().copied().chain(renumbered).map(|number| number | BIT);
    calls.iter().copied().chain(of_x32).collect()
}
