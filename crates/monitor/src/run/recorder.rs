//! A recorder of our own: we write into it what a reporter inside the program would have.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use lifeboat_abi::Level;
use lifeboat_recorder::{
    Control, DeathStage, FrameText, RECORDER_BYTES, REGISTERS_MAX, Record, RecordKind, Recorder, STACK_BYTES,
    Setting, Snapshot, Stamp, StopKind,
};
use rustix::fs::FallocateFlags;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::time::{ClockId, clock_gettime};

use crate::Error;
use crate::capture::Thread;
use crate::lives::{Lives, node_name};
use crate::watch::ptrace::SignalInfo;

use super::lines::Line;
use super::reason::Reason;
use super::settings::Settings;

/// The recorder of one program.
pub(crate) struct OwnRecorder {
    recorder: Recorder,
    /// The same memory, for copies.
    file: File,
}

// SAFETY: the recorder is memory that lives as long as the process; several threads reach its atomics alone.
unsafe impl Send for OwnRecorder {}
// SAFETY: as above; records are written by the thread that traces the program and by no other.
unsafe impl Sync for OwnRecorder {}

impl OwnRecorder {
    /// Lays one out.
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |error| Error::system("cannot make the recorder", std::io::Error::from(error));
        let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("lifeboat", flags).map_err(failed)?;
        rustix::fs::ftruncate(&fd, RECORDER_BYTES as u64).map_err(failed)?;
        // As the reporter does: nobody may shrink what `serve` maps too.
        let seals = rustix::fs::SealFlags::SHRINK | rustix::fs::SealFlags::GROW;
        rustix::fs::fcntl_add_seals(&fd, seals).map_err(failed)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place that nothing of ours uses; nobody else has the file.
        let mapped =
            unsafe { mmap(std::ptr::null_mut(), RECORDER_BYTES, protection, MapFlags::SHARED, &fd, 0) };
        let base = NonNull::new(mapped.map_err(failed)?.cast());
        let base = base.ok_or_else(|| Error::malformed("the recorder was mapped nowhere"))?;
        // SAFETY: the mapping is zeroed, as large as a recorder and never unmapped.
        let recorder = unsafe { Recorder::format(base) };
        Ok(Self { recorder, file: File::from(fd) })
    }

    /// Lays it out anew, for another program.
    ///
    /// # Errors
    /// Where the kernel cannot clear the memory.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let cleared = rustix::fs::fallocate(&self.file, flags, 0, RECORDER_BYTES as u64);
        cleared.map_err(|error| Error::system("cannot clear the recorder", error))?;
        // SAFETY: the memory of `new`, zeroed again; nobody reads it meanwhile, as the owner alone has it.
        unsafe { Recorder::format(self.recorder.base()) };
        Ok(())
    }

    /// Writes a setting, or leaves it away.
    pub(crate) fn setting(&self, setting: Setting, value: Option<&[u8]>) {
        if let Some(value) = value {
            let _ = self.recorder.setting(setting, value);
        }
    }

    /// Sets a tag.
    pub(crate) fn tag(&self, key: &[u8], value: &[u8]) {
        let stamp = Stamp { realtime_ns: realtime_ns(SystemTime::now()), tid: 0 };
        let _ = self.recorder.tag(stamp, key, value);
    }

    /// Writes what is known at start.
    pub(super) fn describe(&self, settings: &Settings) {
        let control = self.control();
        control.start_realtime_ns.store(realtime_ns(SystemTime::now()), Ordering::Relaxed);
        control.start_boottime_ns.store(boottime_ns(), Ordering::Relaxed);
        for (setting, text) in &settings.texts {
            let _ = self.recorder.setting(*setting, text);
        }
        if let Some(destination) = &settings.destination {
            let state_dir = destination.state_dir.as_os_str().as_encoded_bytes();
            let _ = self.recorder.setting(Setting::StateDir, state_dir);
            let dsn = destination.dsn.as_deref().unwrap_or_default();
            let _ = self.recorder.setting(Setting::Dsn, dsn.as_bytes());
        }
        for (key, value) in &settings.tags {
            self.tag(key, value);
        }
    }

    /// Notes that this life has begun, unless that was done; answers the record of it and of those before.
    pub(super) fn begin_life(&self, state_dir: &Path, pid: u32) -> Option<Lives> {
        let copy = self.copy().ok()?;
        let snapshot = Snapshot::read(&copy).ok()?;
        let lives = Lives::new(state_dir, &node_name(&snapshot, None));
        // A state directory that cannot be written has no counts.
        let _ = lives.start(snapshot.control().start_realtime_ns, pid);
        Some(lives)
    }

    /// The program that is looked after.
    pub(crate) fn set_pid(&self, pid: u32) {
        self.control().pid.store(pid, Ordering::Relaxed);
    }

    /// The words that a node and its monitor exchange.
    pub(crate) fn control(&self) -> &'static Control {
        self.recorder.control()
    }

    /// Notes that somebody asked the program to stop.
    pub(super) fn request_stop(&self, signal: i32) {
        let control = self.control();
        control.stop_boottime_ns.store(boottime_ns(), Ordering::Relaxed);
        control.stop_signal.store(signal as u32, Ordering::Relaxed);
        control.stop_kind.store(StopKind::Requested as u32, Ordering::Release);
    }

    /// Writes a fault into the death slot, over the last one.
    pub(super) fn fault(&self, thread: &Thread, signal: &SignalInfo, is_handled: bool) {
        let death = self.recorder.death();
        death.stage.store(DeathStage::Claimed as u32, Ordering::Relaxed);
        death.generation.fetch_add(1, Ordering::Relaxed);
        death.tid.store(thread.tid, Ordering::Relaxed);
        death.signal.store(signal.number as u32, Ordering::Relaxed);
        death.code.store(signal.code as u32, Ordering::Relaxed);
        death.sender_pid.store(signal.sender_pid, Ordering::Relaxed);
        death.fault_address.store(signal.address, Ordering::Relaxed);
        death.is_chained.store(u32::from(is_handled), Ordering::Relaxed);
        death.realtime_ns.store(realtime_ns(SystemTime::now()), Ordering::Relaxed);
        death.boottime_ns.store(boottime_ns(), Ordering::Relaxed);
        for (to, from) in death.registers.iter().zip(&thread.registers) {
            to.store(*from, Ordering::Relaxed);
        }
        let count = thread.registers.len().min(REGISTERS_MAX);
        death.registers_count.store(count as u32, Ordering::Relaxed);
        let length = thread.stack.len().min(STACK_BYTES);
        let (from, to) = (thread.stack.as_ptr(), self.recorder.death_stack());
        // SAFETY: the slot has room for `STACK_BYTES`, the thread's stack has `length`, and only we write here.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_ptr(), length) };
        death.stack_start.store(thread.stack_start, Ordering::Relaxed);
        death.stack_bytes.store(length as u64, Ordering::Relaxed);
        death.maps_bytes.store(0, Ordering::Relaxed);
        death.stage.store(DeathStage::Complete as u32, Ordering::Release);
    }

    /// Marks the recorded fault as none: the process went on, or ended otherwise.
    pub(super) fn strike_fault(&self) {
        let death = self.recorder.death();
        if death.stage.load(Ordering::Relaxed) != DeathStage::None as u32 {
            death.stage.store(DeathStage::Recovered as u32, Ordering::Release);
        }
    }

    /// Writes what the program said of its end, as if the thread that died had said it.
    pub(super) fn last_words(&self, tid: u32, at: SystemTime, reason: &Reason) {
        let stamp = Stamp { realtime_ns: realtime_ns(at), tid };
        let (kind, message) = (reason.kind.as_bytes(), reason.message.as_bytes());
        let record = Record { level: Level::Fatal as u32, origin: reason.origin as u32, kind, message };
        let frames = reason.frames.iter().map(|frame| FrameText {
            function: frame.function.as_bytes(),
            file: frame.file.as_bytes(),
            line: frame.line,
            column: frame.column,
            address: 0,
        });
        let _ = self.recorder.record(RecordKind::LastWords, stamp, record, frames);
    }

    /// Leaves a line as a breadcrumb.
    pub(super) fn breadcrumb(&self, line: &Line, level: Level) {
        let stamp = Stamp { realtime_ns: realtime_ns(line.at), tid: 0 };
        let category = line.stream.word().as_bytes();
        let _ = self.recorder.breadcrumb(stamp, level as u32, category, line.text.trim().as_bytes());
    }

    /// The memory itself.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// The recorder as it is now.
    pub(crate) fn copy(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; RECORDER_BYTES];
        let read = self.file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| Error::system("cannot read the recorder", error))?;
        Ok(bytes)
    }
}

/// Nanoseconds since 1970.
pub(crate) fn realtime_ns(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

/// Nanoseconds since boot.
pub(crate) fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
