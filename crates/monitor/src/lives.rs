//! What became of each node's lives: `nodes/NAME.json` in the state directory, one small file for each node. Several
//! monitors write there, each under the folder's lock; readers need none, since a file is replaced whole.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_recorder::{Setting, Snapshot};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::report::Told;
use crate::sample::Life;
use crate::state_file;
use crate::watch::sampler::process::start_ticks;

const FOLDER: &str = "nodes";
/// So many starts and deaths are remembered one by one; of all others there is the count.
const REMEMBERED: usize = 16;
/// A name that is as short as this, and harmless, is its own file's.
const NAME_BYTES_MAX: usize = 64;
/// Of another one so much is kept, for people.
const NAME_KEPT: usize = 32;

/// What is known of one node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The name itself: the file's may be another.
    node: String,
    /// The counts.
    pub(crate) life: Life,
    /// Handled errors and panics that became no report: there were too many.
    pub(crate) suppressed: u64,
    starts: Vec<Start>,
    /// The reports whose deaths are in the counts: one that is made twice counts once.
    counted: Vec<String>,
}

/// One life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// When it began, nanoseconds since 1970: by this a report finds it.
    pub(crate) realtime_ns: u64,
    /// How many restarts there had been by then.
    pub(crate) restarts: u64,
    boot: String,
    pid: u32,
    ticks: u64,
}

/// The lives of one node.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    folder: PathBuf,
    node: String,
}

impl Lives {
    /// Of the node that bears this name.
    pub(crate) fn new(state_dir: &Path, node: &str) -> Self {
        Self { folder: state_dir.join(FOLDER), node: node.to_owned() }
    }

    /// Its name.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// What is on record; zeros where nothing is.
    ///
    /// # Errors
    /// Where it cannot be read: that is not the same as zeros.
    pub(crate) fn read(&self) -> Result<Record, Error> {
        state_file::read_or_default(&self.path())
    }

    /// Notes a start, once however often it is told. It is a restart where there was a life before that is over: a second
    /// process of this name beside the first is none, nor is a second start in one process.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn start(&self, realtime_ns: u64, pid: u32) -> Result<(), Error> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.trim().to_owned();
        let ticks = start_ticks(pid).unwrap_or(0);
        self.change(|record| {
            if record.starts.iter().any(|start| start.realtime_ns == realtime_ns) {
                return false;
            }
            let lives_on = |last: &Start| {
                last.ticks != 0 && last.boot == boot && start_ticks(last.pid) == Some(last.ticks)
            };
            let is_restart = record.starts.last().is_some_and(|last| !lives_on(last));
            record.life.restarts += u64::from(is_restart);
            let restarts = record.life.restarts;
            record.starts.push(Start { realtime_ns, restarts, boot: boot.clone(), pid, ticks });
            keep_last(&mut record.starts);
            true
        })
    }

    /// Counts a death that has its report.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn death(&self, told: &Told) -> Result<(), Error> {
        self.change(|record| {
            if record.counted.contains(&told.event_id) {
                return false;
            }
            record.counted.push(told.event_id.clone());
            keep_last(&mut record.counted);
            *record.life.deaths.entry(told.cause.clone()).or_default() += 1;
            let last = record.life.last_deaths.entry(told.cause.clone()).or_default();
            *last = told.at_seconds.max(*last);
            true
        })
    }

    /// Counts an end that somebody asked for.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn stop(&self, kind: &str) -> Result<(), Error> {
        self.change(|record| {
            *record.life.stops.entry(kind.to_owned()).or_default() += 1;
            true
        })
    }

    /// Counts hangs.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn hang(&self, count: u64) -> Result<(), Error> {
        self.change(|record| {
            record.life.hangs = record.life.hangs.saturating_add(count);
            true
        })
    }

    /// Counts what became no report.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn suppress(&self, count: u64) -> Result<(), Error> {
        self.change(|record| {
            record.suppressed = record.suppressed.saturating_add(count);
            true
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", file_stem(&self.node)))
    }

    fn change(&self, change: impl FnOnce(&mut Record) -> bool) -> Result<(), Error> {
        state_file::change(&self.path(), |record: &mut Record| {
            record.node = self.node.chars().take(NAME_BYTES_MAX).collect();
            change(record)
        })
    }
}

impl Record {
    /// The life that began at this moment.
    pub(crate) fn start(&self, realtime_ns: u64) -> Option<&Start> {
        self.starts.iter().find(|start| start.realtime_ns == realtime_ns)
    }
}

/// The name under which a node's lives are counted: its own, else its program's.
pub(crate) fn node_name(recorder: &Snapshot<'_>, module: Option<&str>) -> String {
    let text = |setting| {
        let text = String::from_utf8_lossy(recorder.setting(setting)?).trim().to_owned();
        Some(text).filter(|text| !text.is_empty())
    };
    let program = || {
        let path = text(Setting::Program)?;
        Some(Path::new(&path).file_name()?.to_string_lossy().into_owned())
    };
    let node = text(Setting::Node).or_else(|| text(Setting::App)).or_else(program).unwrap_or_default();
    // It has its host's environment, and with it its name, but a life of its own.
    module.map_or_else(|| node.clone(), |module| format!("{node}/{module}"))
}

/// A name of our own making: no two nodes share it, and it leads nowhere. `~` stands in none that is taken as it is.
fn file_stem(node: &str) -> String {
    let is_harmless = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let is_kept = !node.is_empty() && node.len() <= NAME_BYTES_MAX && !node.starts_with('.');
    if is_kept && node.chars().all(is_harmless) {
        return node.to_owned();
    }
    let kept: String = node.chars().filter(|letter| is_harmless(*letter)).take(NAME_KEPT).collect();
    let digest = Sha256::digest(node.as_bytes());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}~{digest}", kept.trim_start_matches('.'))
}

fn keep_last<T>(list: &mut Vec<T>) {
    let surplus = list.len().saturating_sub(REMEMBERED);
    list.drain(..surplus);
}

#[cfg(test)]
#[path = "lives_tests.rs"]
mod tests;
