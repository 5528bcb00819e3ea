//! The SQLite databases that the operator named: what their files show, and when they are checked. The check itself is the
//! role `check-database`, one at a time; what it said outlives us, so that a node that is started again and again is not
//! checked each time.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::check_database::{Checked, File, TIME_MAX, Verdict};
use crate::sample::DatabaseSample;
use crate::state_file::{self, now_seconds};
use crate::watch::end;
use crate::watch::roles::{self, said};

const PATHS_VARIABLE: &str = "LIFEBOAT_SQLITE";
const INTERVAL_VARIABLE: &str = "LIFEBOAT_SQLITE_CHECK_SECONDS";
const BYTES_MAX_VARIABLE: &str = "LIFEBOAT_SQLITE_CHECK_BYTES_MAX";
const INTERVAL_SECONDS: u64 = 6 * 60 * 60;
const BYTES_MAX: u64 = 1 << 30;
/// Databases beyond so many are not looked after.
const DATABASES_MAX: usize = 16;
/// A node that starts has other things to do; and a fleet that starts shall not check at one moment.
const FIRST_SECONDS: u64 = 300;
/// What could not be decided is tried again so soon; so is what was found damaged, for somebody may have mended it.
const AGAIN_SECONDS: u64 = 900;
/// So long a database is remembered that nobody has checked since.
const RECORD_AGE_MAX: u64 = 30 * 24 * 60 * 60;
/// So much is remembered: well below what is read again.
const RECORDS_BYTES_MAX: usize = 192 * 1024;
/// The kernel ends the role before that.
const PATIENCE: Duration = TIME_MAX.saturating_add(Duration::from_secs(10));
const FILE: &str = "databases.json";

/// What the operator asked for.
#[derive(Clone, Debug)]
pub(super) struct Databases {
    state_dir: PathBuf,
    /// Whose they are: in a container of its own another node has other files at the same paths.
    node: String,
    paths: Vec<PathBuf>,
    /// 0 for never.
    interval_seconds: u64,
    bytes_max: u64,
    /// The records as they were read last.
    last: Arc<Mutex<Records>>,
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
    /// Device and inode of the file that this is of.
    #[serde(default)]
    inode: Option<[u64; 2]>,
}

/// What a check said, and of which file.
struct Outcome {
    checked: Checked,
    inode: Option<[u64; 2]>,
}

type Records = BTreeMap<String, Record>;

impl Databases {
    /// Of the environment that the node was started in.
    pub(super) fn from_environment(state_dir: &Path, node: &str) -> Self {
        let number = |name: &str, default| {
            std::env::var(name).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(default)
        };
        Self {
            state_dir: state_dir.to_owned(),
            node: node.to_owned(),
            paths: Named::of(&std::env::var_os(PATHS_VARIABLE).unwrap_or_default()).watched,
            interval_seconds: number(INTERVAL_VARIABLE, INTERVAL_SECONDS),
            bytes_max: number(BYTES_MAX_VARIABLE, BYTES_MAX),
            last: Arc::default(),
        }
    }

    /// What is known of each.
    pub(super) fn look(&self) -> Vec<DatabaseSample> {
        if self.paths.is_empty() {
            return Vec::new();
        }
        let records = self.last_records();
        let sample = |path: &PathBuf| {
            let mut record = records.get(&self.key(path)).cloned().unwrap_or_default();
            let file = File::look(path).ok();
            record.is_still_of(file.as_ref().map(|file| file.inode));
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
                if self.until_due(path) == 0 {
                    self.note(path, self.check(path));
                }
            }
            let next = self.paths.iter().map(|path| self.until_due(path)).min();
            std::thread::sleep(Duration::from_secs(next.unwrap_or(self.interval_seconds).max(1)));
        }
    }

    /// Seconds until this one is to be checked.
    fn until_due(&self, path: &Path) -> u64 {
        match self.records() {
            Ok(records) => {
                let mut record = records.get(&self.key(path)).cloned();
                let inode = File::look(path).ok().map(|file| file.inode);
                if record.as_mut().is_some_and(|record| !record.is_still_of(inode)) {
                    record = None;
                }
                self.until_due_by(record.as_ref(), now_seconds())
            }
            // Begun anew with the next verdict.
            Err(error) if error.is_malformed() => 0,
            // It may have been checked a moment ago.
            Err(_) => self.interval_seconds.min(AGAIN_SECONDS),
        }
    }

    fn until_due_by(&self, record: Option<&Record>, now: u64) -> u64 {
        let Some(record) = record else { return 0 };
        let interval = match record.is_decided && record.is_whole != Some(false) {
            true => self.interval_seconds,
            false => self.interval_seconds.min(AGAIN_SECONDS),
        };
        // A clock that was set back shall not put it off for long.
        record.at_seconds.saturating_add(interval).saturating_sub(now).min(interval)
    }

    fn check(&self, path: &Path) -> Outcome {
        // Looked at before: a file that takes its place meanwhile is checked anew.
        let file = File::look(path);
        let inode = file.as_ref().ok().map(|file| file.inode);
        Outcome { checked: self.check_file(path, file), inode }
    }

    fn check_file(&self, path: &Path, file: io::Result<File>) -> Checked {
        let undecided = |detail: &str| Checked { verdict: Verdict::Undecided, detail: detail.into() };
        match file {
            Err(error) => return undecided(&format!("it cannot be read: {error}")),
            Ok(file) if file.size_bytes > self.bytes_max => {
                return undecided(&format!("not checked: it is larger than {BYTES_MAX_VARIABLE}"));
            }
            Ok(_) => {}
        }
        let mut role = roles::command("check-database");
        role.arg(path);
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
    fn note(&self, path: &Path, outcome: Outcome) {
        // What cannot be written is checked again: not at once, since there is nothing else to do.
        let _ = state_file::change(&self.state_dir.join(FILE), |records: &mut Records| {
            let now = now_seconds();
            let record = records.entry(self.key(path)).or_default();
            take_over(record, outcome, now);
            sweep(records, now);
            true
        });
    }

    fn records(&self) -> Result<Records, Error> {
        state_file::read_or_default(&self.state_dir.join(FILE))
    }

    /// The same; where they cannot be read now, as they were last.
    fn last_records(&self) -> Records {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(records) = self.records() {
            *last = records;
        }
        last.clone()
    }

    /// Several nodes may keep their records in one file. No path and no key that others wrote has a line feed before it.
    fn key(&self, path: &Path) -> String {
        format!("{}\n{}", self.node.replace('\n', " "), path.to_string_lossy())
    }
}

impl Record {
    /// Whether it is of the file that is there now; if not, nothing is known of that. One that cannot be seen is taken
    /// for the same.
    fn is_still_of(&mut self, inode: Option<[u64; 2]>) -> bool {
        let is_same = inode.is_none() || self.inode.is_none() || inode == self.inode;
        if !is_same {
            self.is_whole = None;
            self.detail = "not checked since another file took its place".into();
        }
        is_same
    }
}

/// Forgets what nobody has checked for long, and beyond what can be kept the oldest. What is there now is no reason: others
/// see other files.
fn sweep(records: &mut Records, now: u64) {
    records.retain(|_, record| now.saturating_sub(record.at_seconds) <= RECORD_AGE_MAX);
    let size = |it: (&String, &Record)| serde_json::to_string(&it).map_or(0, |text| text.len());
    let mut bytes: usize = records.iter().map(size).sum();
    while bytes > RECORDS_BYTES_MAX {
        let oldest = records.iter().min_by_key(|(_, record)| record.at_seconds);
        let Some((key, size)) = oldest.map(|it| (it.0.clone(), size(it))) else { return };
        bytes = bytes.saturating_sub(size);
        records.remove(&key);
    }
}

fn take_over(record: &mut Record, Outcome { checked, inode }: Outcome, now: u64) {
    record.is_still_of(inode);
    record.inode = inode.or(record.inode);
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

/// Whom a value of `LIFEBOAT_SQLITE` names, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Those that are looked after.
    pub watched: Vec<PathBuf>,
    /// Those that are not absolute.
    pub relative: Vec<PathBuf>,
    /// Those beyond the most that are looked after.
    pub beyond: Vec<PathBuf>,
}

impl Named {
    /// Reads the value: paths, separated by colons.
    #[must_use]
    pub fn of(text: &OsStr) -> Self {
        let mut named = Self::default();
        let paths =
            text.as_bytes().split(|byte| *byte == b':').map(|path| Path::new(OsStr::from_bytes(path)));
        for path in paths.filter(|path| !path.as_os_str().is_empty()) {
            let list = match path.is_absolute() {
                false => &mut named.relative,
                true if named.watched.len() < DATABASES_MAX || named.watched.iter().any(|it| it == path) => {
                    &mut named.watched
                }
                true => &mut named.beyond,
            };
            if !list.iter().any(|known| known == path) {
                list.push(path.to_owned());
            }
        }
        named
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn databases(state_dir: &Path, text: &str) -> Databases {
        crate::spool::Spool::open(state_dir).unwrap();
        Databases {
            state_dir: state_dir.into(),
            node: "node".into(),
            paths: Named::of(OsStr::new(text)).watched,
            interval_seconds: 21_600,
            bytes_max: BYTES_MAX,
            last: Arc::default(),
        }
    }

    fn outcome(verdict: Verdict, detail: &str) -> Outcome {
        Outcome { checked: Checked { verdict, detail: detail.into() }, inode: None }
    }

    /// What a check of the file that is there now would be noted as.
    fn noted(path: &Path, verdict: Verdict) -> Outcome {
        Outcome { inode: Some(File::look(path).unwrap().inode), ..outcome(verdict, "row 1") }
    }

    #[test]
    fn names_tell_databases_apart() {
        let all = Named::of(OsStr::new(
            "/data/store.sqlite3::relative.db:/data/a/x.db:/data/b/x.db:/data/store.sqlite3:/x.db",
        ))
        .watched;
        let names: Vec<_> = all.iter().map(|path| name(path, &all)).collect();
        assert_eq!(names, ["store.sqlite3", "a/x.db", "b/x.db", "/x.db"]);
        let many: String = (0..100).map(|number| format!("/{number}:")).collect();
        let named = Named::of(OsStr::new(&many));
        assert_eq!(named.watched.len(), DATABASES_MAX);
        assert!(!named.beyond.is_empty());
    }

    #[test]
    fn what_a_check_said_outlives_those_that_say_nothing() {
        let mut record = Record::default();
        let checked = outcome;
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
        assert_eq!(own.until_due(&path), 0);
        own.note(&path, noted(&path, Verdict::Whole));
        // A later monitor reads the same record.
        let later = databases(state_dir.path(), path.to_str().unwrap());
        assert!(later.until_due(&path) > 21_500);
        let (records, now) = (later.records().unwrap(), now_seconds());
        let record = records.get(&later.key(&path));
        assert_eq!(later.until_due_by(record, now + 21_601), 0);
        assert_eq!(later.until_due_by(record, 0), 21_600, "a clock that was set back");
        later.note(&path, noted(&path, Verdict::Undecided));
        assert!(later.until_due(&path) <= AGAIN_SECONDS);
        let sample = &later.look()[0];
        assert_eq!((sample.name.as_str(), sample.size_bytes, sample.is_whole), ("a.db", Some(0), Some(true)));
    }

    #[test]
    fn a_database_that_was_mended_is_not_called_damaged_for_long() {
        let state_dir = tempfile::tempdir().unwrap();
        let path = state_dir.path().join("a.db");
        std::fs::write(&path, "").unwrap();
        let own = databases(state_dir.path(), path.to_str().unwrap());
        own.note(&path, noted(&path, Verdict::Damaged));
        assert_eq!(own.look()[0].is_whole, Some(false));
        assert!((1..=AGAIN_SECONDS).contains(&own.until_due(&path)), "mended in its place");
        let restored = state_dir.path().join("restored.db");
        std::fs::write(&restored, "").unwrap();
        std::fs::rename(&restored, &path).unwrap();
        let sample = &own.look()[0];
        assert_eq!((sample.is_whole, sample.detail.contains("another file")), (None, true), "{sample:?}");
        assert_eq!(own.until_due(&path), 0);
        own.note(&path, noted(&path, Verdict::Undecided));
        assert_eq!(own.look()[0].is_whole, None, "what was said of the other file is not taken over");
    }

    #[test]
    fn nodes_that_share_a_state_directory_share_no_verdict() {
        let state_dir = tempfile::tempdir().unwrap();
        // Where this node sees no file, the other one has a database.
        let path = state_dir.path().join("of-another-mount.db");
        let own = databases(state_dir.path(), path.to_str().unwrap());
        let other = Databases { node: "other".into(), ..own.clone() };
        other.note(&path, outcome(Verdict::Damaged, "row 1"));
        assert_eq!((own.look()[0].is_whole, own.until_due(&path)), (None, 0));
        own.note(&path, outcome(Verdict::Undecided, "missing"));
        assert_eq!(other.look()[0].is_whole, Some(false), "and neither throws away what the other knows");
        // A damaged file tells nothing, and nothing of what was known is lost by it.
        std::fs::remove_file(state_dir.path().join(FILE)).unwrap();
        std::fs::create_dir(state_dir.path().join(FILE)).unwrap();
        assert_eq!(other.look()[0].is_whole, Some(false));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let record = |at_seconds| Record { at_seconds, ..Record::default() };
        let now = 2 * RECORD_AGE_MAX;
        let mut records = Records::from([("old".into(), record(1)), ("young".into(), record(now))]);
        sweep(&mut records, now);
        assert_eq!(records.keys().collect::<Vec<_>>(), ["young"]);
        let long = "x".repeat(4096);
        records.extend((0..1000).map(|number| (format!("{number}{long}"), record(now - number))));
        sweep(&mut records, now);
        assert!((20..50).contains(&records.len()), "{}", records.len());
        assert!(records.contains_key("young") && records.contains_key(&format!("1{long}")));
    }

    #[test]
    fn a_large_one_is_not_checked_and_says_so() {
        let state_dir = tempfile::tempdir().unwrap();
        let path = state_dir.path().join("a.db");
        std::fs::write(&path, [0; 100]).unwrap();
        let own = Databases { bytes_max: 99, ..databases(state_dir.path(), path.to_str().unwrap()) };
        assert!(own.check(&path).checked.detail.contains(BYTES_MAX_VARIABLE));
    }
}
