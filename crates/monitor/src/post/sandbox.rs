//! What `post` gives up before it speaks to the network: new privileges, capabilities, tracing, other
//! programs, other processes' memory, and files other than the state directory and the resolver's.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::error::Error;

/// Landlock's second version is the first that allows a rename from one folder to another.
const LANDLOCK_MIN: ABI = ABI::V2;
const LANDLOCK_MAX: ABI = ABI::V6;

/// What the kernel granted of the confinement; the rest it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The system call filter is in force.
    pub seccomp: bool,
    /// File access is limited to the state directory and what is read to reach a server.
    pub landlock: bool,
    /// Where there is no Landlock: a user namespace of its own, which may look into no process outside.
    pub user_namespace: bool,
}

/// Confines this process, which must have one thread, for the rest of its life.
///
/// # Errors
/// Where not even privileges could be given up.
pub fn confine(state_dir: &Path) -> Result<Confinement, Error> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Error::system("cannot give up new privileges", error))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Error::system("cannot shut out tracers", error))?;
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // A core file of a process that is not dumpable is not written anyway.
    let _ = rustix::process::setrlimit(Resource::Core, nothing);
    let landlock = matches!(restrict_files(state_dir), Ok(true));
    let user_namespace = !landlock && leave_user_namespace();
    drop_capabilities()?;
    let seccomp = forbid_calls().is_ok();
    Ok(Confinement { seccomp, landlock, user_namespace })
}

/// Whether Landlock is in force. It also forbids tracing and `/proc/PID/mem` outside its own domain.
fn restrict_files(state_dir: &Path) -> Result<bool, RulesetError> {
    if !landlock_knows_rename() {
        return Ok(false);
    }
    let write = AccessFs::from_all(LANDLOCK_MAX) & !AccessFs::Execute;
    let read = AccessFs::from_read(LANDLOCK_MAX) & !AccessFs::Execute;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK_MAX))?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .add_rules(path_beneath_rules([state_dir], write))?
        .add_rules(path_beneath_rules(readable(), read))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn landlock_knows_rename() -> bool {
    use landlock::{CompatLevel, Compatible};
    let wanted = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LANDLOCK_MIN));
    wanted.and_then(Ruleset::create).is_ok()
}

/// What reaching a server reads: resolver, certificates, and the C library's modules for both. Names that
/// are links are followed once, as into `/run/systemd/resolve` or the Nix store.
fn readable() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        ["/etc", "/usr", "/lib", "/lib64", "/nix/store", "/dev/null"].map(PathBuf::from).to_vec();
    let links =
        ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    for path in links.into_iter().map(PathBuf::from).chain(named.map(PathBuf::from)) {
        places.extend(std::fs::canonicalize(&path).ok().and_then(folder_of));
        places.extend(folder_of(path));
    }
    // The root or /proc would undo the rest.
    places.retain(|place| place.components().count() > 1 && !place.starts_with("/proc") && place.exists());
    places
}

/// A folder stands for itself, a file for its folder: such files are replaced by rename.
fn folder_of(path: PathBuf) -> Option<PathBuf> {
    if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
}

/// From within a user namespace of its own a process may trace nothing outside, whoever it belongs to.
/// See "Ptrace access mode checking" in <https://man7.org/linux/man-pages/man2/ptrace.2.html>.
fn leave_user_namespace() -> bool {
    // SAFETY: `NEWUSER` leaves the descriptor table shared as it was, the one thing that would be unsafe.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }.is_ok()
}

fn drop_capabilities() -> Result<(), Error> {
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

fn forbid_calls() -> Result<(), seccompiler::Error> {
    let own_pid = u64::from(std::process::id());
    let foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own_pid)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        forbidden().into_iter().map(|number| (number, Vec::new())).collect();
    // `abort` sends its signal to this very process.
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![foreign])?]);
    let refuse = SeccompAction::Errno(c_int::unsigned_abs(libc::EPERM));
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}

fn forbidden() -> Vec<i64> {
    let mut calls = vec![
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_kcmp,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_perf_event_open,
        libc::SYS_bpf,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_execve,
        libc::SYS_execveat,
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend(x32(&calls));
    calls
}

/// The x32 ABI has the same audit architecture and its own numbers: the bit, and 512 to 547 for calls whose
/// arguments differ. See `arch/x86/entry/syscalls/syscall_64.tbl`.
#[cfg(target_arch = "x86_64")]
fn x32(calls: &[i64]) -> Vec<i64> {
    const BIT: i64 = 0x4000_0000;
    let execve_to_vm_writev = [520, 521, 524, 536, 539, 540, 545];
    calls.iter().copied().chain(execve_to_vm_writev).map(|number| number | BIT).collect()
}
