//! A node's metrics as they are in memory: the page that its monitor would serve, and what they take.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::ptr::NonNull;

use lifeboat_recorder::metrics::{Exposed, Format, MetricsSnapshot, Source, expose};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The metrics of one node, mapped read-only. They stay readable when the node and its monitor are gone.
#[derive(Debug)]
pub struct Memory {
    file: File,
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is only read, by whole words, and belongs to no thread.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// The memory that a process holds a descriptor of: the monitor of the node.
    ///
    /// # Errors
    /// Where there is none, or it may not be read.
    pub fn of(monitor: u32) -> io::Result<Self> {
        for entry in fs::read_dir(format!("/proc/{monitor}/fd"))?.flatten() {
            let link = fs::read_link(entry.path()).unwrap_or_default();
            if link.to_string_lossy().starts_with("/memfd:lifeboat") && is_metrics(&entry.path()) {
                return Self::map(File::open(entry.path())?);
            }
        }
        Err(io::Error::other(format!("process {monitor} holds no metrics")))
    }

    /// The memory of this node, by whichever process of this machine watches it.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn of_node(node: u32) -> io::Result<Self> {
        let pids =
            fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let watcher = pids.into_iter().find(|pid| watches(*pid, node));
        Self::of(watcher.ok_or_else(|| io::Error::other(format!("nobody watches process {node}")))?)
    }

    fn map(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len() as usize;
        // SAFETY: a new mapping, of a file that nobody can shrink.
        let base =
            unsafe { mmap(std::ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, file.as_fd(), 0) }?;
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at null"))?;
        Ok(Self { file, base, bytes })
    }

    /// Writes the page.
    pub fn expose(&self, format: Format, sink: &mut dyn FnMut(&[u8]) -> bool) -> Exposed {
        // SAFETY: the mapping is aligned, so long, and lives as long as `self`.
        let source = unsafe { Source::new(self.base, self.bytes, b"") };
        source.map(|source| expose(&[source], format, sink)).unwrap_or_default()
    }

    /// What its head says; nothing where it is none.
    #[must_use]
    pub fn snapshot(&self) -> Option<MetricsSnapshot> {
        // SAFETY: as in `expose`.
        let source = unsafe { Source::new(self.base, self.bytes, b"") };
        source.map(|source| *source.snapshot())
    }

    /// The samples of the page, by name and labels.
    #[must_use]
    pub fn samples(&self) -> BTreeMap<String, f64> {
        let mut page = Vec::new();
        self.expose(Format::Text, &mut |piece| {
            page.extend_from_slice(piece);
            true
        });
        let page = String::from_utf8_lossy(&page);
        let samples = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        samples.collect()
    }

    /// How much of it takes room, bytes.
    ///
    /// # Errors
    /// Where the file cannot be asked.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.blocks() * 512)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours");
    }
}

fn is_metrics(path: &Path) -> bool {
    let mut magic = [0; 8];
    File::open(path).is_ok_and(|file| file.read_exact_at(&mut magic, 0).is_ok()) && &magic == b"LIFEMETR"
}

/// Whether it holds a descriptor of that process.
fn watches(process: u32, node: u32) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/fdinfo")) else { return false };
    let of_node = format!("Pid:\t{node}");
    entries.flatten().any(|entry| {
        fs::read_to_string(entry.path()).is_ok_and(|info| info.lines().any(|line| line == of_node))
    })
}
