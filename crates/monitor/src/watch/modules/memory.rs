//! Whether the kernel killed in a process's control group for want of memory.

use std::fs;
use std::path::PathBuf;

const CGROUPS: &str = "/sys/fs/cgroup";

/// The count of a control group, as it was.
#[derive(Debug)]
pub(super) struct OomKills {
    files: Vec<PathBuf>,
    before: Option<u64>,
}

impl OomKills {
    /// Of the group that this process is in, by version 2, or by the memory controller of version 1.
    pub(super) fn of(pid: u32) -> Self {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let files: Vec<_> = groups.lines().filter_map(file).collect();
        let before = count(&files);
        Self { files, before }
    }

    /// Whether there are more than there were.
    pub(super) fn have_risen(&self) -> bool {
        count(&self.files).is_some_and(|now| self.before.is_some_and(|before| now > before))
    }
}

/// The file that counts, for one line of `/proc/PID/cgroup`.
fn file(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
    match controllers {
        "" => Some([CGROUPS, path, "memory.events"].iter().collect()),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            Some([CGROUPS, "memory", path, "memory.oom_control"].iter().collect())
        }
        _ => None,
    }
}

fn count(files: &[PathBuf]) -> Option<u64> {
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.filter_map(|text| kills(&text)).next()
}

fn kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_count() {
        let path = |line| file(line).map(|path| path.to_string_lossy().into_owned());
        let unified = "/sys/fs/cgroup/system.slice/node.service/memory.events";
        assert_eq!(path("0::/system.slice/node.service").as_deref(), Some(unified));
        assert_eq!(path("4:memory:/node").as_deref(), Some("/sys/fs/cgroup/memory/node/memory.oom_control"));
        assert_eq!(path("3:cpu,cpuacct:/node"), None);
        assert_eq!(path("garbage"), None);
        assert_eq!(kills("low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(kills("oom_kill\n"), None);
    }
}
