//! A capture file of a state directory: read or refused. A capture that was written is read back the same, and
//! whatever stands in it, its report is an envelope that `post` can read and a server would take.
#![no_main]

use std::cell::RefCell;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use lifeboat_fuzz::{Changes, Image, Input, walk};
use lifeboat_monitor::capture::{
    self, CAPTURE_VERSION, Capture, End, Hang, Image as File, Process, Subject, Thread,
};
use lifeboat_monitor::envelope::Envelope;
use lifeboat_monitor::report::{Detail, make};

/// Bugsink takes events of 1 MiB.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// What a capture file starts with.
const MARK: &[u8] = b"LBCAPT01";

thread_local! {
    static IMAGE: RefCell<Image> = RefCell::default();
}

/// A capture whose every part may be anything.
#[derive(Debug, Arbitrary)]
struct Described<'a> {
    subject: Option<u64>,
    end: Option<Result<i32, i32>>,
    threads: Vec<DescribedThread<'a>>,
    maps: &'a [u8],
    images: Vec<(u64, &'a [u8])>,
    texts: Vec<&'a str>,
    numbers: [u64; 4],
    recorder: Changes<'a>,
}

#[derive(Debug, Arbitrary)]
struct DescribedThread<'a> {
    tid: u32,
    name: &'a str,
    registers: Vec<u64>,
    stack_start: u64,
    stack: &'a [u8],
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 3 {
        0 => decode(rest),
        1 => decode(&[MARK, rest].concat()),
        _ => {
            let Ok(described) = Described::arbitrary_take_rest(Unstructured::new(rest)) else { return };
            IMAGE.with_borrow_mut(|image| round_trip(image, described));
        }
    }
});

fn decode(bytes: &[u8]) {
    match capture::decode(bytes) {
        Ok(capture) => {
            walk(&capture.recorder);
            report(&capture);
        }
        Err(error) => assert!(error.is_malformed() && !error.to_string().is_empty()),
    }
}

fn round_trip(image: &mut Image, described: Described<'_>) {
    let capture = capture(image, described);
    let bytes = capture::encode(&capture).unwrap();
    let read = capture::decode(&bytes).unwrap();
    assert_eq!(capture::encode(&read).unwrap(), bytes);
    assert!(capture::decode(&bytes[..bytes.len() - 1]).is_err(), "cut short");
    report(&capture);
}

/// Files that a hostile list of mappings names are not opened here: that depends on the machine.
fn report(capture: &Capture) {
    let made = match make(capture, Detail::CaptureOnly) {
        Ok(made) => made,
        Err(error) => {
            // Its recorder cannot be read, or does not hold the error that it is of.
            let is_readable = lifeboat_recorder::Snapshot::read(&capture.recorder).is_ok();
            assert!(error.is_malformed() && (!is_readable || capture.subject != Subject::Death));
            return;
        }
    };
    let envelope = Envelope::parse(&made.envelope).unwrap();
    assert_eq!(envelope.event_id(), Some(made.event_id));
    assert!(envelope.event_bytes().unwrap().len() <= EVENT_BYTES_MAX);
    assert!(envelope.event().unwrap().is_object());
}

fn capture(image: &mut Image, described: Described<'_>) -> Capture {
    let [resident_bytes, swapped_bytes, threads, fds_max] = described.numbers;
    let thread = |thread: DescribedThread<'_>| Thread {
        tid: thread.tid,
        name: thread.name.to_owned(),
        registers: thread.registers,
        stack_start: thread.stack_start,
        stack: thread.stack.to_vec(),
    };
    let captured: Vec<_> = described.threads.into_iter().map(thread).collect();
    let text = |at: usize| (*described.texts.get(at).unwrap_or(&"gossip")).to_owned();
    let subject = match described.subject {
        None => Subject::Death,
        Some(ticket) if ticket >> 63 == 0 => Subject::Error(ticket),
        Some(since) => Subject::Hang(since),
    };
    let hang = matches!(subject, Subject::Hang(_)).then(|| Hang {
        heartbeat: text(0),
        age_ns: resident_bytes,
        deadline_ms: swapped_bytes as u32,
        beats: threads,
        tid: captured.first().map_or(0, |thread| thread.tid),
        state: text(1),
        waits_in: text(2),
        busy: described.texts.iter().map(|text| ((*text).to_owned(), fds_max as u32)).collect(),
        later: captured.clone(),
    });
    Capture {
        version: CAPTURE_VERSION,
        captured_boottime_ns: 0,
        hang,
        restarts: None,
        module: None,
        course: Vec::new(),
        out_of_memory: capture::OutOfMemory::default(),
        captured_realtime_ns: 0,
        metrics: Vec::new(),
        subject,
        recorder: image.apply(&Input::Changes(described.recorder)).to_vec(),
        end: match described.end {
            None => End::StillAlive,
            Some(Ok(status)) => End::Exited(status),
            Some(Err(signal)) => End::Signaled(signal),
        },
        threads: captured,
        maps: described.maps.to_vec(),
        images: described
            .images
            .iter()
            .map(|(start, id)| File { start: *start, build_id: id.to_vec() })
            .collect(),
        process: Process {
            program: described.texts.first().unwrap_or(&"node").to_string(),
            resident_bytes,
            swapped_bytes,
            threads,
            fds_max,
        },
        abort_message: described.texts.last().unwrap_or(&"").to_string(),
        notes: described.texts.iter().map(|text| (*text).to_owned()).collect(),
    }
}
