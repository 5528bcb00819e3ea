//! A capture with nothing in it but the recorder: whoever makes it adds what it saw.

use crate::capture::{CAPTURE_VERSION, Capture, End, OutOfMemory, Process, Subject};

use rustix::time::{ClockId, clock_gettime};

use super::link::Link;

/// Copies the recorder as it is now.
pub(crate) fn begin(link: &Link, subject: Subject, end: End) -> Capture {
    let (recorder, note) = match link.copy() {
        Ok(bytes) => (bytes, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Capture {
        version: CAPTURE_VERSION,
        subject,
        module: link.module(),
        recorder,
        end,
        threads: Vec::new(),
        maps: Vec::new(),
        images: Vec::new(),
        process: Process::default(),
        abort_message: String::new(),
        notes: note.into_iter().collect(),
        captured_boottime_ns: boottime_ns(),
        hang: None,
        captured_realtime_ns: realtime_ns(),
        metrics: link.metrics(),
        restarts: None,
        course: Vec::new(),
        out_of_memory: OutOfMemory::default(),
    }
}

fn realtime_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

/// Now, nanoseconds since boot.
pub(crate) fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
