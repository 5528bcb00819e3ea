//! What the control group of a process says: version 2, and of version 1 as much as there is an equal for.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::sample::CgroupSample;

/// Version 1 tells so large a number where there is no limit.
const NO_LIMIT: u64 = 1 << 62;

/// The group of this process; nothing where none is mounted, or none of it can be read.
pub(crate) fn cgroup_sample(pid: u32) -> Option<CgroupSample> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let found = by_version_2(&groups, &mounts).or_else(|| by_version_1(&groups, &mounts))?;
    (found != CgroupSample::default()).then_some(found)
}

fn by_version_2(groups: &str, mounts: &str) -> Option<CgroupSample> {
    let place = Place::find(groups, mounts, "")?;
    // On a machine with both the second has no controllers: then the first is asked.
    let memory_bytes = Some(number(&place.read("memory.current")?)?);
    let throttled = field(&place.read("cpu.stat").unwrap_or_default(), "throttled_usec");
    Some(CgroupSample {
        memory_bytes,
        memory_max_bytes: place.lowest("memory.max"),
        oom_kills: place.read("memory.events").and_then(|text| field(&text, "oom_kill")),
        throttled_seconds: throttled.map(|microseconds| microseconds as f64 / 1e6),
        memory_pressure_ratio: place.read("memory.pressure").and_then(|text| pressure(&text)),
    })
}

fn by_version_1(groups: &str, mounts: &str) -> Option<CgroupSample> {
    let memory = Place::find(groups, mounts, "memory");
    let read = |file: &str| memory.as_ref()?.read(file);
    let limit = read("memory.stat").and_then(|text| field(&text, "hierarchical_memory_limit"));
    let cpu = Place::find(groups, mounts, "cpu").and_then(|place| place.read("cpu.stat"));
    let throttled = cpu.and_then(|text| field(&text, "throttled_time"));
    Some(CgroupSample {
        memory_bytes: read("memory.usage_in_bytes").and_then(|text| number(&text)),
        memory_max_bytes: limit.filter(|limit| *limit < NO_LIMIT),
        oom_kills: read("memory.oom_control").and_then(|text| field(&text, "oom_kill")),
        throttled_seconds: throttled.map(|nanoseconds| nanoseconds as f64 / 1e9),
        memory_pressure_ratio: None,
    })
}

/// The counter of a group's processes that the kernel killed for want of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Killed {
    folder: PathBuf,
    file: &'static str,
}

impl Killed {
    /// That of the group of this process; nothing where there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        [("", "memory.events"), ("memory", "memory.oom_control")].into_iter().find_map(
            |(controller, file)| {
                let killed = Self { folder: Place::find(&groups, &mounts, controller)?.folder, file };
                killed.count().is_some().then_some(killed)
            },
        )
    }

    #[cfg(test)]
    pub(super) fn in_folder(folder: &Path, file: &'static str) -> Self {
        Self { folder: folder.into(), file }
    }

    /// How many so far.
    pub(super) fn count(&self) -> Option<u64> {
        field(&fs::read_to_string(self.folder.join(self.file)).ok()?, "oom_kill")
    }

    /// The group's processes, 0 for one that is not of our PID namespace; nothing where nobody can say, where there are
    /// more than so many, or where groups below count in this one, too.
    pub(super) fn processes(&self, most: usize) -> Option<Vec<u32>> {
        let below =
            fs::read_dir(&self.folder).ok()?.flatten().map(|entry| entry.path().join("cgroup.events"));
        let is_populated = |events: PathBuf| {
            fs::read_to_string(events).is_ok_and(|text| field(&text, "populated").is_none_or(|it| it > 0))
        };
        if below.into_iter().any(is_populated) {
            return None;
        }
        let text = fs::read_to_string(self.folder.join("cgroup.procs")).ok()?;
        let processes: Vec<_> = text.lines().take(most + 1).map(|line| line.parse().unwrap_or(0)).collect();
        (processes.len() <= most).then_some(processes)
    }
}

/// The folder of a group, and the one above which nothing is visible.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    top: PathBuf,
}

impl Place {
    /// The group of this controller; without one, that of version 2.
    fn find(groups: &str, mounts: &str, controller: &str) -> Option<Self> {
        let group = groups.lines().find_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|one| one == controller).then_some(group)
        })?;
        let (root, top) = mounts.lines().find_map(|line| mount(line, controller))?;
        // A group outside of what this namespace may see is told with dots.
        let group = Path::new(group);
        if group.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        let below = group.strip_prefix(&root).or_else(|_| group.strip_prefix("/")).ok()?;
        let folder = Some(top.join(below)).filter(|folder| folder.is_dir());
        // A container sees its own group as the top, whatever it is called outside.
        Some(Self { folder: folder.unwrap_or_else(|| top.clone()), top })
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }

    /// The lowest of this limit here and above.
    fn lowest(&self, file: &str) -> Option<u64> {
        let folders = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        folders.filter_map(|folder| number(&fs::read_to_string(folder.join(file)).ok()?)).min()
    }
}

/// Root and place of a mount of this controller. See <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>.
fn mount(line: &str, controller: &str) -> Option<(PathBuf, PathBuf)> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    let kind = right.next()?;
    let is_wanted = match (kind, controller) {
        ("cgroup2", "") => true,
        ("cgroup", controller) if !controller.is_empty() => {
            right.nth(1)?.split(',').any(|option| option == controller)
        }
        _ => false,
    };
    let mut left = left.split(' ').skip(3);
    let path = |escaped: &str| PathBuf::from(escaped.replace("\\040", " "));
    is_wanted.then(|| Some((path(left.next()?), path(left.next()?))))?
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number behind this word, which begins a line.
fn field(text: &str, name: &str) -> Option<u64> {
    number(text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?)
}

/// `some avg10=1.23 avg60=…`: percents of the last ten seconds.
fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percents = line.split(' ').find_map(|word| word.strip_prefix("avg10="))?;
    percents.parse().ok().map(|percents: f64| percents / 100.0).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
24 1 0:22 / /proc rw - proc proc rw
35 31 0:32 /docker/a\\040b /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
rubbish - cgroup2
";

    #[test]
    fn a_group_is_found_where_it_is_mounted() {
        let groups = "5:cpuacct,cpu:/x\n4:memory:/docker/a b/c\n0::/y\nrubbish\n::\n";
        let place = |controller| Place::find(groups, MOUNTS, controller);
        let top = PathBuf::from("/sys/fs/cgroup/memory");
        // Neither folder exists here: the top stands for both.
        assert_eq!(place("memory"), Some(Place { folder: top.clone(), top }));
        assert_eq!(place("cpu").unwrap().top, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(place(""), None, "version 2 is not mounted");
        assert_eq!(Place::find("4:memory:/../other", MOUNTS, "memory"), None);
        assert_eq!(Place::find("", "", "memory"), None);
    }

    #[test]
    fn values_are_those_of_the_group_and_its_limit_the_lowest_above() {
        let root = tempfile::tempdir().unwrap();
        let (top, folder) = (root.path(), root.path().join("system.slice/node.service"));
        fs::create_dir_all(&folder).unwrap();
        let write = |path: &Path, file: &str, text: &str| fs::write(path.join(file), text).unwrap();
        write(&folder, "memory.current", "1048576\n");
        write(&folder, "memory.max", "max\n");
        write(folder.parent().unwrap(), "memory.max", "4096000\n");
        write(top, "memory.max", "9096000\n");
        write(&folder, "memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n");
        write(&folder, "cpu.stat", "usage_usec 12\nnr_throttled 2\nthrottled_usec 2500000\n");
        write(
            &folder,
            "memory.pressure",
            "some avg10=12.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=99.00\n",
        );
        let mounts = format!("35 31 0:32 / {} rw - cgroup2 cgroup2 rw\n", top.display());
        let found = by_version_2("0::/system.slice/node.service\n", &mounts).unwrap();
        let expected = CgroupSample {
            memory_bytes: Some(1_048_576),
            memory_max_bytes: Some(4_096_000),
            oom_kills: Some(4),
            throttled_seconds: Some(2.5),
            memory_pressure_ratio: Some(0.125),
        };
        assert_eq!(found, expected);
        write(&folder, "memory.pressure", "some avg10=NaN\n");
        write(&folder, "cpu.stat", "throttled_usec\n");
        let found = by_version_2("0::/system.slice/node.service\n", &mounts).unwrap();
        assert_eq!((found.throttled_seconds, found.memory_pressure_ratio), (None, None));
        fs::remove_file(folder.join("memory.current")).unwrap();
        assert_eq!(by_version_2("0::/system.slice/node.service\n", &mounts), None);
    }

    #[test]
    fn version_1_says_the_same_in_its_words() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(root.path().join(file), text).unwrap();
        write("memory.usage_in_bytes", "77\n");
        write("memory.stat", "cache 1\nhierarchical_memory_limit 9223372036854771712\n");
        write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        let mounts = format!("35 31 0:32 / {} rw - cgroup cgroup rw,memory\n", root.path().display());
        let expected = CgroupSample { memory_bytes: Some(77), oom_kills: Some(3), ..CgroupSample::default() };
        assert_eq!(by_version_1("4:memory:/\n", &mounts), Some(expected));
        write("memory.stat", "hierarchical_memory_limit 4096\n");
        assert_eq!(by_version_1("4:memory:/\n", &mounts).unwrap().memory_max_bytes, Some(4096));
    }
}
