//! Where the state directory is when nobody says so, and how its reports are read.

use std::path::{Path, PathBuf};

use lifeboat_monitor::envelope::{self, Envelope};
use lifeboat_monitor::spool::{Spool, Stored};
use serde_json::Value;

use crate::output::Failure;

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

/// Every report on disk, newest first; that there is none is a failure.
pub(crate) fn reports(state_dir: &Path) -> Result<(Spool, Vec<Stored>), Failure> {
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
