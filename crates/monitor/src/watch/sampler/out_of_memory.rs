//! What the kernel counts of processes that it killed for want of memory. It counts before it kills, and a process that has
//! ended has no group any more: both are noted while it lives.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::capture::OutOfMemory;

use super::cgroup::{Killed, cgroup_sample};

/// A process that is being killed may look alive for so long: a look that is younger may have seen the counter risen.
const DYING_MAX: Duration = Duration::from_secs(5);
const LOOKS_MAX: usize = 2;
/// A group with more is not gone through.
const PROCESSES_MAX: usize = 256;

/// The last looks at the process while it lived, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks(VecDeque<Look>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Look {
    at: Instant,
    pid: u32,
    group: Option<(Killed, u64)>,
    is_alone: bool,
    machine_kills: Option<u64>,
    memory_bytes: Option<u64>,
    memory_max_bytes: Option<u64>,
}

impl Look {
    /// How it is now.
    pub(super) fn now(pid: u32) -> Self {
        let group = Killed::of(pid).and_then(|group| group.count().map(|kills| (group, kills)));
        let memory = cgroup_sample(pid).unwrap_or_default();
        Self {
            at: Instant::now(),
            pid,
            is_alone: group.as_ref().is_some_and(|(group, _)| is_alone(group, pid)),
            group,
            machine_kills: machine_kills(),
            memory_bytes: memory.memory_bytes,
            memory_max_bytes: memory.memory_max_bytes,
        }
    }

    fn until_now(&self) -> OutOfMemory {
        let group = self.group.as_ref();
        let group_kills = group.and_then(|(group, before)| Some(group.count()?.saturating_sub(*before)));
        let machine_kills = machine_kills().zip(self.machine_kills);
        OutOfMemory {
            group_kills,
            is_alone: self.is_alone && group.is_some_and(|(group, _)| is_alone(group, self.pid)),
            machine_kills: machine_kills.map(|(now, before)| now.saturating_sub(before)),
            memory_bytes: self.memory_bytes,
            memory_max_bytes: self.memory_max_bytes,
        }
    }
}

impl Looks {
    /// Adds a look at a process that was seen to live after it.
    pub(super) fn add(&mut self, look: Look) {
        self.0.push_back(look);
        if self.0.len() > LOOKS_MAX {
            self.0.pop_front();
        }
    }

    /// What was counted since; all zeros and nothing where the process was never seen.
    pub(super) fn until_now(&self) -> OutOfMemory {
        let is_old = |look: &&Look| look.at.elapsed() >= DYING_MAX;
        let before = self.0.iter().rfind(is_old).or(self.0.front());
        let Some(before) = before else { return OutOfMemory::default() };
        let last = self.0.back().unwrap_or(before);
        let (memory_bytes, memory_max_bytes) = (last.memory_bytes, last.memory_max_bytes);
        OutOfMemory { memory_bytes, memory_max_bytes, ..before.until_now() }
    }
}

/// Whether a group holds nobody but this process and us: else it may have been another one that the kernel killed.
fn is_alone(group: &Killed, pid: u32) -> bool {
    let Some(processes) = group.processes(PROCESSES_MAX) else { return false };
    processes.into_iter().all(|other| other == pid || is_ours(other))
}

/// Whether it is one of the monitor's processes; those that nobody may look at are known by their parent.
fn is_ours(pid: u32) -> bool {
    let own = std::process::id();
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let is_child = || {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let parent = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_ascii_whitespace().nth(1));
        parent.and_then(|parent| parent.parse().ok()) == Some(own)
    };
    pid == own || program(pid).is_some_and(|it| Some(it) == program(own)) || is_child()
}

fn machine_kills() -> Option<u64> {
    let counters = fs::read_to_string(Path::new("/proc/vmstat")).ok()?;
    let line = counters.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(folder: &Path, kills: u64, processes: &str) -> Killed {
        fs::write(folder.join("memory.events"), format!("oom 9\noom_kill {kills}\noom_group_kill 7\n"))
            .unwrap();
        fs::write(folder.join("cgroup.procs"), processes).unwrap();
        Killed::in_folder(folder, "memory.events")
    }

    fn look(folder: &Path, kills: u64, processes: &str) -> Look {
        let group = group(folder, kills, processes);
        Look { group: Some((group.clone(), kills)), is_alone: is_alone(&group, 7), pid: 7, ..Look::now(0) }
    }

    #[test]
    fn what_was_counted_since_the_last_look_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let own = format!("7\n{}\n", std::process::id());
        let mut looks = Looks::default();
        assert_eq!(looks.until_now(), OutOfMemory::default());
        let before = look(folder, 2, &own);
        looks.add(before.clone());
        assert_eq!((looks.until_now().group_kills, looks.until_now().is_alone), (Some(0), true));
        // One that was made while the kernel killed counts no less.
        looks.add(look(folder, 3, &own));
        assert_eq!((looks.until_now().group_kills, looks.until_now().is_alone), (Some(1), true));
        let old = Instant::now().checked_sub(DYING_MAX).unwrap();
        looks.add(Look { at: old, ..look(folder, 3, &own) });
        assert_eq!(looks.until_now().group_kills, Some(0), "that was long before");
        looks.add(Look { at: old, ..before });
        group(folder, 3, "");
        assert_eq!((looks.until_now().group_kills, looks.until_now().is_alone), (Some(1), true));
        fs::remove_file(folder.join("memory.events")).unwrap();
        assert_eq!(looks.until_now().group_kills, None);
    }

    #[test]
    fn a_group_with_others_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let is_alone = |processes: &str| is_alone(&group(folder, 0, processes), 7);
        assert!(is_alone("7\n") && is_alone(""));
        for others in ["1\n7\n", "7\n0\n", "7\nrubbish\n"] {
            assert!(!is_alone(others), "{others:?}");
        }
        let below = folder.join("below");
        fs::create_dir(&below).unwrap();
        assert!(is_alone("7\n"), "a folder that is no group");
        fs::write(below.join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert!(!is_alone("7\n"));
        fs::write(below.join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
        assert!(is_alone("7\n"));
        fs::remove_file(folder.join("cgroup.procs")).unwrap();
        let bare = Killed::in_folder(folder, "memory.events");
        assert!(!super::is_alone(&bare, 7), "nobody knows");
    }

    #[test]
    fn a_look_at_ourselves_finds_what_there_is() {
        let look = Look::now(std::process::id());
        let now = look.until_now();
        assert_eq!(now.group_kills.is_some(), look.group.is_some());
        assert_eq!(
            now.machine_kills.is_some(),
            fs::read_to_string("/proc/vmstat").unwrap().contains("\noom_kill ")
        );
    }
}
