//! The processes below this one: what a host starts stays findable when the host is dead, because this process asks
//! to be the parent of orphans. Their memory, and their end.

use std::error::Error;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// Helpers that still work are left alone this long.
const GRACE: Duration = Duration::from_millis(400);
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// One process below this one.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: Pid,
    parent: Option<Pid>,
    is_zombie: bool,
}

/// Resident and proportional memory, KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) resident_kib: u64,
    pub(crate) proportional_kib: u64,
}

/// Orphans below this process become its children.
pub(crate) fn adopt_orphans() -> Result<(), Box<dyn Error>> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// What all processes below this one have, except `host` itself.
pub(crate) fn helpers_memory(host: Pid) -> Result<Memory, Box<dyn Error>> {
    let mut sum = Memory::default();
    for helper in descendants()?.iter().filter(|process| process.pid != host && !process.is_zombie) {
        let one = memory(helper.pid)?;
        sum.resident_kib += one.resident_kib;
        sum.proportional_kib += one.proportional_kib;
    }
    Ok(sum)
}

/// What one process has.
pub(crate) fn memory(process: Pid) -> Result<Memory, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Memory { resident_kib: kib("Rss:"), proportional_kib: kib("Pss:") })
}

/// Waits for all processes below this one; after a while ends those that are left, each by its id.
pub(crate) fn end_helpers() -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    while begin.elapsed() < END_TIMEOUT {
        let left = descendants()?;
        if left.is_empty() {
            return Ok(());
        }
        for process in &left {
            if process.is_zombie && process.parent == Some(getpid()) {
                waitpid(Some(process.pid), WaitOptions::NOHANG)?;
            } else if begin.elapsed() > GRACE {
                // It may have ended by itself.
                let _ = kill_process(process.pid, Signal::KILL);
            }
        }
        sleep(Duration::from_millis(2));
    }
    Err("a helper could not be ended".into())
}

/// Children, their children and so on.
fn descendants() -> Result<Vec<Process>, Box<dyn Error>> {
    let all: Vec<Process> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect();
    let mut found: Vec<Process> = Vec::new();
    loop {
        let is_below = |process: &Process| {
            process.parent == Some(getpid()) || found.iter().any(|above| process.parent == Some(above.pid))
        };
        let is_known = |process: &Process| found.iter().any(|known| known.pid == process.pid);
        let more: Vec<Process> =
            all.iter().filter(|process| is_below(process) && !is_known(process)).copied().collect();
        if more.is_empty() {
            return Ok(found);
        }
        found.extend(more);
    }
}

/// Nothing for a process that is gone.
fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let is_zombie = words.next()? == "Z";
    let parent = Pid::from_raw(words.next()?.parse().ok()?);
    Some(Process { pid: Pid::from_raw(pid)?, parent, is_zombie })
}
