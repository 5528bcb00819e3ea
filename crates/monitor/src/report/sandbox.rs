//! What a report gives up before it looks at anything: sockets, tracing, other processes' memory, other programs.

use std::collections::BTreeMap;
use std::ffi::c_int;

use rustix::process::{Resource, Rlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::Error;

/// Most memory of our own, bytes. Mapped files do not count.
const MEMORY_MAX: u64 = 2 << 30;
/// Most processor time, seconds.
const SECONDS_MAX: u64 = 60;

/// Confines this process and its children for good.
///
/// # Errors
/// Where new privileges could not be given up. A kernel without seccomp is lived with.
pub(crate) fn confine() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Error::system("cannot give up new privileges", error))?;
    // It holds copies of the node's stacks: no core file, and nobody looks in.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    for (resource, most) in [(Resource::Core, 0), (Resource::Data, MEMORY_MAX), (Resource::Cpu, SECONDS_MAX)]
    {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        // Where the limit stands lower already, that is as good.
        let _ = rustix::process::setrlimit(resource, limit);
    }
    let _ = forbid_calls();
    Ok(())
}

fn forbid_calls() -> Result<(), seccompiler::Error> {
    let rules: BTreeMap<_, _> = forbidden().into_iter().map(|number| (number, Vec::new())).collect();
    let refuse = SeccompAction::Errno(c_int::unsigned_abs(libc::EPERM));
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}

fn forbidden() -> Vec<i64> {
    let calls = vec![
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
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
        libc::SYS_mount,
        libc::SYS_execve,
        libc::SYS_execveat,
    ];
    // The x32 ABI has the same audit architecture and its own numbers: the bit, and others for a few calls.
    #[cfg(target_arch = "x86_64")]
    let calls = {
        const BIT: i64 = 0x4000_0000;
        let renumbered = [518, 519, 520, 521, 539, 540, 545];
        calls
            .iter()
            .copied()
            .chain(calls.iter().copied().chain(renumbered).map(|number| number | BIT))
            .collect()
    };
    calls
}
