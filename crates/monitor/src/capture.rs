//! What `watch` takes from a dying node, and what `report` works on when the node is gone. It never leaves the host.

use serde::{Deserialize, Serialize};

use crate::{Error, MetricValue};

/// Changes when a capture file of an older monitor could be misread.
pub const CAPTURE_VERSION: u32 = 5;

/// Everything that is known of one death, or of one handled error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capture {
    /// [`CAPTURE_VERSION`].
    pub version: u32,
    /// What this capture is of.
    pub subject: Subject,
    /// The module whose process this is, where it is one of a host.
    pub module: Option<String>,
    /// A copy of the flight recorder, as the node left it.
    #[serde(with = "serde_bytes")]
    pub recorder: Vec<u8>,
    /// How the process ended.
    pub end: End,
    /// The threads that could be captured. The one that took a signal may be missing here: its registers and
    /// stack stand in the recorder's death slot.
    pub threads: Vec<Thread>,
    /// `/proc/PID/maps`, where the monitor read it itself (the death slot holds it for signals).
    #[serde(with = "serde_bytes")]
    pub maps: Vec<u8>,
    /// Build ids read from the node's memory, one for each mapped file that had one.
    pub images: Vec<Image>,
    /// What `/proc` said of the process while it lived.
    pub process: Process,
    /// What the C library said before it aborted; empty where it said nothing.
    pub abort_message: String,
    /// What could not be captured, and why: one sentence each.
    pub notes: Vec<String>,
    /// When it was taken, nanoseconds since 1970; 0 where nobody knows.
    pub captured_realtime_ns: u64,
    /// The same moment, nanoseconds since boot; 0 where nobody knows.
    pub captured_boottime_ns: u64,
    /// The loop that this capture is of, where it is of one that hangs.
    pub hang: Option<Hang>,
    /// The last values of the node's metrics.
    pub metrics: Vec<MetricValue>,
    /// How often the node had been started again, where that is on record.
    pub restarts: Option<u64>,
    /// What the process needed over its last minutes, oldest first.
    pub course: Vec<CoursePoint>,
    /// What the kernel counted, where the process ended by SIGKILL.
    pub out_of_memory: OutOfMemory,
}

/// What the kernel counted of processes that it killed for want of memory, from a look at the living process to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfMemory {
    /// In the process' control group (`oom_kill` of `memory.events`); nothing where that is not known.
    pub group_kills: Option<u64>,
    /// Whether that group held nobody but the process and its monitor.
    pub is_alone: bool,
    /// On the whole machine (`oom_kill` of `/proc/vmstat`).
    pub machine_kills: Option<u64>,
    /// Memory of the group at the last look, bytes.
    pub memory_bytes: Option<u64>,
    /// The most that it may use, bytes.
    pub memory_max_bytes: Option<u64>,
}

/// What a process needed at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CoursePoint {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Resident memory, bytes.
    pub resident_bytes: Option<u64>,
    /// Memory of the control group, bytes.
    pub cgroup_bytes: Option<u64>,
    /// Processors in use since the point before: 1 is one processor.
    pub cpu_ratio: Option<f64>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

/// What a capture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The process died, or is about to.
    Death,
    /// The process lives; the record with this ticket in the recorder's errors is to be reported.
    Error(u64),
    /// The process lives: the panic with this ticket was caught, and is to be reported.
    Panic(u64),
    /// A module's process died that carries nothing of ours. The recorder is one that its host's monitor wrote.
    Module {
        /// Whether the kernel killed it for want of memory.
        is_out_of_memory: bool,
    },
    /// The process lives, but a loop of it gives no proof of life since this moment, nanoseconds since boot.
    Hang(u64),
}

/// A loop that gives no proof of life.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hang {
    /// Its heartbeat's name.
    pub heartbeat: String,
    /// How long ago the last beat was.
    pub age_ns: u64,
    /// When the next was due after that.
    pub deadline_ms: u32,
    /// How many there were.
    pub beats: u64,
    /// The thread of the last.
    pub tid: u32,
    /// What the kernel says that thread does: `R (running)`; empty where it has ended.
    pub state: String,
    /// The kernel's function that it waits in; empty where it waits in none or nobody may know.
    pub waits_in: String,
    /// The threads that used the processor meanwhile, the busiest first, each with its share in percent of one.
    pub busy: Vec<(String, u32)>,
    /// The thread of the last beat a few moments later: what stays on its stack is the loop.
    pub later: Vec<Thread>,
}

/// How the process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Not known, or not yet.
    #[default]
    Unknown,
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// A fault was recorded, but the process has not ended since: a handler of its own is at work, or hangs.
    StillAlive,
}

/// One thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thread {
    /// Its thread id.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// Its registers in the order of the kernel's `user_regs_struct`; empty where they could not be read.
    pub registers: Vec<u64>,
    /// Where `stack` starts.
    pub stack_start: u64,
    /// Its stack from there on, at most 64 KiB.
    #[serde(with = "serde_bytes")]
    pub stack: Vec<u8>,
}

/// One mapped file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    /// Where its first mapping starts.
    pub start: u64,
    /// Its build id as it was in memory.
    pub build_id: Vec<u8>,
}

/// What `/proc` says of a process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    /// The program's file.
    pub program: String,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Swapped memory, bytes.
    pub swapped_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Most open descriptors allowed.
    pub fds_max: u64,
}

/// A capture file: a mark, then the fields.
const MARK: &[u8; 8] = b"LBCAPT01";

/// The bytes of a capture file.
///
/// # Errors
/// Where a field cannot be written, which none of these can fail to be.
pub fn encode(capture: &Capture) -> Result<Vec<u8>, Error> {
    let mut bytes = MARK.to_vec();
    postcard::to_io(capture, &mut bytes)
        .map_err(|error| Error::malformed(format!("the capture: {error}")))?;
    Ok(bytes)
}

/// Reads a capture file. Lengths are checked against what is there before anything is allocated.
///
/// # Errors
/// `is_malformed()` where it is none, is cut short, or was written by another version.
pub fn decode(bytes: &[u8]) -> Result<Capture, Error> {
    let fields = bytes.strip_prefix(MARK).ok_or_else(|| Error::malformed("this is no capture file"))?;
    let capture: Capture = postcard::from_bytes(fields)
        .map_err(|error| Error::malformed(format!("the capture file is cut short or corrupt: {error}")))?;
    if capture.version != CAPTURE_VERSION {
        return Err(Error::malformed(format!("the capture file has version {}", capture.version)));
    }
    Ok(capture)
}
