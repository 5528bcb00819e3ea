//! What `/proc` says of one process. Every text may be cut short or hostile: a process chooses its own name.

use std::fs;
use std::io;
use std::sync::OnceLock;

use crate::sample::ProcessSample;

/// Beyond so many threads their context switches are not read: each has a file of its own.
const SWITCHES_THREADS_MAX: u64 = 64;

/// Looks at a process, and at all its threads. What the kernel does not tell is not there; a process that is no more, or
/// whose number belongs to nobody, is not up.
///
/// Context switches are those of the threads that live: `/proc/PID/status` tells of one thread alone.
pub(crate) fn process_sample(pid: u32) -> ProcessSample {
    let read = |file: &str| read_lossy(&format!("/proc/{pid}/{file}"));
    let Some(stat) = read("stat").as_deref().and_then(Stat::parse) else {
        return ProcessSample { pid, ..ProcessSample::default() };
    };
    let status = read("status").unwrap_or_default();
    let limits = read("limits").unwrap_or_default();
    let io = read("io").unwrap_or_default();
    let kilobytes = |label| number(&status, label).map(|number| number.saturating_mul(1024));
    let switches = switches(pid, stat.threads);
    let sample = ProcessSample {
        module: None,
        pid,
        is_up: stat.is_up(),
        state: Some(stat.state),
        user_seconds: Some(seconds(stat.user_ticks)),
        system_seconds: Some(seconds(stat.system_ticks)),
        resident_bytes: kilobytes("VmRSS:"),
        swapped_bytes: kilobytes("VmSwap:"),
        virtual_bytes: kilobytes("VmSize:"),
        virtual_max_bytes: number(&limits, "Max address space"),
        open_fds: open_fds(pid),
        max_fds: number(&limits, "Max open files"),
        threads: Some(stat.threads),
        read_bytes: number(&io, "read_bytes:"),
        written_bytes: number(&io, "write_bytes:"),
        voluntary_switches: switches.map(|(voluntary, _)| voluntary),
        involuntary_switches: switches.map(|(_, involuntary)| involuntary),
        start_seconds: boot_seconds().map(|boot| boot as f64 + seconds(stat.start_ticks)),
        life: None,
    };
    // The number may have passed to another process in between: then nothing of this is one process's.
    match start_ticks(pid) {
        Some(ticks) if ticks == stat.start_ticks => sample,
        _ => ProcessSample { pid, ..ProcessSample::default() },
    }
}

/// When the process with this number was started, in ticks since boot: number and start together name one process for as
/// long as the machine runs.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    Some(Stat::parse(&read_lossy(&format!("/proc/{pid}/stat"))?)?.start_ticks)
}

/// The fields of `/proc/PID/stat` that are of use. See <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    user_ticks: u64,
    system_ticks: u64,
    threads: u64,
    start_ticks: u64,
}

impl Stat {
    /// A zombie is not, but where its first thread alone has ended.
    const fn is_up(&self) -> bool {
        match self.state {
            'Z' => self.threads > 1,
            'X' | 'x' => false,
            _ => true,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        // The name may hold blanks, line feeds and parentheses; nothing after it does.
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // From field 4 on: 14 and 15, 20, 22.
        let mut number = |skip| fields.nth(skip)?.parse().ok();
        Some(Self {
            state,
            user_ticks: number(10)?,
            system_ticks: number(0)?,
            threads: number(4)?,
            start_ticks: number(1)?,
        })
    }
}

/// How many descriptors are open. Since Linux 6.2 the folder's size tells; before, each has to be counted.
fn open_fds(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    match fs::metadata(&folder).ok()?.len() {
        0 => Some(fs::read_dir(&folder).ok()?.count() as u64),
        count => Some(count),
    }
}

/// Voluntary and involuntary context switches of all threads that live; nothing where there are too many to ask.
fn switches(pid: u32, threads: u64) -> Option<(u64, u64)> {
    if threads > SWITCHES_THREADS_MAX {
        return None;
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.take(SWITCHES_THREADS_MAX as usize);
    sum_of_switches(tasks.map(|task| task.and_then(|task| fs::read(task.path().join("status")))))
}

/// Of these threads; nothing where one that lives could not be read: a sum without it would look as if it had ended, and it
/// would be counted once more when it is there again.
fn sum_of_switches(statuses: impl Iterator<Item = io::Result<Vec<u8>>>) -> Option<(u64, u64)> {
    let mut sum = (0_u64, 0_u64);
    for status in statuses {
        let status = match status {
            Ok(status) => String::from_utf8_lossy(&status).into_owned(),
            // A thread may end while we count.
            Err(error) if is_gone(&error) => continue,
            Err(_) => return None,
        };
        let of = |label| number(&status, label).unwrap_or(0);
        sum.0 = sum.0.saturating_add(of("voluntary_ctxt_switches:"));
        sum.1 = sum.1.saturating_add(of("nonvoluntary_ctxt_switches:"));
    }
    Some(sum)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// The first number of the line that begins so; nothing where there is none: `unlimited` is no number.
fn number(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn read_lossy(path: &str) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// When the machine was booted, seconds since 1970. Read once: the kernel tells it anew from a clock that is set, and a
/// process must not seem to be another one for that.
fn boot_seconds() -> Option<u64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    *BOOT.get_or_init(|| number(&read_lossy("/proc/stat")?, "btime "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_fields() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 7 9 13 14 15 16 3 18 4242 20 21";
        let expected = Stat { state: 'S', user_ticks: 7, system_ticks: 9, threads: 3, start_ticks: 4242 };
        for name in ["node", "a b", "x) R 1 1 1", "((", ")))", "\n) Z 0", ""] {
            assert_eq!(Stat::parse(&format!("17 ({name}) {rest}")).as_ref(), Some(&expected), "{name:?}");
        }
        for text in [
            "",
            "17",
            "17 (a)",
            "17 (a) S",
            "17 (a) S 1 2 3",
            "17 (a) S 1 2 3 4 5 6 7 8 9 10 -1 9 13 14 15 16 3 18 4",
        ] {
            assert_eq!(Stat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_found_by_its_beginning_alone() {
        let text = "Name:\tVmRSS: 7\nVmRSS:\t  12 kB\nMax open files            1024                 4096                 files\nMax address space         unlimited            unlimited            bytes\n";
        assert_eq!(number(text, "VmRSS:"), Some(12));
        assert_eq!(number(text, "Max open files"), Some(1024));
        assert_eq!(number(text, "Max address space"), None);
        assert_eq!(
            number(
                "voluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t5\n",
                "voluntary_ctxt_switches:"
            ),
            Some(4)
        );
        assert_eq!(number("a: 99999999999999999999999", "a:"), None);
        assert_eq!(number("a:", "a:"), None);
    }

    #[test]
    fn a_look_that_misses_a_thread_that_lives_is_none() {
        let status = |number: u64| {
            Ok(format!("voluntary_ctxt_switches:\t{number}\nnonvoluntary_ctxt_switches:\t1\n").into_bytes())
        };
        let failed = |number| Err(io::Error::from_raw_os_error(number));
        assert_eq!(sum_of_switches([status(4), status(5)].into_iter()), Some((9, 2)));
        for gone in [libc::ENOENT, libc::ESRCH] {
            assert_eq!(sum_of_switches([status(4), failed(gone), status(5)].into_iter()), Some((9, 2)));
        }
        for unread in [libc::ENOMEM, libc::EMFILE, libc::EACCES] {
            assert_eq!(sum_of_switches([status(4), failed(unread), status(5)].into_iter()), None);
        }
    }

    #[test]
    fn our_own_process_is_seen_as_it_is() {
        let pid = std::process::id();
        let before = process_sample(pid);
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = process_sample(pid);
        assert!(after.is_up && after.state.is_some() && after.pid == pid);
        // Other tests open and close files meanwhile, in this very process.
        assert!(
            after.open_fds.unwrap() >= before.open_fds.unwrap() / 2
                && after.open_fds.unwrap() > files.len() as u64
        );
        assert_eq!(after.start_seconds, before.start_seconds);
        assert!(after.resident_bytes.unwrap() <= after.virtual_bytes.unwrap());
        assert!(after.voluntary_switches.is_some() && after.threads.unwrap() >= 1);
    }

    #[test]
    fn a_process_that_is_none_is_not_up() {
        for pid in [0, u32::MAX, i32::MAX as u32] {
            assert_eq!(process_sample(pid), ProcessSample { pid, ..ProcessSample::default() });
        }
    }
}
