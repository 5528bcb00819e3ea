//! A flight recorder in this process's own memory, and the capture of a node that never wrote one itself.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

use lifeboat_monitor::capture::{CAPTURE_VERSION, Capture, End, OutOfMemory, Subject};
use lifeboat_monitor::watch::{images, process, threads};
use lifeboat_recorder::{RECORDER_BYTES, Recorder, Setting, Stamp};

use super::Node;

/// An empty recorder. It is never given back: recorders live as long as their process.
pub(crate) fn recorder() -> Recorder {
    let layout = Layout::from_size_align(RECORDER_BYTES, 4096).unwrap();
    // SAFETY: the layout is not empty.
    let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    // SAFETY: the memory is zeroed, aligned to a page, large enough, and nobody else's.
    unsafe { Recorder::format(base) }
}

/// A recorder as a node of the test fleet would have it.
pub(crate) fn declared() -> Recorder {
    let recorder = recorder();
    let settings: [(Setting, &str); 7] = [
        (Setting::App, "testnode"),
        (Setting::Version, "1.2.3"),
        (Setting::Commit, "0123abcd"),
        (Setting::Environment, "sandbox"),
        (Setting::Fleet, "test.fleet"),
        (Setting::Node, "node-01"),
        (Setting::Reporter, "lifeboat-reporter 0.1.0 (0123456789ab)"),
    ];
    for (setting, value) in settings {
        let _ = recorder.setting(setting, value.as_bytes());
    }
    let stamp = Stamp { realtime_ns: now_ns(), tid: 1 };
    let _ = recorder.tag(stamp, b"dc", b"do-ams3");
    let _ = recorder.tag(stamp, b"role", b"store");
    let _ = recorder.context(stamp, b"node", b"peers", b"17");
    let _ = recorder.context(stamp, b"os", b"note", b"not the system's");
    for number in 0..120 {
        let message = format!("step {number} from 203.0.113.7");
        let _ = recorder.breadcrumb(stamp, 1, b"relay", message.as_bytes());
    }
    recorder.control().start_realtime_ns.store(now_ns(), std::sync::atomic::Ordering::Relaxed);
    recorder
}

pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// The recorder's bytes.
pub(crate) fn bytes(recorder: &Recorder) -> Vec<u8> {
    // SAFETY: a recorder is this large, and this thread is the only one that uses it.
    unsafe { std::slice::from_raw_parts(recorder.base().as_ptr(), RECORDER_BYTES) }.to_vec()
}

/// Everything `watch` would take from this node, had its main thread entered `exit`.
pub(crate) fn capture(node: &Node, recorder: &Recorder, end: End) -> Capture {
    recorder.control().pid.store(node.pid(), std::sync::atomic::Ordering::Relaxed);
    recorder.control().exit_tid.store(node.pid(), std::sync::atomic::Ordering::Relaxed);
    let maps = node.maps();
    let (threads, notes) = threads::capture(node.pid(), None);
    Capture {
        version: CAPTURE_VERSION,
        captured_boottime_ns: 0,
        hang: None,
        captured_realtime_ns: now_ns(),
        metrics: Vec::new(),
        restarts: None,
        course: Vec::new(),
        out_of_memory: OutOfMemory::default(),
        subject: Subject::Death,
        module: None,
        recorder: bytes(recorder),
        end,
        threads,
        images: images::images(node.pid(), &maps),
        maps,
        process: process::process(node.pid()),
        abort_message: String::new(),
        notes,
    }
}
