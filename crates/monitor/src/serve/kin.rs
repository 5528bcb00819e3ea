//! Who descends from whom, and who lives, by what the kernel shows of all processes. To be asked before this process is
//! confined.

use std::fs;

/// No tree of processes is so deep.
const DEPTH_MAX: usize = 1000;

/// The parent of a process, its parent, and so on, as far as this PID namespace goes.
pub(super) fn ancestors(pid: u32) -> Vec<u32> {
    let parents = std::iter::successors(parent(pid), |pid| parent(*pid));
    parents.take(DEPTH_MAX).collect()
}

/// Whether a process has certainly ended, whoever may have got its number since.
pub(super) fn has_ended(pid: u32) -> bool {
    let folder = format!("/proc/{pid}");
    match fs::read_to_string(format!("{folder}/status")) {
        Ok(status) => {
            // One whose first thread has ended may live on in others.
            let is_zombie = field(&status, "State").is_some_and(|state| state.starts_with(['Z', 'X']));
            is_zombie && fs::read_dir(format!("{folder}/task")).is_ok_and(|tasks| tasks.count() <= 1)
        }
        Err(error) => pid != 0 && error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "PPid")?.parse().ok().filter(|parent| *parent != 0)
}

fn field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
