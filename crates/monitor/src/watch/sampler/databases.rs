//! The SQLite databases that the operator named: what their files show, and when they are checked. The check itself is the
//! role `check-database`, one at a time; what it said outlives us, so that a node that is started again and again is not
//! checked each time.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check_database::{Checked, File, TIME_MAX, Verdict};
use crate::sample::DatabaseSample;
use crate::state_file::{self, now_seconds};
use crate::watch::end;
use crate::watch::roles::{OURSELVES, said};

const PATHS_VARIABLE: &str = "LIFEBOAT_SQLITE";
const INTERVAL_VARIABLE: &str = "LIFEBOAT_SQLITE_CHECK_SECONDS";
const BYTES_MAX_VARIABLE: &str = "LIFEBOAT_SQLITE_CHECK_BYTES_MAX";
const INTERVAL_SECONDS: u64 = 6 * 60 * 60;
const BYTES_MAX: u64 = 1 << 30;
/// Databases beyond so many are not looked after.
const DATABASES_MAX: usize = 16;
/// A node that starts has other things to do; and a fleet that starts shall not check at one moment.
const FIRST_SECONDS: u64 = 300;
/// What could not be decided is tried again so soon.
const AGAIN_SECONDS: u64 = 900;
/// The kernel ends the role before that.
const PATIENCE: Duration = TIME_MAX.saturating_add(Duration::from_secs(10));
const FILE: &str = "databases.json";

/// What the operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Databases {
    state_dir: PathBuf,
    paths: Vec<PathBuf>,
    /// 0 for never.
    interval_seconds: u64,
    bytes_max: u64,
}

/// What is remembered of one database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    /// When it was last tried.
    at_seconds: u64,
    /// Whether that led to a verdict.
    is_decided: bool,
    is_whole: Option<bool>,
    detail: String,
    last_whole_seconds: Option<u64>,
}

type Records = BTreeMap<String, Record>;

impl Databases {
    /// Of the environment that the node was started in.
    pub(super) fn from_environment(state_dir: &Path) -> Self {
        let number = |name: &str, default| {
            std::env::var(name).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(default)
        };
        Self {
            state_dir: state_dir.to_owned(),
            paths: paths(&std::env::var_os(PATHS_VARIABLE).unwrap_or_default()),
            interval_seconds: number(INTERVAL_VARIABLE, INTERVAL_SECONDS),
            bytes_max: number(BYTES_MAX_VARIABLE, BYTES_MAX),
        }
    }

    /// What is known of each.
    pub(super) fn look(&self) -> Vec<DatabaseSample> {
        if self.paths.is_empty() {
            return Vec::new();
        }
        let records = self.records();
        let sample = |path: &PathBuf| {
            let record = records.get(&key(path)).cloned().unwrap_or_default();
            let file = File::look(path).ok();
            let missing = "there is no such file, or it cannot be read".to_owned();
            DatabaseSample {
                name: name(path, &self.paths),
                size_bytes: file.as_ref().map(|file| file.size_bytes),
                wal_bytes: file.as_ref().and_then(|file| file.wal_bytes),
                page_bytes: file.as_ref().and_then(|file| file.page_bytes),
                free_pages: file.as_ref().and_then(|file| file.free_pages),
                is_whole: record.is_whole,
                detail: if file.is_some() { record.detail } else { missing },
                last_whole_seconds: record.last_whole_seconds,
            }
        };
        self.paths.iter().map(sample).collect()
    }

    /// Checks each when its time has come, in a thread of its own, for as long as this process lives.
    pub(super) fn start(&self) {
        if self.paths.is_empty() || self.interval_seconds == 0 {
            return;
        }
        let own = self.clone();
        let thread = std::thread::Builder::new().name("databases".into()).stack_size(128 * 1024);
        // Without it nothing is checked, and no verdict says so.
        let _ = thread.spawn(move || own.check_for_ever());
    }

    fn check_for_ever(&self) {
        let first = FIRST_SECONDS + u64::from(std::process::id()) % FIRST_SECONDS;
        std::thread::sleep(Duration::from_secs(first.min(self.interval_seconds)));
        loop {
            for path in &self.paths {
                if self.until_due(self.records().get(&key(path)), now_seconds()) == 0 {
                    self.note(path, self.check(path));
                }
            }
            let (records, now) = (self.records(), now_seconds());
            let next = self.paths.iter().map(|path| self.until_due(records.get(&key(path)), now)).min();
            std::thread::sleep(Duration::from_secs(next.unwrap_or(self.interval_seconds).max(1)));
        }
    }

    /// Seconds until this one is to be checked.
    fn until_due(&self, record: Option<&Record>, now: u64) -> u64 {
        let Some(record) = record else { return 0 };
        let interval = match record.is_decided {
            true => self.interval_seconds,
            false => self.interval_seconds.min(AGAIN_SECONDS),
        };
        // A clock that was set back shall not put it off for long.
        record.at_seconds.saturating_add(interval).saturating_sub(now).min(interval)
    }

    fn check(&self, path: &Path) -> Checked {
        let undecided = |detail: &str| Checked { verdict: Verdict::Undecided, detail: detail.into() };
        match File::look(path) {
            Err(error) => return undecided(&format!("it cannot be read: {error}")),
            Ok(file) if file.size_bytes > self.bytes_max => {
                return undecided(&format!("not checked: it is larger than {BYTES_MAX_VARIABLE}"));
            }
            Ok(_) => {}
        }
        let mut role = Command::new(OURSELVES);
        role.arg("check-database").arg(path);
        role.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut role) = role.spawn() else { return undecided("the check could not be started") };
        if !end::comes_within(role.id(), PATIENCE) {
            // One that hangs in the kernel may not even die of it; the next is not started before this thread has it.
            let _ = role.kill();
        }
        let status = role.wait();
        let checked = role.stdout.take().and_then(|output| Checked::from_output(&said(output)));
        let is_well = status.is_ok_and(|status| status.success());
        checked.filter(|_| is_well).unwrap_or_else(|| undecided("the check was ended before it was done"))
    }

    /// Puts on record what a check said. One that said nothing leaves the last verdict.
    fn note(&self, path: &Path, checked: Checked) {
        // What cannot be written is checked again: not at once, since there is nothing else to do.
        let _ = state_file::change(&self.state_dir.join(FILE), |records: &mut Records| {
            records.retain(|path, _| Path::new(path).exists());
            let record = records.entry(key(path)).or_default();
            take_over(record, checked, now_seconds());
            true
        });
    }

    fn records(&self) -> Records {
        state_file::read(&self.state_dir.join(FILE)).unwrap_or_default()
    }
}

fn take_over(record: &mut Record, checked: Checked, now: u64) {
    let is_whole = match checked.verdict {
        Verdict::Whole => Some(true),
        Verdict::Damaged => Some(false),
        // What was a database once has been overwritten.
        Verdict::Foreign if record.last_whole_seconds.is_some() => Some(false),
        Verdict::Foreign | Verdict::Undecided => None,
    };
    record.at_seconds = now;
    record.is_decided = is_whole.is_some() || checked.verdict == Verdict::Foreign;
    record.is_whole = is_whole.or(record.is_whole);
    record.detail = checked.detail;
    if is_whole == Some(true) {
        record.last_whole_seconds = Some(now);
    }
}

/// Absolute paths, each once.
fn paths(text: &OsStr) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in text.as_bytes().split(|byte| *byte == b':').map(|path| Path::new(OsStr::from_bytes(path))) {
        if path.is_absolute() && !paths.iter().any(|known| known == path) && paths.len() < DATABASES_MAX {
            paths.push(path.to_owned());
        }
    }
    paths
}

/// The file's name, with as much of its folder as tells it from the others.
fn name(path: &Path, all: &[PathBuf]) -> String {
    let last = |path: &Path, count: usize| {
        let parts: Vec<_> = path.iter().collect();
        parts.iter().skip(parts.len().saturating_sub(count)).collect::<PathBuf>()
    };
    let count = path.iter().count();
    let is_own =
        |count: &usize| all.iter().all(|other| other == path || last(other, *count) != last(path, *count));
    let count = (1..=count).find(is_own).unwrap_or(count);
    last(path, count).to_string_lossy().into_owned()
}

fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn databases(state_dir: &Path, text: &str) -> Databases {
        crate::spool::Spool::open(state_dir).unwrap();
        let paths = paths(OsStr::new(text));
        Databases { state_dir: state_dir.into(), paths, interval_seconds: 21_600, bytes_max: BYTES_MAX }
    }

    #[test]
    fn names_tell_databases_apart() {
        let all = paths(OsStr::new(
            "/data/store.sqlite3::relative.db:/data/a/x.db:/data/b/x.db:/data/store.sqlite3:/x.db",
        ));
        let names: Vec<_> = all.iter().map(|path| name(path, &all)).collect();
        assert_eq!(names, ["store.sqlite3", "a/x.db", "b/x.db", "/x.db"]);
        let many: String = (0..100).map(|number| format!("/{number}:")).collect();
        assert_eq!(paths(OsStr::new(&many)).len(), DATABASES_MAX);
    }

    #[test]
    fn what_a_check_said_outlives_those_that_say_nothing() {
        let mut record = Record::default();
        let checked = |verdict, detail: &str| Checked { verdict, detail: detail.into() };
        take_over(&mut record, checked(Verdict::Foreign, "none"), 5);
        assert_eq!((record.is_whole, record.is_decided), (None, true));
        take_over(&mut record, checked(Verdict::Whole, ""), 10);
        take_over(&mut record, checked(Verdict::Undecided, "it was locked"), 20);
        assert_eq!(
            (record.is_whole, record.last_whole_seconds, record.is_decided),
            (Some(true), Some(10), false)
        );
        assert_eq!(record.detail, "it was locked");
        take_over(&mut record, checked(Verdict::Damaged, "row 1"), 30);
        assert_eq!(
            (record.is_whole, record.last_whole_seconds, record.is_decided),
            (Some(false), Some(10), true)
        );
        take_over(&mut record, checked(Verdict::Foreign, "overwritten"), 40);
        assert_eq!(record.is_whole, Some(false));
    }

    #[test]
    fn a_restart_checks_nothing_before_its_time() {
        let state_dir = tempfile::tempdir().unwrap();
        let path = state_dir.path().join("a.db");
        std::fs::write(&path, "").unwrap();
        let own = databases(state_dir.path(), path.to_str().unwrap());
        assert_eq!(own.until_due(own.records().get(&key(&path)), now_seconds()), 0);
        own.note(&path, Checked { verdict: Verdict::Whole, detail: String::new() });
        // A later monitor reads the same record.
        let later = databases(state_dir.path(), path.to_str().unwrap());
        let (records, now) = (later.records(), now_seconds());
        let record = records.get(&key(&path));
        assert!(later.until_due(record, now) > 21_500);
        assert_eq!(later.until_due(record, now + 21_601), 0);
        assert_eq!(later.until_due(record, 0), 21_600, "a clock that was set back");
        later.note(&path, Checked::default());
        assert!(later.until_due(later.records().get(&key(&path)), now_seconds()) <= AGAIN_SECONDS);
        let sample = &later.look()[0];
        assert_eq!((sample.name.as_str(), sample.size_bytes, sample.is_whole), ("a.db", Some(0), Some(true)));
    }

    #[test]
    fn a_large_one_is_not_checked_and_says_so() {
        let state_dir = tempfile::tempdir().unwrap();
        let path = state_dir.path().join("a.db");
        std::fs::write(&path, [0; 100]).unwrap();
        let own = Databases { bytes_max: 99, ..databases(state_dir.path(), path.to_str().unwrap()) };
        assert!(own.check(&path).detail.contains(BYTES_MAX_VARIABLE));
    }
}
