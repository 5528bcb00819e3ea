//! The state directory: can it be made, written and synced, and is there room?

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use lifeboat_monitor::spool::Spool;

use crate::doctor::Finding;

const CHECK: &str = "state";
/// Enough for a thousand reports.
const ROOM_MIN: u64 = 64 * 1024 * 1024;

pub(super) fn check(state_dir: &Path) -> Finding {
    let place = state_dir.display();
    if !state_dir.is_absolute() {
        return Finding::failed(
            CHECK,
            format!("{place} is not absolute"),
            "write LIFEBOAT_STATE_DIR from the root on",
        );
    }
    let remedy = "set LIFEBOAT_STATE_DIR to a folder that this user can write; in a container, a volume";
    if let Err(error) = Spool::open(state_dir) {
        return Finding::failed(CHECK, error.to_string(), if error.is_refused() { "" } else { remedy });
    }
    if let Err(error) = write_and_sync(state_dir) {
        return Finding::failed(CHECK, format!("{place} cannot be written and synced: {error}"), remedy);
    }
    let mode =
        fs::metadata(state_dir).map(|metadata| metadata.permissions().mode() & 0o7777).unwrap_or_default();
    if mode & 0o077 != 0 {
        return Finding::warning(
            CHECK,
            format!("{place} may be read by others (mode {mode:04o})"),
            format!("chmod 700 {place}"),
        );
    }
    match rustix::fs::statvfs(state_dir).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize)) {
        Ok(free) if free < ROOM_MIN => Finding::warning(
            CHECK,
            format!("{place} has {} MiB left", free >> 20),
            "make room: 64 MiB hold the spool",
        ),
        Ok(free) => {
            Finding::fine(CHECK, format!("{place}, mode {mode:04o}, synced, {} MiB free", free >> 20))
        }
        Err(_) => Finding::fine(CHECK, format!("{place}, mode {mode:04o}, synced")),
    }
}

fn write_and_sync(state_dir: &Path) -> io::Result<()> {
    let path = state_dir.join(format!(".doctor.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let written = file.write_all(b"lifeboat doctor\n").and_then(|()| file.sync_all());
    let removed = fs::remove_file(&path);
    written.and(removed)
}
