//! Panics that are to be reported although they are caught. One that ends the process is told with the death, so each
//! waits for a moment first.

use std::time::{Duration, Instant};

use lifeboat_recorder::Snapshot;

use crate::capture::{Capture, End, Subject};

use super::link::Link;
use super::{capture, process};

/// A panic that leads to the process's end does so within this time, or is no longer told with it.
const CAUGHT_AFTER: Duration = Duration::from_secs(2);
/// Most that wait at a time; the recorder holds no more.
const WAITING_MAX: usize = lifeboat_recorder::PANICS;

/// The panics of one node that wait.
#[derive(Default)]
pub(crate) struct Panics {
    /// How many tickets were looked at.
    seen: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    ticket: u64,
    tid: u32,
    since: Instant,
}

impl Panics {
    /// Takes note of new ones.
    pub(crate) fn look(&mut self, link: &Link) {
        let next = link.control().panics_next.load(std::sync::atomic::Ordering::Acquire);
        if self.seen >= next {
            return;
        }
        let Ok(copy) = link.copy() else { return };
        let Ok(snapshot) = Snapshot::read(&copy) else { return };
        let seen = self.seen;
        let new =
            snapshot.panics().filter(|panic| panic.report_if_caught && (seen..next).contains(&panic.ticket));
        let since = Instant::now();
        self.waiting.extend(new.map(|panic| Waiting { ticket: panic.ticket, tid: panic.tid, since }));
        let surplus = self.waiting.len().saturating_sub(WAITING_MAX);
        self.waiting.drain(..surplus);
        self.seen = next;
    }

    /// How long until one has waited enough; nothing where none waits.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        self.waiting.iter().map(|panic| CAUGHT_AFTER.saturating_sub(panic.since.elapsed())).min()
    }

    /// Those of this thread are told with the death.
    pub(crate) fn forget_of(&mut self, tid: u32) {
        self.waiting.retain(|panic| panic.tid != tid);
    }

    /// The next that has waited enough, ready to be reported; with `now` the next at all.
    pub(crate) fn take(&mut self, link: &Link, now: bool) -> Option<Capture> {
        let is_due = |panic: &Waiting| now || panic.since.elapsed() >= CAUGHT_AFTER;
        while let Some(at) = self.waiting.iter().position(is_due) {
            let ticket = self.waiting.remove(at).ticket;
            let capture = capture::begin(link, Subject::Panic(ticket), End::StillAlive);
            let copy = Snapshot::read(&capture.recorder).ok();
            // Newer ones may have taken its place.
            if copy.is_some_and(|copy| copy.panics().any(|panic| panic.ticket == ticket)) {
                let (process, maps) = (process::process(link.pid()), process::maps(link.pid()));
                let images = super::images::images(link.pid(), &maps);
                return Some(Capture { process, maps, images, ..capture });
            }
        }
        None
    }
}
