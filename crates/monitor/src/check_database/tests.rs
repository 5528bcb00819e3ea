//! Tests of what the check decides by itself; the rest is tested with a process of its own, in `tests/check_database.rs`:
//! two connections in one process share what two processes do not.

use std::sync::Arc;

use rusqlite::Connection;

use super::*;

#[test]
fn a_reader_gives_up_when_time_is_over_or_the_log_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    let rows = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 60000)";
    connection
        .execute_batch(&format!("CREATE TABLE t(body); INSERT INTO t {rows} SELECT randomblob(500) FROM c"))
        .unwrap();
    let tight = Limits { time: Duration::ZERO, log_growth_bytes: u64::MAX };
    let checked = read::quick_check(&path, "mode=ro&readonly_shm=1", tight);
    assert!(checked.verdict == Verdict::Undecided && checked.detail.contains("too long"), "{checked:?}");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    // What another connection writes meanwhile is seen at the next look.
    let (stopped, tight) = (Arc::default(), Limits { time: Duration::MAX, log_growth_bytes: 4096 });
    let reader = Connection::open(&path).unwrap();
    read::watch_limits(&reader, &path, tight, Arc::clone(&stopped)).unwrap();
    let count = || reader.query_row("SELECT count(length(body)) FROM t", [], |row| row.get::<_, i64>(0));
    assert_eq!(count().unwrap(), 60_000);
    connection.execute_batch("UPDATE t SET body = randomblob(400)").unwrap();
    std::thread::sleep(read::BETWEEN_LOOKS);
    assert!(count().is_err() && stopped.load(std::sync::atomic::Ordering::Relaxed) == read::BY_GROWTH);
}

#[test]
fn only_what_it_may_say_is_taken_over() {
    let line = br#"{"verdict":"damaged","detail":"row 1\u001b missing"}"#;
    let expected = Checked::new(Verdict::Damaged, "row 1  missing");
    assert_eq!(Checked::from_output(line), Some(expected));
    for line in [b"".as_slice(), b"{}", br#"{"verdict":"good","detail":""}"#, b"\xff"] {
        assert_eq!(Checked::from_output(line), None);
    }
}
