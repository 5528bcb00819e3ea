//! A confined process can trace nobody and read nobody's memory. 1. a sibling is started that may be traced
//! 2. an unconfined child shows that it can be  3. a confined one tries every way and must be refused each.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lifeboat_monitor::post::confine;
use rustix::process::{Pid, WaitOptions};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

const ROLE: &str = "LIFEBOAT_TEST_CONFINED";
/// Something with an address.
static PROBE: u64 = 42;

/// The role of the child process, and no test.
#[test]
fn confined_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (state_dir, sibling) = role.split_once(' ').unwrap();
    let pid: i32 = sibling.parse().unwrap();
    // Ends the line that the test harness began.
    println!();
    continue_alone();
    if !state_dir.is_empty() {
        let without_landlock = std::env::var("LIFEBOAT_TEST_NO_LANDLOCK").is_ok_and(|set| set == "1");
        if without_landlock {
            forbid_landlock();
        }
        let user_namespaces = user_namespaces_are_allowed();
        let confinement = confine(Path::new(state_dir)).unwrap();
        eprintln!("{confinement:?}");
        assert!(confinement.landlock || confinement.user_namespace || !user_namespaces);
        let inside = Path::new(state_dir).join("sent/x");
        println!("state={}", std::fs::write(&inside, "x").is_ok());
        println!("rename={}", std::fs::rename(&inside, Path::new(state_dir).join("spool/x")).is_ok());
        println!("resolver={}", std::fs::read("/etc/hosts").is_ok());
        println!("root={}", Path::new("/").read_dir().is_ok());
        let elsewhere = Path::new(state_dir).with_file_name("elsewhere");
        println!("elsewhere={}", std::fs::write(elsewhere, "x").is_ok());
        println!("landlock={}", confinement.landlock);
    }
    println!("memory={}", std::fs::File::open(format!("/proc/{pid}/mem")).is_ok());
    println!("environ={}", std::fs::read(format!("/proc/{pid}/environ")).is_ok());
    println!("readv={}", process_vm_readv(pid));
    // SAFETY: PTRACE_SEIZE takes no pointer.
    println!("seize={}", unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) } == 0);
    println!("exec={}", Command::new("/bin/true").status().is_ok());
    // SAFETY: signal 0 is only a look.
    println!("kill={}", unsafe { libc::kill(pid, 0) } == 0);
    std::process::exit(0);
}

/// Goes on in a copy of this process that has one thread, as `post` has: the test harness has two.
fn continue_alone() {
    // SAFETY: the copy only makes system calls and allocates, which the C library keeps usable after a fork.
    let child = unsafe { libc::fork() };
    if child != 0 {
        let child = Pid::from_raw(child).unwrap();
        rustix::process::waitpid(Some(child), WaitOptions::empty()).unwrap();
        std::process::exit(0);
    }
}

fn process_vm_readv(pid: i32) -> bool {
    // The same place in the sibling: it is a copy of this program.
    let mut copy = 0_u64;
    let here = (&raw const PROBE).cast_mut();
    let local = libc::iovec { iov_base: (&raw mut copy).cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: here.cast(), iov_len: 8 };
    // SAFETY: both vectors live through the call, `local` is eight bytes of ours, `remote` is only an address.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    // EFAULT says that the kernel let us in and the address was wrong there.
    read == 8 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

fn try_all(state_dir: &Path, sibling: u32, without_landlock: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["confinement::confined_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, format!("{} {sibling}", state_dir.display()))
        .env("LIFEBOAT_TEST_NO_LANDLOCK", without_landlock)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains('=')).collect::<Vec<_>>().join(" ")
}

/// What an unconfined process may do, and what a confined one may with its state directory.
const FREE: &str = "memory=true environ=true readv=true seize=true exec=true kill=true";
const WORKS: &str = "state=true rename=true resolver=true ";
const REFUSED: &str = "memory=false environ=false readv=false seize=false exec=false kill=false";

#[test]
fn a_confined_process_can_trace_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("state");
    lifeboat_monitor::spool::Spool::open(&state_dir).unwrap();
    let mut sibling = traceable_sibling();
    let free = try_all(Path::new(""), sibling.id(), "");
    let confined = try_all(&state_dir, sibling.id(), "");
    let without_landlock = try_all(&state_dir, sibling.id(), "1");
    sibling.kill().unwrap();
    sibling.wait().unwrap();
    assert_eq!(free, FREE);
    if confined.contains("landlock=true") {
        assert!(confined.contains("root=false elsewhere=false"), "{confined}");
    }
    assert!(without_landlock.contains("landlock=false"), "{without_landlock}");
    for answers in [confined, without_landlock] {
        assert!(answers.starts_with(WORKS) && answers.ends_with(REFUSED), "{answers}");
    }
}

fn traceable_sibling() -> Child {
    let mut command = Command::new("sleep");
    command.arg("1000");
    // SAFETY: `allow_tracers` makes one system call and neither allocates nor locks between fork and exec.
    unsafe { command.pre_exec(allow_tracers) };
    command.spawn().unwrap()
}

/// For machines with Yama; elsewhere it says EINVAL and is not needed.
fn allow_tracers() -> std::io::Result<()> {
    // SAFETY: these numbers hand over no pointer.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, -1_i64) };
    Ok(())
}

fn user_namespaces_are_allowed() -> bool {
    Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|status| status.success())
}

/// As on a kernel that was built without it.
fn forbid_landlock() {
    let rules = [(libc::SYS_landlock_create_ruleset, Vec::new())].into_iter().collect();
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}
