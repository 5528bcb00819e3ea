//! What `watch` takes from a dying node, and what `report` works on when the node is gone. It never leaves the host.

use serde::{Deserialize, Serialize};

use crate::{Error, MetricValue};

/// Changes when a capture file of an older monitor could be misread.
pub const CAPTURE_VERSION: u32 = 3;

/// Everything that is known of one death, or of one handled error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capture {
    /// [`CAPTURE_VERSION`].
    pub version: u32,
    /// What this capture is of.
    pub subject: Subject,
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
    /// The last values of the node's metrics.
    pub metrics: Vec<MetricValue>,
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
    /// A module's process died, and the node lives on. The recorder is one that the monitor wrote; its tag `module` names
    /// the module.
    Module {
        /// Whether the kernel killed it for want of memory.
        is_out_of_memory: bool,
    },
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
