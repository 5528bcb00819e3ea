//! The spool keeps what it was given: whole, in one place, with nobody else's hand in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::*;

fn scratch() -> (tempfile::TempDir, Spool) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&dir.path().join("deep/state")).unwrap();
    (dir, spool)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn age(path: &Path, seconds: u64) {
    let when = SystemTime::now() - Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(when).unwrap();
}

fn ids(found: &[Stored]) -> Vec<u128> {
    found.iter().map(|stored| stored.event_id.as_u128()).collect()
}

#[test]
fn folders_and_files_are_private() {
    let (_dir, spool) = scratch();
    let path = spool.store(id(1), b"{}\n").unwrap();
    for folder in ["", "recorders", "spool", "sent", "set-aside"] {
        let mode = fs::metadata(spool.state_dir().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{folder}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(path.ends_with("spool/00000000000000000000000000000001.envelope"));
    assert_eq!(fs::read(path).unwrap(), b"{}\n");
    assert_eq!(fs::read_dir(spool.folder(State::Pending)).unwrap().count(), 1, "no partial stays");
}

#[test]
fn a_state_directory_that_others_may_write_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let error = Spool::open(dir.path()).unwrap_err();
    assert!(error.is_refused());
    let text = error.to_string();
    assert!(text.contains("chmod go-w") && text.contains(&dir.path().display().to_string()), "{text}");
}

#[test]
fn a_state_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(4242), None).unwrap();
    let error = Spool::open(dir.path()).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("belongs to user 4242"), "{error}");
}

#[test]
fn pending_is_oldest_first_and_passes_over_what_is_not_ours() {
    let (_dir, spool) = scratch();
    for (number, seconds) in [(7, 10), (3, 30), (5, 20)] {
        age(&spool.store(id(number), b"x").unwrap(), seconds);
    }
    let folder = spool.folder(State::Pending);
    let foreign = ["notes.txt", "x.envelope", ".hidden", "00000000-0000-0000-0000-000000000009.envelope"];
    for name in foreign {
        fs::write(folder.join(name), "foreign").unwrap();
    }
    let link = folder.join(file_name(id(8)));
    std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
    fs::create_dir(folder.join(file_name(id(9)))).unwrap();
    assert_eq!(ids(&spool.pending().unwrap()), [3, 5, 7]);
    let again = Spool::open(spool.state_dir()).unwrap();
    assert_eq!(ids(&again.pending().unwrap()), [3, 5, 7]);
    assert!(foreign.iter().all(|name| folder.join(name).exists()));
}

#[test]
fn a_report_moves_and_is_never_in_two_places() {
    let (_dir, spool) = scratch();
    let sent = spool.store(id(1), b"one").unwrap();
    let refused = spool.store(id(2), b"two").unwrap();
    spool.store(id(3), b"three").unwrap();
    spool.mark_sent(&sent).unwrap();
    spool.mark_sent(&sent).expect("a second process that says the same is no error");
    spool.set_aside(&refused, "400: no such project").unwrap();
    let mut all: Vec<_> =
        spool.list().unwrap().iter().map(|stored| (stored.event_id.as_u128(), stored.state.word())).collect();
    all.sort_unstable();
    assert_eq!(all, [(1, "sent"), (2, "set-aside"), (3, "pending")]);
    assert_eq!(ids(&spool.pending().unwrap()), [3], "the names in spool/ are gone");
    assert_eq!(spool.reason(id(2)).unwrap(), "400: no such project");
    assert_eq!(spool.reason(id(1)), None);
    assert!(spool.mark_sent(Path::new("/nowhere/0.envelope")).unwrap_err().is_missing());
}

#[test]
fn only_the_last_twenty_sent_are_kept() {
    let (_dir, spool) = scratch();
    for number in 0..25_u128 {
        let path = spool.store(id(number), b"x").unwrap();
        age(&path, 1000 - u64::try_from(number).unwrap());
        spool.mark_sent(&path).unwrap();
    }
    let kept = ids(&spool.list().unwrap());
    assert_eq!(kept, (5..25).collect::<Vec<u128>>());
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let (_dir, spool) = scratch();
    std::thread::scope(|scope| {
        for writer in 0..4_u128 {
            let spool = &spool;
            scope.spawn(move || {
                for number in 0..25_u128 {
                    // All write the same ids: the last one wins, and every file is whole.
                    spool.store(id(number), format!("{writer}").repeat(1000).as_bytes()).unwrap();
                }
            });
        }
    });
    let pending = spool.pending().unwrap();
    assert_eq!(pending.len(), 25);
    for stored in pending {
        let bytes = fs::read(stored.path).unwrap();
        assert!(bytes.len() == 1000 && bytes.iter().all(|byte| *byte == bytes[0]));
    }
}

#[test]
fn what_a_killed_writer_left_is_swept_when_old() {
    let (_dir, spool) = scratch();
    let fresh = spool.folder(State::Pending).join(".a.envelope.1.0.partial");
    let old = spool.folder(State::Pending).join(".b.envelope.1.0.partial");
    fs::write(&fresh, "half").unwrap();
    fs::write(&old, "half").unwrap();
    age(&old, 25 * 60 * 60);
    Spool::open(spool.state_dir()).unwrap();
    assert!(fresh.exists() && !old.exists());
    assert!(spool.pending().unwrap().is_empty());
}

#[test]
fn looking_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Spool::look(&dir.path().join("absent")).unwrap_err().is_missing());
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let (_dir, spool) = scratch();
    let path = spool.store(id(1), b"x").unwrap();
    spool.set_aside(&path, &"ä".repeat(3000)).unwrap();
    assert_eq!(spool.reason(id(1)).unwrap(), "ä".repeat(2048));
}
