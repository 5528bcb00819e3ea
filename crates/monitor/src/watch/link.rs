//! The monitor's end of the flight recorder: the same memory, mapped, and copies of it to read.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lifeboat_recorder::{
    Control, Death, DeathStage, Health, MAPS_BYTES, MonitorState, RECORDER_BYTES, Recorder, Snapshot,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{SealFlags, fcntl_get_seals};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::futex;

use crate::metrics::Metrics;
use crate::{Error, MetricValue};

use super::serving::Shown;

/// Where the reporter put them.
const RECORDER_FD: i32 = 3;
const PID_FD: i32 = 4;
const METRICS_FD: i32 = 5;

/// Header, control block and settings come first: a reader needs no more to know whom it serves.
pub(crate) const SETTINGS_BYTES: usize = 32 * 1024;

/// What connects a monitor to its node.
pub(crate) struct Link {
    recorder: Recorder,
    file: File,
    pidfd: OwnedFd,
    pid: u32,
    /// What the node counts into; an older reporter leaves none.
    metrics: Option<Metrics>,
    module: OnceLock<String>,
}

// SAFETY: the recorder is memory that lives as long as this does, reached through atomics alone.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

impl Link {
    /// Takes the descriptors that the reporter left.
    ///
    /// # Errors
    /// Where they are not there, or the recorder is of another size or version.
    pub(crate) fn inherited() -> Result<Self, Error> {
        let file = File::from(inherited(RECORDER_FD)?);
        let pidfd = inherited(PID_FD)?;
        let metrics = inherited(METRICS_FD).ok().map(|fd| Metrics::new(File::from(fd)));
        Self::new(file, pidfd, metrics)
    }

    /// Takes the descriptors that another monitor handed over.
    ///
    /// # Errors
    /// As above, and where the recorder could be made smaller behind our back.
    pub(crate) fn handed_over(
        recorder: OwnedFd,
        pidfd: OwnedFd,
        metrics: Option<OwnedFd>,
    ) -> Result<Self, Error> {
        if !is_sealed(&recorder) || metrics.as_ref().is_some_and(|metrics| !is_sealed(metrics)) {
            return Err(Error::malformed("what was handed over is not sealed"));
        }
        Self::new(File::from(recorder), pidfd, metrics.map(|fd| Metrics::new(File::from(fd))))
    }

    /// Of a recorder that this process wrote itself, for a program that carries nothing of ours.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn of_own(recorder: &File, pidfd: &OwnedFd) -> Result<Self, Error> {
        let failed = |error| Error::system("cannot share the recorder", error);
        Self::new(recorder.try_clone().map_err(failed)?, pidfd.try_clone().map_err(failed)?, None)
    }

    fn new(file: File, pidfd: OwnedFd, metrics: Option<Metrics>) -> Result<Self, Error> {
        let bytes =
            file.metadata().map_err(|error| Error::system("cannot look at the recorder", error))?.len();
        if bytes != RECORDER_BYTES as u64 {
            return Err(Error::malformed(format!(
                "the recorder has {bytes} bytes, this monitor knows {RECORDER_BYTES}: use a monitor of the reporter's version"
            )));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place that nothing of ours uses; the size is sealed by the reporter.
        let mapped =
            unsafe { mmap(std::ptr::null_mut(), RECORDER_BYTES, protection, MapFlags::SHARED, &file, 0) };
        let mapped = mapped.map_err(|error| Error::system("cannot map the recorder", error))?;
        let base =
            NonNull::new(mapped.cast()).ok_or_else(|| Error::malformed("the recorder was mapped nowhere"))?;
        // SAFETY: the mapping is whole, laid out by the reporter, and stays until this is dropped, which lends no
        // reference for longer; only atomics are used of it.
        let recorder = unsafe { Recorder::at(base) };
        let link = Self { recorder, file, pid: pid_of(&pidfd)?, pidfd, metrics, module: OnceLock::new() };
        Snapshot::read(&link.copy_of(SETTINGS_BYTES)?)
            .map_err(|error| Error::malformed(format!("the recorder: {error}")))?;
        Ok(link)
    }

    /// The last values of the node's metrics.
    pub(crate) fn metrics(&self) -> Vec<MetricValue> {
        self.metrics.as_ref().map(Metrics::values).unwrap_or_default()
    }

    /// Recorder, pidfd, metrics, to be handed over.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let metrics = self.metrics.as_ref().map(|metrics| metrics.file().as_fd());
        [self.file.as_fd(), self.pidfd.as_fd()].into_iter().chain(metrics).collect()
    }

    /// The module that the node is, where it is one of a host.
    pub(crate) fn module(&self) -> Option<String> {
        self.module.get().cloned()
    }

    /// Says that it is one.
    pub(crate) fn set_module(&self, module: String) {
        // The first to know is right.
        let _ = self.module.set(module);
    }

    /// What `serve` may read of the node.
    pub(crate) fn shown<'a>(&'a self, state_dir: &'a std::path::Path) -> Shown<'a> {
        let metrics = self.metrics.as_ref().map(Metrics::file);
        Shown { pid: self.pid, state_dir, recorder: &self.file, pidfd: self.pidfd.as_fd(), metrics }
    }

    /// The words that are exchanged with the node.
    pub(crate) fn control(&self) -> &Control {
        self.recorder.control()
    }

    /// The death slot's head.
    pub(crate) fn death(&self) -> &Death {
        self.recorder.death()
    }

    /// The node's process id, as the kernel told it: the recorder is memory that the node may have written wildly.
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether this is a thread of the node's: what the recorder says is only believed so far.
    pub(crate) fn has_thread(&self, tid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{}/task/{tid}", self.pid)).exists()
    }

    /// A number by which the kernel finds the node's memory: its main thread may have ended before.
    pub(crate) fn memory_of(&self, tid: u32) -> u32 {
        if self.has_thread(tid) { tid } else { self.pid }
    }

    /// Whether the node has not ended: its number is its own then.
    pub(crate) fn lives(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    /// Whether a fault is being recorded or captured, or a thread is in `exit()`.
    pub(crate) fn is_ending(&self) -> bool {
        let stage = self.death().stage.load(Ordering::SeqCst);
        let exiting = self.control().exit_tid.load(Ordering::SeqCst);
        (DeathStage::Claimed as u32..DeathStage::Recovered as u32).contains(&stage)
            || exiting != 0 && self.has_thread(exiting)
    }

    /// The node, whatever becomes of its number.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The recorder as it is now; a record in mid-write is told by its checksum.
    pub(crate) fn copy(&self) -> Result<Vec<u8>, Error> {
        self.copy_of(RECORDER_BYTES)
    }

    /// Its first bytes alone; see [`SETTINGS_BYTES`].
    pub(crate) fn copy_of(&self, bytes: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; bytes.min(RECORDER_BYTES)];
        let read = self.file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| Error::system("cannot read the recorder", error))?;
        Ok(bytes)
    }

    /// What the node says of its health, as it is now; nothing from a reporter that knew none.
    pub(crate) fn health(&self) -> Option<HealthCopy> {
        let head = self.copy_of(Health::HEAD_BYTES).ok()?;
        let (start, size) = Health::range(&head)?;
        let end = start.checked_add(size).filter(|end| *end <= RECORDER_BYTES)?;
        let mut bytes = vec![0; end - start];
        self.file.read_exact_at(&mut bytes, start as u64).ok()?;
        Some(HealthCopy { head, bytes })
    }

    /// Marks the recorded death in a copy as none.
    pub(crate) fn strike_death(&self, copy: &mut [u8]) {
        let stage = (&raw const self.death().stage) as usize - self.recorder.base().as_ptr() as usize;
        if let Some(stage) = copy.get_mut(stage..).and_then(|rest| rest.first_chunk_mut()) {
            *stage = (DeathStage::Recovered as u32).to_le_bytes();
        }
    }

    /// The list of mappings that the dying thread wrote, without the rest of the recorder.
    pub(crate) fn maps(&self) -> Vec<u8> {
        let bytes = self.death().maps_bytes.load(Ordering::Acquire);
        let mut maps = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX).min(MAPS_BYTES)];
        let offset = self.recorder.death_maps().as_ptr() as u64 - self.recorder.base().as_ptr() as u64;
        match self.file.read_exact_at(&mut maps, offset) {
            Ok(()) => maps,
            Err(_) => Vec::new(),
        }
    }

    /// Tells the node that somebody is here. Answers who was before.
    pub(crate) fn announce(&self) -> Former {
        let control = self.control();
        let state = control.monitor_state.load(Ordering::Acquire);
        let pid = control.monitor_pid.swap(std::process::id(), Ordering::Relaxed);
        control.monitor_state.store(MonitorState::Running as u32, Ordering::Release);
        Former { pid, state }
    }

    /// Takes that back, unless another monitor has announced itself since.
    pub(crate) fn withdraw(&self, former: &Former) {
        let (control, ours) = (self.control(), std::process::id());
        let swapped =
            control.monitor_pid.compare_exchange(ours, former.pid, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            return;
        }
        let running = MonitorState::Running as u32;
        let _ = control.monitor_state.compare_exchange(
            running,
            former.state,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if control.monitor_pid.load(Ordering::Acquire) != former.pid {
            // It did so just now, and what it said of itself may be what was taken back.
            control.monitor_state.store(running, Ordering::Release);
        }
    }

    /// Tells the node that nobody is here any more, unless another monitor has announced itself.
    pub(crate) fn leave(&self) {
        let control = self.control();
        if control.monitor_pid.load(Ordering::Acquire) == std::process::id() {
            control.monitor_state.store(MonitorState::Gone as u32, Ordering::Release);
        }
    }

    /// Rings our own bell, for threads of the monitor.
    pub(crate) fn ring(&self) {
        self.control().doorbell.fetch_add(1, Ordering::Release);
        wake(&self.control().doorbell);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this size; every reference to it was lent by this, which nobody has any more.
        let _ = unsafe { munmap(self.recorder.base().as_ptr().cast(), RECORDER_BYTES) };
    }
}

/// The monitor that a node had before.
pub(crate) struct Former {
    pid: u32,
    state: u32,
}

/// The part of a recorder that tells of health.
pub(crate) struct HealthCopy {
    head: Vec<u8>,
    bytes: Vec<u8>,
}

impl HealthCopy {
    /// What it says.
    pub(crate) fn read(&self) -> Option<Health<'_>> {
        Health::read(&self.head, &self.bytes)
    }
}

/// Whether this is memory of which nothing can go: no file, pipe or device answers so.
pub(crate) fn is_sealed(memory: impl AsFd) -> bool {
    fcntl_get_seals(memory).is_ok_and(|seals| seals.contains(SealFlags::SHRINK))
}

/// Wakes whoever waits for this word.
pub(crate) fn wake(word: &std::sync::atomic::AtomicU32) {
    // A wake can only fail for an address that is none.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

/// Waits while the word is `expected`; may return early.
pub(crate) fn wait(word: &std::sync::atomic::AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| futex::Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    // An answer other than 0 means that the word changed, the time is over or a signal came: the caller looks.
    let _ = futex::wait(word, futex::Flags::empty(), expected, timeout.as_ref());
}

/// `Pid:` in what the kernel says of a pidfd; nothing good where the node has been reaped already.
fn pid_of(pidfd: &OwnedFd) -> Result<u32, Error> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))
        .map_err(|error| Error::system("cannot ask whose the pidfd is", error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    let pid = line.and_then(|pid| pid.trim().parse::<i32>().ok());
    // -1 stands for a process that is no more: there is no thread to look at, but its recorder tells.
    pid.map(|pid| u32::try_from(pid).unwrap_or(0)).ok_or_else(|| Error::usage("descriptor 4 is no pidfd"))
}

fn inherited(number: i32) -> Result<OwnedFd, Error> {
    // SAFETY: the number is only asked about.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(Error::usage(format!("descriptor {number} is not open: the reporter starts `watch`")));
    }
    // SAFETY: it is open, and the reporter left it for this role alone.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC).map_err(|error| Error::system("cannot keep a descriptor", error))?;
    Ok(fd)
}
