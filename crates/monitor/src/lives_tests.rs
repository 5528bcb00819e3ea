//! Tests of the record of lives.

use super::*;

fn lives(state_dir: &Path, node: &str) -> Lives {
    crate::spool::Spool::open(state_dir).unwrap();
    Lives::new(state_dir, node)
}

fn told(event_id: &str, cause: &str, at_seconds: u64) -> Told {
    Told { event_id: event_id.into(), cause: cause.into(), at_seconds, ..Told::default() }
}

#[test]
fn a_crash_loop_leaves_a_small_file_that_counts_right() {
    let state_dir = tempfile::tempdir().unwrap();
    let lives = lives(state_dir.path(), "node-01");
    for number in 0..=100 {
        // Each is told more than once: by the thread that begins a life, and again before its death is reported.
        for _ in 0..3 {
            lives.start(number, 0).unwrap();
        }
        for _ in 0..2 {
            lives.death(&told(&number.to_string(), "signal", 1000 + number)).unwrap();
        }
    }
    lives.stop("requested").unwrap();
    lives.suppress(7).unwrap();
    let record = lives.read().unwrap();
    assert_eq!((record.life.restarts, record.life.deaths["signal"]), (100, 101));
    assert_eq!((record.life.last_deaths["signal"], record.life.stops["requested"]), (1100, 1));
    assert_eq!((record.suppressed, record.start(100).unwrap().restarts), (7, 100));
    let path = state_dir.path().join("nodes/node-01.json");
    let file = fs::metadata(&path).unwrap();
    assert!(file.len() < 4096, "{}", file.len());
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file) & 0o777, 0o600);
    assert_eq!(fs::read_dir(state_dir.path().join("nodes")).unwrap().count(), 2, "the file and the lock");
}

#[test]
fn a_process_beside_the_first_and_a_second_start_in_one_are_no_restarts() {
    let state_dir = tempfile::tempdir().unwrap();
    let lives = lives(state_dir.path(), "node");
    let ours = std::process::id();
    lives.start(1, ours).unwrap();
    lives.start(2, ours).unwrap();
    assert_eq!(lives.read().unwrap().life.restarts, 0);
    // The number is there again, but it is another process's.
    let text = fs::read_to_string(lives.path()).unwrap();
    fs::write(lives.path(), text.replace("\"ticks\":", "\"ticks\":9")).unwrap();
    lives.start(3, ours).unwrap();
    assert_eq!(lives.read().unwrap().life.restarts, 1);
}

#[test]
fn a_death_that_is_told_late_is_not_the_last() {
    let state_dir = tempfile::tempdir().unwrap();
    let lives = lives(state_dir.path(), "node");
    lives.death(&told("b", "killed", 200)).unwrap();
    lives.death(&told("a", "killed", 100)).unwrap();
    assert_eq!(
        (lives.read().unwrap().life.deaths["killed"], lives.read().unwrap().life.last_deaths["killed"]),
        (2, 200)
    );
}

#[test]
fn what_cannot_be_read_is_set_aside_and_nothing_of_it_lost() {
    let whole = br#"{"version":1,"record":{"node":"a","life":{"restarts":3,"deaths":{},"last_deaths":{},"stops":{}},"suppressed":0,"starts":[],"counted":[]}}"#;
    let newer = String::from_utf8_lossy(whole).replace(":1,", ":2,");
    for text in [b"".as_slice(), b"{", b"\xff\xfe", &whole[..60], newer.as_bytes()] {
        let state_dir = tempfile::tempdir().unwrap();
        let lives = lives(state_dir.path(), "a");
        fs::write(lives.path(), text).unwrap();
        assert!(lives.read().is_err(), "what cannot be read is not 0");
        lives.start(5, 0).unwrap();
        assert_eq!(lives.read().unwrap().starts.len(), 1);
        let entries = fs::read_dir(state_dir.path().join("nodes")).unwrap().flatten();
        let aside =
            entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("a.json.corrupt-"));
        assert_eq!(fs::read(aside.unwrap()).unwrap(), text);
    }
    let state_dir = tempfile::tempdir().unwrap();
    let lives = lives(state_dir.path(), "a");
    fs::write(lives.path(), whole).unwrap();
    lives.start(5, 0).unwrap();
    assert_eq!(lives.read().unwrap().life.restarts, 3, "there is no life before that it knows of");
}

#[test]
fn no_name_leads_elsewhere_and_no_two_share_a_file() {
    let long = "n".repeat(300);
    let longer = "n".repeat(301);
    let names = [
        "", ".", "..", "../x", "x", "/x", "x\0", "x ", "X", "é", "x~y", ".lock", "lock", &long, &longer,
        "a/b", "a\\b", "ab",
    ];
    let mut stems: Vec<_> = names.iter().map(|name| file_stem(name)).collect();
    for stem in &stems {
        assert!(stem.len() <= NAME_BYTES_MAX && !stem.starts_with('.') && !stem.is_empty(), "{stem:?}");
        assert!(stem.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'), "{stem:?}");
    }
    stems.sort();
    stems.dedup();
    assert_eq!(stems.len(), names.len());
    assert_eq!(file_stem("node-01.do-ams3.waku.sandbox"), "node-01.do-ams3.waku.sandbox");
    let state_dir = tempfile::tempdir().unwrap();
    for name in names {
        lives(state_dir.path(), name).start(1, 0).unwrap();
    }
    assert_eq!(fs::read_dir(state_dir.path().join("nodes")).unwrap().count(), names.len() + 1);
}

#[test]
fn many_monitors_write_at_once() {
    let state_dir = tempfile::tempdir().unwrap();
    let lives = lives(state_dir.path(), "node");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| lives.stop("clean").unwrap()));
        }
    });
    assert_eq!(lives.read().unwrap().life.stops["clean"], 160);
}
