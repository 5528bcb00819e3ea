//! Captures that another monitor, or a node without one, left behind: each becomes a report.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::roles::Destination;

/// What captures are called: a whole one by a monitor, a bare recorder by a dying node.
const ENDINGS: [&str; 2] = ["capture", "recorder"];
/// A file that cannot be made a report keeps its name with this added, and is not tried again.
const REFUSED: &str = "refused";
/// What nobody makes a report of: that, and what whoever wrote it left unfinished. It holds copies of stacks.
const DEAD_ENDS: [&str; 2] = [REFUSED, "part"];
/// For so long, and so many of them, they are kept for somebody to look at.
const DEAD_END_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DEAD_ENDS_MAX: usize = 16;

/// Makes reports of all that lies there; answers how many.
pub(crate) fn report(destination: &Destination) -> usize {
    let Ok(entries) = fs::read_dir(destination.state_dir.join("recorders")) else { return 0 };
    let all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    remove_dead_ends(&all, SystemTime::now());
    let mut paths: Vec<_> = all.iter().filter(|path| is_ours(path)).collect();
    paths.sort();
    paths.into_iter().filter(|path| report_one(destination, path)).count()
}

/// Whether it is still to become a report.
pub(super) fn is_ours(path: &Path) -> bool {
    ends_with(path, &ENDINGS)
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending))
}

/// Removes what is too old, and all but the newest.
fn remove_dead_ends(paths: &[PathBuf], now: SystemTime) {
    let age = |path: &PathBuf| {
        let written = path.symlink_metadata().and_then(|file| file.modified()).ok()?;
        Some(now.duration_since(written).unwrap_or_default())
    };
    let dead_ends = paths.iter().filter(|path| ends_with(path, &DEAD_ENDS));
    let mut aged: Vec<_> = dead_ends.filter_map(|path| Some((age(path)?, path))).collect();
    aged.sort();
    let is_over =
        |(at, (age, _)): &(usize, (Duration, &PathBuf))| *at >= DEAD_ENDS_MAX || *age > DEAD_END_AGE_MAX;
    for (_, (_, path)) in aged.into_iter().enumerate().filter(is_over) {
        // Where that fails the next start tries again.
        let _ = fs::remove_file(path);
    }
}

fn report_one(destination: &Destination, path: &Path) -> bool {
    let Some(file) = open(path) else { return false };
    // Another monitor that starts now has it.
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || !path.exists() {
        return false;
    }
    let Ok(input) = file.try_clone() else { return false };
    let reported = destination.report_of(None, input).is_ok();
    // Should the removal fail the report is made again, under the same event id.
    let _ = if reported { fs::remove_file(path) } else { fs::rename(path, refused(path)) };
    reported
}

/// Opens a plain file: a link could lead anywhere, and a pipe would keep us waiting.
fn open(path: &Path) -> Option<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

fn refused(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(REFUSED);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, days: u64) -> PathBuf {
        let path = folder.join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60)).unwrap();
        path
    }

    #[test]
    fn what_cannot_be_reported_is_not_kept_for_ever() {
        let state_dir = tempfile::tempdir().unwrap();
        let folder = state_dir.path().join("recorders");
        fs::create_dir(&folder).unwrap();
        let old = ["a.capture.refused", "b.recorder.refused", "c.part"].map(|name| write(&folder, name, 8));
        let young = write(&folder, "d.capture.refused", 6);
        let other = write(&folder, "notes", 99);
        let destination = Destination { state_dir: state_dir.path().into(), dsn: None };
        assert_eq!(report(&destination), 0);
        assert!(old.iter().all(|path| !path.exists()) && young.exists() && other.exists());
        for number in 0..40 {
            write(&folder, &format!("{number}.capture.refused"), 0);
        }
        report(&destination);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), DEAD_ENDS_MAX + 1);
        assert!(!young.exists(), "the newest are kept");
    }
}
