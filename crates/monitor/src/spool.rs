//! The reports on disk: `spool/` holds what is to be sent, `sent/` the last few that were, `set-aside/` what a
//! server refused for good. A report is one file and moves by rename, so that it is in exactly one place
//! whenever a process dies, and several processes may work here at once. Sending is `post`'s job.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};
use uuid::Uuid;

use crate::error::Error;

/// How many delivered reports are kept.
pub const SENT_MAX: usize = 20;
/// A file that a killed process left half written is swept away when it is this old.
const PARTIAL_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const REASON_BYTES_MAX: usize = 4 * 1024;
const EXTENSION: &str = "envelope";
const PARTIAL: &str = ".partial";

/// Where a report stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It waits to be sent.
    Pending,
    /// A server took it.
    Sent,
    /// A server refused it for good, or it cannot be read.
    SetAside,
}

impl State {
    /// The word that users read and scripts match.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::SetAside => "set-aside",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Pending => "spool",
            Self::Sent => "sent",
            Self::SetAside => "set-aside",
        }
    }
}

/// One report on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its file.
    pub path: PathBuf,
    /// The event it holds, from the file's name.
    pub event_id: Uuid,
    /// Where it stands.
    pub state: State,
    /// When it was written.
    pub stored_at: SystemTime,
}

/// The state directory and its folders.
#[derive(Clone, Debug)]
pub struct Spool {
    state_dir: PathBuf,
}

impl Spool {
    /// Makes the state directory ready: it and its folders exist, mode 0700, and nobody else can write there.
    ///
    /// # Errors
    /// `is_refused()` where others may write the directory or it belongs to neither this user nor root.
    pub fn open(state_dir: &Path) -> Result<Self, Error> {
        make_dir(state_dir, true)?;
        refuse_unsafe(state_dir)?;
        for folder in ["recorders", "spool", "sent", "nodes", "set-aside"] {
            let path = state_dir.join(folder);
            make_dir(&path, false)?;
            refuse_unsafe(&path)?;
        }
        let spool = Self { state_dir: state_dir.to_path_buf() };
        spool.sweep_partials();
        Ok(spool)
    }

    /// Looks at a state directory without changing anything, whoever it belongs to: for readers.
    ///
    /// # Errors
    /// `is_missing()` where there is none.
    pub fn look(state_dir: &Path) -> Result<Self, Error> {
        let spool = Self { state_dir: state_dir.to_path_buf() };
        let folder = spool.folder(State::Pending);
        fs::read_dir(&folder).map_err(|error| Error::at("cannot read", &folder, error))?;
        Ok(spool)
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The folder that holds the reports of one state.
    #[must_use]
    pub fn folder(&self, state: State) -> PathBuf {
        self.state_dir.join(state.folder())
    }

    /// Writes one report so that it is on disk, whole, when this returns. The same id replaces its file.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub fn store(&self, event_id: Uuid, envelope: &[u8]) -> Result<PathBuf, Error> {
        let folder = self.folder(State::Pending);
        let path = folder.join(file_name(event_id));
        write_whole(&folder, &path, envelope)?;
        Ok(path)
    }

    /// What waits to be sent, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn pending(&self) -> Result<Vec<Stored>, Error> {
        self.list_state(State::Pending)
    }

    /// Every report, oldest first.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn list(&self) -> Result<Vec<Stored>, Error> {
        let mut all = Vec::new();
        // In the direction that reports move: one that moves meanwhile is seen twice rather than not at all.
        for state in [State::Pending, State::Sent, State::SetAside] {
            all.extend(self.list_state(state)?);
        }
        all.sort_by_key(|stored| (stored.event_id, std::cmp::Reverse(stored.state)));
        all.dedup_by_key(|stored| stored.event_id);
        sort_by_age(&mut all);
        Ok(all)
    }

    /// A server took this report: keeps it among the last [`SENT_MAX`].
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn mark_sent(&self, path: &Path) -> Result<(), Error> {
        self.move_to(path, State::Sent)?;
        let sent = self.list_state(State::Sent)?;
        let surplus = sent.len().saturating_sub(SENT_MAX);
        for stored in sent.iter().take(surplus) {
            ignore_missing(fs::remove_file(&stored.path), "cannot remove", &stored.path)?;
        }
        Ok(())
    }

    /// This report will never be taken: keeps it, with the reason beside it.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&self, path: &Path, reason: &str) -> Result<(), Error> {
        let folder = self.folder(State::SetAside);
        if let Some(stem) = path.file_stem() {
            let beside = folder.join(stem).with_extension("reason");
            write_whole(&folder, &beside, cut(reason, REASON_BYTES_MAX).as_bytes())?;
        }
        self.move_to(path, State::SetAside)
    }

    /// Why this report was set aside, as it was written down.
    #[must_use]
    pub fn reason(&self, event_id: Uuid) -> Option<String> {
        let path = self.folder(State::SetAside).join(file_name(event_id)).with_extension("reason");
        let bytes = crate::envelope::read_bounded(&path, REASON_BYTES_MAX as u64).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn list_state(&self, state: State) -> Result<Vec<Stored>, Error> {
        let folder = self.folder(state);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::at("cannot read", &folder, error)),
        };
        let mut found: Vec<Stored> =
            entries.flatten().filter_map(|entry| stored_from(&entry.path(), state)).collect();
        sort_by_age(&mut found);
        Ok(found)
    }

    fn move_to(&self, path: &Path, state: State) -> Result<(), Error> {
        let Some(name) = path.file_name() else {
            return Err(Error::usage(format!("{} is not a report", path.display())));
        };
        let folder = self.folder(state);
        let target = folder.join(name);
        if let Err(error) = fs::rename(path, &target) {
            // Another process that works here may have moved it already.
            let moved = error.kind() == io::ErrorKind::NotFound && target.exists();
            return if moved { Ok(()) } else { Err(Error::at("cannot move", path, error)) };
        }
        // The new name first: a power cut in between leaves two names, never none.
        sync_dir(&folder)?;
        path.parent().map_or(Ok(()), sync_dir)
    }

    fn sweep_partials(&self) {
        for state in [State::Pending, State::SetAside] {
            let Ok(entries) = fs::read_dir(self.folder(state)) else { continue };
            for entry in entries.flatten().filter(is_old_partial) {
                // Best effort: a partial that stays costs its bytes and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn make_dir(path: &Path, with_parents: bool) -> Result<(), Error> {
    let result = fs::DirBuilder::new().recursive(with_parents).mode(0o700).create(path);
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::at(
            "cannot create (set LIFEBOAT_STATE_DIR to a folder this user can write)",
            path,
            error,
        )),
        Ok(()) => Ok(()),
    }
}

fn refuse_unsafe(path: &Path) -> Result<(), Error> {
    let metadata = fs::metadata(path).map_err(|error| Error::at("cannot look at", path, error))?;
    let place = path.display();
    if !metadata.is_dir() {
        return Err(Error::refused(format!("{place} is not a folder: remove it or set LIFEBOAT_STATE_DIR")));
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        let owner = metadata.uid();
        return Err(Error::refused(format!(
            "{place} belongs to user {owner}, not to user {user} or root: chown it or set LIFEBOAT_STATE_DIR"
        )));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(Error::refused(format!(
            "{place} may be written by others (mode {mode:04o}): chmod go-w {place}"
        )));
    }
    Ok(())
}

/// Writes beside the target, syncs, renames, syncs the folder: the name stands for the whole or for nothing.
pub(crate) fn write_whole(folder: &Path, target: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = partial_path(folder, target);
    let result = write_synced(&partial, bytes)
        .and_then(|()| fs::rename(&partial, target))
        .map_err(|error| Error::at("cannot write", target, error));
    if result.is_err() {
        // The name is this process's own; what is left of a full disk is given back.
        let _ = fs::remove_file(&partial);
    }
    result?;
    sync_dir(folder)
}

fn partial_path(folder: &Path, target: &Path) -> PathBuf {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    folder.join(format!(".{name}.{}.{serial}{PARTIAL}", std::process::id()))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| Error::at("cannot sync", path, error))
}

fn file_name(event_id: Uuid) -> String {
    format!("{}.{EXTENSION}", event_id.simple())
}

/// A report of ours by its exact name, and a plain file; anything else in the folder is somebody else's.
fn stored_from(path: &Path, state: State) -> Option<Stored> {
    let name = path.file_name()?.to_str()?;
    let event_id = Uuid::try_parse(name.strip_suffix(EXTENSION)?.strip_suffix('.')?).ok()?;
    if file_name(event_id) != name {
        return None;
    }
    let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let stored_at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some(Stored { path: path.to_path_buf(), event_id, state, stored_at })
}

fn sort_by_age(found: &mut [Stored]) {
    found.sort_by_key(|stored| (stored.stored_at, stored.event_id));
}

fn is_old_partial(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let ours = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(PARTIAL));
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok()).unwrap_or_default();
    ours && age > PARTIAL_AGE_MAX
}

fn ignore_missing(result: io::Result<()>, action: &str, path: &Path) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::at(action, path, error)),
        _ => Ok(()),
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
