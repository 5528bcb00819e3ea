//! Tracing, tried for real: a child is seized and its memory read, as the monitor does with a dying node.

use std::io::{BufRead, BufReader, IoSliceMut, Read};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::doctor::Finding;
use crate::output::{Failure, print};

const CHECK: &str = "ptrace";
/// What the child holds for us to read.
static MARK: [u8; 16] = *b"a boat to read.\0";

pub(super) fn check() -> Finding {
    match try_child() {
        Ok(()) => Finding::fine(CHECK, format!("a process was seized and its memory read{}", yama_words())),
        Err(Refusal::Start(error)) => Finding::warning(
            CHECK,
            format!("not tried: {error}"),
            "run `lifeboat doctor` where it may start itself",
        ),
        Err(Refusal::Call(call, errno)) => Finding::failed(
            CHECK,
            format!(
                "{call} was refused ({}){}: reports hold only the thread that died",
                errno.desc(),
                yama_words()
            ),
            remedy(),
        ),
    }
}

/// The child's part: says where the mark is and waits to be ended.
pub(crate) fn probe() -> Result<(), Failure> {
    print(&format!("{}\n", (&raw const MARK).addr()))?;
    // Ends when `doctor` closes its end, however that comes about.
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}

enum Refusal {
    Start(std::io::Error),
    Call(&'static str, Errno),
}

fn try_child() -> Result<(), Refusal> {
    let own = std::env::current_exe().map_err(Refusal::Start)?;
    let mut command = Command::new(own);
    command.arg("doctor-probe").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(Refusal::Start)?;
    let answer = read_from(&mut child);
    let ended = child.kill().and_then(|()| child.wait());
    answer.and(ended.map(|_| ()).map_err(Refusal::Start))
}

fn read_from(child: &mut Child) -> Result<(), Refusal> {
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or_else(|| Refusal::Start(std::io::Error::other("no pipe")))?;
    BufReader::new(stdout).read_line(&mut line).map_err(Refusal::Start)?;
    let base = line.trim().parse().map_err(|_| Refusal::Start(std::io::Error::other("no answer")))?;
    let pid = Pid::from_raw(child.id().cast_signed());
    ptrace::seize(pid, ptrace::Options::empty()).map_err(|errno| Refusal::Call("PTRACE_SEIZE", errno))?;
    let mut copy = [0_u8; 16];
    let remote = [RemoteIoVec { base, len: copy.len() }];
    let read = process_vm_readv(pid, &mut [IoSliceMut::new(&mut copy)], &remote);
    match read.map_err(|errno| Refusal::Call("process_vm_readv", errno)) {
        Ok(_) if copy == MARK => Ok(()),
        Ok(_) => Err(Refusal::Call("process_vm_readv", Errno::EIO)),
        Err(refusal) => Err(refusal),
    }
}

fn yama() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?.trim().parse().ok()
}

fn yama_words() -> String {
    yama().map(|scope| format!("; yama ptrace_scope {scope}")).unwrap_or_default()
}

fn remedy() -> &'static str {
    match yama() {
        Some(3) => "sysctl kernel.yama.ptrace_scope=1 takes a reboot once it is 3",
        Some(2) => "sysctl kernel.yama.ptrace_scope=1, or give the node CAP_SYS_PTRACE",
        _ => {
            "in a container: allow ptrace and process_vm_readv in the seccomp profile (--cap-add SYS_PTRACE)"
        }
    }
}
