//! SQLite's own check, within limits.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::file::beside;
use super::{Checked, Verdict};

/// How long it waits for a lock of somebody else.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);
/// Between two looks at clock and log: so many of SQLite's steps, each of which may read a page; and so much time.
const STEPS: i32 = 100;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// When to give up.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) log_growth_bytes: u64,
}

const BY_TIME: u8 = 1;
pub(super) const BY_GROWTH: u8 = 2;

/// Opens the database with these words of SQLite's URIs and checks it.
pub(super) fn quick_check(path: &Path, how: &str, limits: Limits) -> Checked {
    let stopped = Arc::new(AtomicU8::new(0));
    let outcome = open(path, how).and_then(|connection| {
        watch_limits(&connection, path, limits, Arc::clone(&stopped))?;
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match outcome {
        Ok(said) if said == "ok" => Checked::new(Verdict::Whole, ""),
        Ok(complaint) => Checked::new(Verdict::Damaged, complaint),
        Err(error) => judge(&error, stopped.load(Ordering::Relaxed)),
    }
}

fn open(path: &Path, how: &str) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{}?{how}", escaped(path)), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // The schema is as little trusted as the pages.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch(
        "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048; PRAGMA mmap_size=0;",
    )?;
    Ok(connection)
}

pub(super) fn watch_limits(
    connection: &Connection,
    path: &Path,
    limits: Limits,
    stopped: Arc<AtomicU8>,
) -> rusqlite::Result<()> {
    let log = beside(path, "-wal");
    let log_bytes = move || fs::metadata(&log).map_or(0, |log| log.len());
    let (from, log_before) = (Instant::now(), log_bytes());
    let mut looked: Option<Instant> = None;
    let is_over = move || {
        if looked.is_some_and(|looked| looked.elapsed() < BETWEEN_LOOKS) {
            return false;
        }
        looked = Some(Instant::now());
        let why = match () {
            () if from.elapsed() >= limits.time => BY_TIME,
            () if log_bytes().saturating_sub(log_before) > limits.log_growth_bytes => BY_GROWTH,
            () => return false,
        };
        stopped.store(why, Ordering::Relaxed);
        true
    };
    connection.progress_handler(STEPS, Some(is_over));
    Ok(())
}

fn judge(error: &rusqlite::Error, stopped: u8) -> Checked {
    let why = match (stopped, error.sqlite_error_code()) {
        (BY_TIME, _) => "it took too long, and was given up".to_owned(),
        (BY_GROWTH, _) => "its log grew too fast meanwhile: the check was given up".to_owned(),
        (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
            return Checked::new(Verdict::Damaged, error.to_string());
        }
        (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => "it was locked".to_owned(),
        (_, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {
            "its log waits for somebody who may write".to_owned()
        }
        _ => error.to_string(),
    };
    Checked::undecided(why)
}

/// A path in a URI of SQLite's. See <https://www.sqlite.org/uri.html>.
fn escaped(path: &Path) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let byte = |byte: &u8| {
        if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
    };
    path.as_os_str().as_bytes().iter().map(byte).collect()
}
