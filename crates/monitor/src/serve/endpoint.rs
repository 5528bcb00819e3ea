//! Where a node's metrics and health are served, for whoever looks for them: one small file in the state directory for
//! each `serve`, locked as long as that one works.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::lock::{self, Firmness, Lock, Role};

use super::kin;

/// The folder of the state directory.
pub(super) const FOLDER: &str = "serve";
const ENDING: &str = "json";
/// More than any of ours needs.
const BYTES_MAX: u64 = 16 * 1024;
/// How often a file is read that is just being written.
const READS_MAX: usize = 5;
/// A file that is so old and that nobody locks is a leftover.
const UNLOCKED_AGE_MAX: Duration = Duration::from_secs(10);

/// What one `serve` says of itself: the contents of `serve/NODE_PID-STARTED.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The node's process id.
    pub node_pid: u32,
    /// The node's name in its fleet; empty where it has none.
    #[serde(default)]
    pub node: String,
    /// The program's name.
    #[serde(default)]
    pub app: String,
    /// The process that serves.
    pub serve_pid: u32,
    /// Where, as `127.0.0.1:9464`; nothing as long as the address cannot be had.
    #[serde(default)]
    pub address: Option<String>,
    /// What `LIFEBOAT_METRICS` asked for.
    #[serde(default)]
    pub wanted: String,
    /// Whether the node has ended, and only its death is told yet.
    #[serde(default)]
    pub has_ended: bool,
    /// Why nothing is served, or not all; empty where all is well.
    #[serde(default)]
    pub error: String,
}

impl Endpoint {
    /// Every `serve` that is at work in this state directory, the last one to start first.
    #[must_use]
    pub fn all(state_dir: &Path) -> Vec<Self> {
        let mut found: Vec<_> =
            files(state_dir).iter().filter_map(|path| Some((started(path), living(path)?))).collect();
        found.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        found.into_iter().map(|(_, endpoint)| endpoint).collect()
    }
}

/// Our own file.
#[derive(Debug)]
pub(super) struct Sheet {
    lock: Lock,
    path: PathBuf,
    said: Endpoint,
}

impl Sheet {
    /// Makes it, and sweeps away those whose writers were killed.
    pub(super) fn make(state_dir: &Path, endpoint: Endpoint) -> Result<Self, Error> {
        let folder = state_dir.join(FOLDER);
        match fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder) {
            Ok(()) => {}
            Err(error) => return Err(Error::at("cannot make", &folder, error)),
        }
        for path in files(state_dir) {
            if File::open(&path).is_ok_and(|file| is_settled(&file) && !lock::is_held(&file)) {
                // Another one may have been quicker.
                let _ = fs::remove_file(path);
            }
        }
        let path = Self::create(&folder, endpoint.node_pid)?;
        let Some(lock) = Lock::acquire(path.clone(), Role::Serve, false)? else {
            return Err(Error::refused(format!("{} is locked by somebody else", path.display())));
        };
        let mut sheet = Self { lock, path, said: Endpoint::default() };
        sheet.write(endpoint)?;
        Ok(sheet)
    }

    /// Several containers may share the directory, and each has a process 1.
    fn create(folder: &Path, node_pid: u32) -> Result<PathBuf, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let mut started = now.as_millis();
        loop {
            let path = folder.join(format!("{node_pid}-{started}.{ENDING}"));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => started += 1,
                Err(error) => return Err(Error::at("cannot make", &path, error)),
            }
        }
    }

    /// Whether it has gone, as with the whole state directory.
    pub(super) fn is_removed(&self) -> bool {
        self.lock.is_removed()
    }

    /// Asks those who serve in the same place to leave: at once where their node has ended; when it does, where ours is its
    /// next life. Whoever else lives there keeps the address for what there is to tell: a helper of a node inherits the
    /// node's environment, and would hide its death. Whether it is that of a node that ours descends from.
    pub(super) fn take_over(&self, state_dir: &Path) -> bool {
        let ancestors = kin::ancestors(self.said.node_pid);
        let mut is_an_ancestors = false;
        for path in files(state_dir).into_iter().filter(|path| *path != self.path) {
            let Some(other) = living(&path).filter(|other| other.wanted == self.said.wanted) else {
                continue;
            };
            is_an_ancestors |= ancestors.contains(&other.node_pid) && !other.wanted.ends_with(":0");
            let Some(firmness) = self.firmness(&other, &ancestors) else { continue };
            if let Ok(lock) = Lock::look(&path, Role::Serve) {
                let _ = lock.ask_holder_to_leave(firmness);
            }
        }
        is_an_ancestors
    }

    fn firmness(&self, other: &Endpoint, ancestors: &[u32]) -> Option<Firmness> {
        if other.wanted.is_empty() {
            return None;
        }
        // Its `serve` may not have seen it yet.
        if other.has_ended || kin::has_ended(other.node_pid) {
            return Some(Firmness::Insist);
        }
        // Two programs without a name are not one node; of two nodes that want any free port each has its own.
        let is_same =
            !other.node.is_empty() && (&other.node, &other.app) == (&self.said.node, &self.said.app);
        let is_succeeded = is_same && !ancestors.contains(&other.node_pid) && !other.wanted.ends_with(":0");
        is_succeeded.then_some(Firmness::Ask)
    }

    /// Says this instead.
    pub(super) fn write(&mut self, said: Endpoint) -> Result<(), Error> {
        self.said = said;
        let text = serde_json::to_string(&self.said).unwrap_or_default();
        self.lock.write(format!("{text}\n").as_bytes())
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        // What stays is swept away by the next one.
        let _ = fs::remove_file(&self.path);
    }
}

fn files(state_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state_dir.join(FOLDER)).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect()
}

/// Whether its writer has locked it by now, or had the time to: it writes nothing before.
fn is_settled(file: &File) -> bool {
    let Ok(about) = file.metadata() else { return false };
    let age = about.modified().ok().and_then(|at| at.elapsed().ok());
    about.len() > 0 || age.is_some_and(|age| age > UNLOCKED_AGE_MAX)
}

/// The second number of the file's name.
fn started(path: &Path) -> u128 {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What a file says whose writer lives.
fn living(path: &Path) -> Option<Endpoint> {
    for _ in 0..READS_MAX {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .ok()?;
        if !lock::is_held(&file) {
            return None;
        }
        let mut text = String::new();
        let read = file.take(BYTES_MAX).read_to_string(&mut text);
        if read.is_ok()
            && let Ok(endpoint) = serde_json::from_str(&text)
        {
            return Some(endpoint);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}
