//! The role `check-database`: databases whole and broken, and nodes that write meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifeboat_monitor::check_database::{Checked, Verdict};
use rusqlite::Connection;

fn check(path: &Path) -> Checked {
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboat-monitor"))
        .arg("check-database")
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn whole() -> Checked {
    Checked { verdict: Verdict::Whole, detail: String::new() }
}

/// A node that waits for nobody: who keeps it from writing makes it fail.
fn database(folder: &Path, journal: &str) -> (PathBuf, Connection) {
    let path = folder.join(format!("{journal} 100%?#.db"));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", journal).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection
        .execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB); CREATE INDEX i ON t(body)")
        .unwrap();
    fill(&connection, 300);
    (path, connection)
}

fn fill(connection: &Connection, count: usize) {
    connection.execute_batch("BEGIN").unwrap();
    for _ in 0..count {
        connection.execute("INSERT INTO t(body) VALUES (randomblob(500))", []).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Names, sizes and checksums of all that lies beside a database.
fn contents(folder: &Path) -> Vec<(PathBuf, usize, u32)> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let look = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes.len(), crc32fast::hash(&bytes))
    };
    paths.into_iter().map(look).collect()
}

#[test]
fn whole_databases_are_whole_and_no_byte_of_them_changes() {
    for journal in ["delete", "truncate", "persist", "wal"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = database(folder.path(), journal);
        let before = contents(folder.path());
        assert_eq!(check(&path), whole(), "{journal}, open");
        assert_eq!(contents(folder.path()), before, "{journal}, open");
        drop(connection);
        let before = contents(folder.path());
        assert_eq!(check(&path), whole(), "{journal}, closed");
        assert_eq!(contents(folder.path()), before, "{journal}, closed");
    }
}

#[test]
fn what_a_dead_node_left_is_read_as_it_lies() {
    // A copy of database and log is what is left where nobody closed it.
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = database(folder.path(), "wal");
    let left = tempfile::tempdir().unwrap();
    let copy = left.path().join("a.db");
    for ending in ["", "-wal", "-shm"] {
        fs::copy(beside(&path, ending), beside(&copy, ending)).unwrap();
    }
    drop(connection);
    let before = contents(left.path());
    assert_eq!(check(&copy), whole());
    assert_eq!(contents(left.path()), before);
    fs::remove_file(beside(&copy, "-shm")).unwrap();
    assert_eq!(check(&copy).verdict, Verdict::Undecided, "nothing is recovered in its place");
    assert_eq!(contents(left.path()).len(), 2);
}

#[test]
fn flipped_bytes_are_found() {
    for journal in ["delete", "wal"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = database(folder.path(), journal);
        drop(connection);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[4096 + 8..4096 + 200].fill(0xa5);
        fs::write(&path, &damaged).unwrap();
        let checked = check(&path);
        assert!(checked.verdict == Verdict::Damaged && !checked.detail.is_empty(), "{journal}: {checked:?}");
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(check(&path).verdict, Verdict::Damaged, "{journal}, cut short");
    }
}

#[test]
fn what_is_no_database_is_not_called_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    assert_eq!(check(&path).verdict, Verdict::Undecided);
    fs::write(&path, "").unwrap();
    assert_eq!(check(&path).verdict, Verdict::Whole);
    fs::write(&path, [7; 8192]).unwrap();
    assert_eq!(check(&path).verdict, Verdict::Foreign);
    assert_eq!(check(folder.path()).verdict, Verdict::Undecided);
}

/// As often as a database is checked meanwhile.
#[test]
fn no_writer_is_turned_away_or_held_up() {
    for journal in ["delete", "wal"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = database(folder.path(), journal);
        connection.pragma_update(None, "synchronous", "off").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 100).unwrap();
        let is_done = AtomicBool::new(false);
        let (checks, log_bytes) = std::thread::scope(|scope| {
            let checks = scope.spawn(|| {
                let checks: Vec<_> = (0..3).map(|_| check(&path)).collect();
                is_done.store(true, Ordering::Relaxed);
                checks
            });
            let (mut writes, mut log_bytes) = (0, 0);
            while !is_done.load(Ordering::Relaxed) {
                // An error here is a write that the node would have lost.
                fill(&connection, 5);
                log_bytes = fs::metadata(beside(&path, "-wal")).map_or(0, |log| log.len()).max(log_bytes);
                writes += 1;
                if writes % 100 == 0 {
                    connection.execute_batch("DELETE FROM t WHERE id % 100 > 50").unwrap();
                }
            }
            (checks.join().unwrap(), log_bytes)
        });
        let verdicts: Vec<_> = checks.iter().map(|checked| checked.verdict).collect();
        // Without a write-ahead log it may find no moment in which nobody writes.
        let is_right = |verdict: &Verdict| match journal {
            "wal" => *verdict == Verdict::Whole,
            _ => matches!(verdict, Verdict::Whole | Verdict::Undecided),
        };
        assert!(verdicts.iter().all(is_right), "{journal}: {checks:?}");
        assert!(log_bytes < 16 << 20, "{log_bytes}");
    }
}

#[test]
fn a_transaction_that_goes_on_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, connection) = database(folder.path(), "delete");
    connection.pragma_update(None, "cache_size", 1).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE; UPDATE t SET body = randomblob(500)").unwrap();
    assert_eq!(check(&path).verdict, Verdict::Undecided, "half of it is written");
    connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(check(&path), whole());
}
