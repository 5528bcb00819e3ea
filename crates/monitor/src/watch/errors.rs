//! Handled errors of a living node: each becomes a report of its own.
//!
//! One is worked on at a time, in a thread, so that a death meanwhile is captured at once; the others wait in the
//! recorder, which is bounded.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lifeboat_recorder::Snapshot;

use crate::capture::{Capture, End, Subject};

use super::budget::Budget;
use super::link::Link;
use super::panics::Panics;
use super::roles::Destination;
use super::{capture, images, process};

/// A ticket is drawn before its record is written: so often, and so far apart, is looked for it.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Where so many reports wait already, handled errors make no more: there must be room for deaths.
const WAITING_MAX: usize = 500;

/// The errors of one node.
pub(crate) struct Errors {
    link: Arc<Link>,
    destination: Destination,
    /// How many were taken out of the recorder.
    taken: u64,
    /// The report that is being made.
    report: Option<JoinHandle<()>>,
    /// Whether it is made. Its thread says so before it rings, while `is_finished` may still deny it: then nobody would
    /// look again.
    is_made: Arc<AtomicBool>,
    /// Panics that the process lives on after.
    panics: Panics,
    /// A hang that waits for the report before it.
    hang: Option<Capture>,
    budget: Budget,
    /// How many became no report.
    suppressed: Arc<AtomicU64>,
}

impl Errors {
    pub(crate) fn new(link: &Arc<Link>, destination: &Destination, suppressed: Arc<AtomicU64>) -> Self {
        let is_made = Arc::new(AtomicBool::new(false));
        Self {
            link: Arc::clone(link),
            destination: destination.clone(),
            taken: 0,
            report: None,
            is_made,
            panics: Panics::default(),
            hang: None,
            budget: Budget::new(Instant::now()),
            suppressed,
        }
    }

    /// How long until there is something to look at that nobody rings for.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        // Whoever is at work rings when done.
        if self.report.is_some() { None } else { self.panics.until_due() }
    }

    /// Takes note of new panics; those of a thread that ends the process wait for its end.
    pub(crate) fn look_at_panics(&mut self, ending: [u32; 2]) {
        self.panics.look(&self.link);
        self.panics.hold(ending);
    }

    /// A death was told: no panic just before it is one that the process lived on after.
    pub(crate) fn forget_panics(&mut self) {
        self.panics.forget();
    }

    /// A loop hangs. Of two that wait for a report the newer one is told.
    pub(crate) fn add_hang(&mut self, capture: Capture) {
        self.hang = Some(capture);
    }

    /// Takes what is there, if none is being worked on; with `wait` all of it.
    pub(crate) fn look(&mut self, wait: bool) {
        loop {
            let is_at_work = self.report.as_ref().is_some_and(|report| !report.is_finished());
            if is_at_work && !self.is_made.load(Ordering::Acquire) && !wait {
                return;
            }
            self.finish();
            if let Some(hang) = self.hang.take() {
                self.start_within_budget(hang);
                continue;
            }
            let control = self.link.control();
            if self.taken >= control.errors_next.load(Ordering::Acquire) {
                match self.panics.take(&self.link, wait) {
                    Some(capture) => self.start_within_budget(capture),
                    None => return,
                }
                continue;
            }
            match self.find() {
                Some((ticket, capture)) => {
                    self.take(ticket.wrapping_add(1));
                    self.start_within_budget(capture);
                }
                // A writer that was turned away leaves a ticket without a record.
                None => self.take(control.errors_next.load(Ordering::Acquire)),
            }
        }
    }

    fn take(&mut self, up_to: u64) {
        self.taken = up_to;
        self.link.control().errors_taken.store(up_to, Ordering::Release);
    }

    /// Waits for the report that is being made. One that failed has kept its capture.
    pub(crate) fn finish(&mut self) {
        if let Some(report) = self.report.take() {
            let _ = report.join();
        }
    }

    /// Whether nothing is being worked on.
    pub(crate) const fn are_settled(&self) -> bool {
        self.report.is_none()
    }

    /// The oldest error that is there and was not taken. Only what the recorder really holds counts: its count is
    /// memory that the node may have written wildly.
    fn find(&self) -> Option<(u64, Capture)> {
        for _ in 0..LOOKS {
            let capture = capture::begin(&self.link, Subject::Error(0), End::StillAlive);
            let oldest = Snapshot::read(&capture.recorder).ok().and_then(|copy| {
                copy.errors().map(|error| error.ticket).filter(|ticket| *ticket >= self.taken).min()
            });
            if let Some(ticket) = oldest {
                return Some((ticket, self.complete(Capture { subject: Subject::Error(ticket), ..capture })));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        None
    }

    /// Adds what the process shows of itself while it lives; what is loaded where, only if frames came as addresses.
    fn complete(&self, capture: Capture) -> Capture {
        let pid = self.link.pid();
        let copy = Snapshot::read(&capture.recorder);
        let has_addresses = copy.is_ok_and(|copy| {
            let mut errors = copy.errors().filter(|error| capture.subject == Subject::Error(error.ticket));
            errors.any(|error| error.frames().any(|frame| frame.address != 0))
        });
        let maps = if has_addresses { process::maps(pid) } else { Vec::new() };
        let images = images::images(pid, &maps);
        Capture { process: process::process(pid), maps, images, ..capture }
    }

    /// What the budget or the disk has no room for is counted, and the next report says how many there were.
    fn start_within_budget(&mut self, mut capture: Capture) {
        let Some(suppressed) = self.budget.take(kind_of(&capture), Instant::now()) else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let spool = std::fs::read_dir(self.destination.state_dir.join("spool"));
        if spool.is_ok_and(|spool| spool.take(WAITING_MAX).count() == WAITING_MAX) {
            self.budget.put_back(suppressed);
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if suppressed > 0 {
            let text =
                format!("{suppressed} handled errors before this one have no report: there were too many");
            capture.notes.push(text);
        }
        self.start(capture);
    }

    fn start(&mut self, capture: Capture) {
        let (destination, link) = (self.destination.clone(), Arc::clone(&self.link));
        let is_made = Arc::clone(&self.is_made);
        is_made.store(false, Ordering::Release);
        let report = move || {
            if destination.report(&capture).is_ok() {
                destination.deliver(link.pidfd(), false);
            }
            is_made.store(true, Ordering::Release);
            link.ring();
        };
        self.report = std::thread::Builder::new().name("error".into()).spawn(report).ok();
    }
}

/// Errors of one type from one place are of one kind.
fn kind_of(capture: &Capture) -> u64 {
    let mut hash = DefaultHasher::new();
    let Ok(copy) = Snapshot::read(&capture.recorder) else { return 0 };
    let found = match capture.subject {
        Subject::Error(ticket) => copy.errors().find(|record| record.ticket == ticket),
        Subject::Panic(ticket) => copy.panics().find(|record| record.ticket == ticket),
        Subject::Hang(_) => {
            capture.hang.as_ref().map(|hang| &hang.heartbeat).hash(&mut hash);
            return hash.finish();
        }
        Subject::Death | Subject::Module { .. } => None,
    };
    let Some(record) = found else { return 0 };
    record.kind.hash(&mut hash);
    match record.frames().next() {
        Some(frame) => (frame.function, frame.file, frame.line, frame.address).hash(&mut hash),
        None => record.message.get(..16).hash(&mut hash),
    }
    hash.finish()
}
