//! Captures that another monitor, or a node without one, left behind: each becomes a report.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::roles::Destination;

/// What captures are called: a whole one by a monitor, a bare recorder by a dying node.
const ENDINGS: [&str; 2] = ["capture", "recorder"];
/// A file that cannot be made a report keeps its name with this added, and is not tried again.
const REFUSED: &str = "refused";

/// Makes reports of all that lies there; answers how many.
pub(crate) fn report(destination: &Destination) -> usize {
    let Ok(entries) = fs::read_dir(destination.state_dir.join("recorders")) else { return 0 };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path)).collect();
    paths.sort();
    paths.iter().filter(|path| report_one(destination, path)).count()
}

fn is_ours(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

fn report_one(destination: &Destination, path: &Path) -> bool {
    let Some(file) = open(path) else { return false };
    // Another monitor that starts now has it.
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || !path.exists() {
        return false;
    }
    let Ok(input) = file.try_clone() else { return false };
    let reported = destination.report_of(input).is_ok();
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
