//! What each thread of a process has used of the processor: who spins, and who waits.

use std::time::{Duration, Instant};

use super::super::process;

/// Most threads that are looked at.
const THREADS_MAX: usize = 1024;
/// Most that are told.
const TOLD_MAX: usize = 8;
/// The kernel counts in ticks: over a shorter time they say nothing.
const SPAN_MIN: Duration = Duration::from_millis(200);
/// `utime` and `stime` are the 14th and 15th field of /proc/PID/task/TID/stat; the name in field 2 may hold anything.
const FIELDS_BEFORE_TIMES: usize = 11;

/// One look at all threads.
#[derive(Clone)]
pub(super) struct Load {
    at: Instant,
    threads: Vec<(u32, u64)>,
}

impl Load {
    pub(super) fn of(pid: u32) -> Self {
        let entries = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let tids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let threads = tids.take(THREADS_MAX).filter_map(|tid| Some((tid, ticks(pid, tid)?)));
        Self { at: Instant::now(), threads: threads.collect() }
    }

    /// Which threads used the processor since an earlier look, the busiest first, in percent of one processor.
    pub(super) fn since(&self, earlier: &Self, pid: u32) -> Vec<(String, u32)> {
        let span = self.at.saturating_duration_since(earlier.at);
        if span < SPAN_MIN {
            return Vec::new();
        }
        let used = self.threads.iter().filter_map(|(tid, ticks)| {
            let before =
                earlier.threads.iter().find(|(known, _)| known == tid).map_or(0, |(_, ticks)| *ticks);
            let milliseconds = ticks.saturating_sub(before).saturating_mul(1000) / ticks_per_second();
            let percent = u128::from(milliseconds) * 100 / span.as_millis();
            let percent = u32::try_from(percent).unwrap_or(100).min(100);
            (percent > 0).then(|| (format!("{} ({tid})", process::thread_name(pid, *tid)), percent))
        });
        let mut used: Vec<_> = used.collect();
        used.sort_by_key(|(_, percent)| std::cmp::Reverse(*percent));
        used.truncate(TOLD_MAX);
        used
    }
}

fn ticks(pid: u32, tid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(FIELDS_BEFORE_TIMES);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(user.saturating_add(system))
}

fn ticks_per_second() -> u64 {
    // SAFETY: the call has no preconditions.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}
