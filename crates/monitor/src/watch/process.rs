//! What `/proc` says of the node while it lives. What it does not say stays empty.

use std::fs;

use crate::capture::Process;

/// Looks at a process.
#[must_use]
pub fn process(pid: u32) -> Process {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (status, limits) = (read("status"), read("limits"));
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    Process {
        program: program.to_string_lossy().into_owned(),
        resident_bytes: number(&status, "VmRSS:").saturating_mul(1024),
        swapped_bytes: number(&status, "VmSwap:").saturating_mul(1024),
        threads: number(&status, "Threads:"),
        fds_max: number(&limits, "Max open files"),
    }
}

/// The mappings, by any thread that lives.
pub(crate) fn maps(tid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{tid}/maps")).unwrap_or_default()
}

/// Whether the end of another process may end us before our work is done: the first process of a namespace takes
/// all others with it.
pub(crate) fn are_contained() -> bool {
    // The number of the machine's own namespace, PROC_PID_INIT_INO in the kernel's sources.
    const MACHINE: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace.to_str() != Some(MACHINE))
}

/// The name of a thread.
pub(crate) fn thread_name(pid: u32, tid: u32) -> String {
    let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().into()
}

/// The first number behind this label; 0 where there is none.
fn number(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
