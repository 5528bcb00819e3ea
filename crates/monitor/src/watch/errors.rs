//! Handled errors of a living node: each becomes a report of its own.
//!
//! One is worked on at a time, in a thread, so that a death meanwhile is captured at once; the others wait in the
//! recorder, which is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lifeboat_recorder::Snapshot;

use crate::capture::{Capture, End, Subject};

use super::link::Link;
use super::panics::Panics;
use super::roles::Destination;
use super::{capture, process};

/// A ticket is drawn before its record is written: so often, and so far apart, is looked for it.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

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
}

impl Errors {
    pub(crate) fn new(link: &Arc<Link>, destination: &Destination) -> Self {
        let is_made = Arc::new(AtomicBool::new(false));
        Self {
            link: Arc::clone(link),
            destination: destination.clone(),
            taken: 0,
            report: None,
            is_made,
            panics: Panics::default(),
        }
    }

    /// How long until there is something to look at that nobody rings for.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        // Whoever is at work rings when done.
        if self.report.is_some() { None } else { self.panics.until_due() }
    }

    /// Takes note of new panics; those of a thread that ends the process are told with the death.
    pub(crate) fn look_at_panics(&mut self, ending: &[u32]) {
        self.panics.look(&self.link);
        ending.iter().for_each(|tid| self.panics.forget_of(*tid));
    }

    /// Takes what is there, if none is being worked on; with `wait` all of it.
    pub(crate) fn look(&mut self, wait: bool) {
        loop {
            let is_at_work = self.report.as_ref().is_some_and(|report| !report.is_finished());
            if is_at_work && !self.is_made.load(Ordering::Acquire) && !wait {
                return;
            }
            self.finish();
            let control = self.link.control();
            if self.taken >= control.errors_next.load(Ordering::Acquire) {
                match self.panics.take(&self.link, wait) {
                    Some(capture) => self.start(capture),
                    None => return,
                }
                continue;
            }
            match self.find() {
                Some((ticket, capture)) => {
                    self.take(ticket.wrapping_add(1));
                    self.start(capture);
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
                let process = process::process(self.link.pid());
                return Some((ticket, Capture { subject: Subject::Error(ticket), process, ..capture }));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        None
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
