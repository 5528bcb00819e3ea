//! Where the state directory is when nobody says so, and how its reports are read.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lifeboat_monitor::envelope::{self, Envelope};
use lifeboat_monitor::spool::{Spool, Stored};
use serde_json::Value;

use crate::output::Failure;

/// So long a report is waited for that a monitor may be writing.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);
/// What may be wrong where nothing is found.
const ELSEWHERE: &str = "has anything died yet? name another by --state-dir";

/// The same rule by which a node finds it.
pub(crate) fn default_directory() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(named) = std::env::var_os("LIFEBOAT_STATE_DIR").filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/lifeboat".into());
    }
    variable("XDG_STATE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".local/state")))
        .map(|base| base.join("lifeboat"))
        .ok_or_else(|| Failure::usage("no state directory: name it with --state-dir or LIFEBOAT_STATE_DIR"))
}

/// Every report on disk, newest first; that there is none is a failure. A report is on disk some milliseconds after a death:
/// where there is none the monitors that are at work are waited for, for a moment.
pub(crate) fn reports(state_dir: &Path) -> Result<(Spool, Vec<Stored>), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look(state_dir);
        if found.is_ok() || Instant::now() >= deadline || !is_monitor_at_work() {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether a monitor runs: of which state directory cannot be seen from here, and it may be in a container.
fn is_monitor_at_work() -> bool {
    // The kernel keeps fifteen letters of a program's name.
    let is_monitor = |name: &str| name.starts_with("lifeboat-monito");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names = processes.filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok());
    names.any(|name| is_monitor(name.trim_end()))
}

fn look(state_dir: &Path) -> Result<(Spool, Vec<Stored>), Failure> {
    let spool = Spool::look(state_dir).map_err(|error| match error.is_missing() {
        true => Failure::no(format!("there is no state directory at {}: {ELSEWHERE}", state_dir.display())),
        false => Failure::no(error.to_string()),
    })?;
    let mut all = spool.list().map_err(|error| Failure::no(error.to_string()))?;
    if all.is_empty() {
        return Err(Failure::no(format!("no reports in {}: {ELSEWHERE}", state_dir.display())));
    }
    all.reverse();
    Ok((spool, all))
}

/// The event of one report.
pub(crate) fn event(stored: &Stored) -> Result<Value, Failure> {
    let read = envelope::read(&stored.path).and_then(|bytes| Envelope::parse(&bytes)?.event());
    read.map_err(|error| Failure::no(format!("{}: {error}", stored.path.display())))
}
