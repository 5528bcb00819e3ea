//! Writes reports into the spool by the rules of the monitor's own (`crates/monitor/src/spool.rs`): mode 0600, under
//! another name until all of it is synced, in folders that nobody else may write.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// An error that repeats fills no disk.
const REPORTS_MAX: usize = 1_000;
const OTHERS_WRITE: u32 = 0o022;

/// The state directory, and the folder of it that is written.
#[derive(Debug)]
pub(super) struct Spool {
    state_dir: PathBuf,
}

impl Spool {
    /// The spool of the environment's state directory, of `option`, or of where reports are kept by default.
    pub(super) fn of(option: Option<PathBuf>) -> Option<Self> {
        let set = |name| std::env::var_os(name).filter(|text: &OsString| !text.is_empty()).map(PathBuf::from);
        let own = || match user() {
            0 => Some(PathBuf::from("/var/lib/lifeboat")),
            _ => set("XDG_STATE_HOME")
                .or_else(|| Some(set("HOME")?.join(".local/state")))
                .map(|folder| folder.join("lifeboat")),
        };
        let state_dir = set("LIFEBOAT_STATE_DIR").or(option).or_else(own)?;
        state_dir.is_absolute().then_some(Self { state_dir })
    }

    /// Writes one report so that it is on disk, whole, when this returns.
    pub(super) fn store(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let folder = self.ready()?;
        if fs::read_dir(&folder)?.count() >= REPORTS_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let partial = folder.join(format!(".{name}.{}.sdk{serial}.partial", std::process::id()));
        let written = write_synced(&partial, bytes).and_then(|()| fs::rename(&partial, folder.join(name)));
        if written.is_err() {
            // The name is this process's own; what is left of a full disk is given back.
            let _ = fs::remove_file(&partial);
        }
        written?;
        File::open(&folder)?.sync_all()
    }

    /// Makes the folders, or makes sure of them.
    fn ready(&self) -> io::Result<PathBuf> {
        let folder = self.state_dir.join("spool");
        for path in [&self.state_dir, &folder] {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            refuse_unsafe(path)?;
        }
        Ok(folder)
    }
}

fn refuse_unsafe(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    let is_ours = found.uid() == 0 || found.uid() == user();
    if found.is_dir() && is_ours && found.mode() & OTHERS_WRITE == 0 {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The user whose rights count.
fn user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
