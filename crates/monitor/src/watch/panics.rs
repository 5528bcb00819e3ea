//! Panics that are to be reported although they are caught. One that ends the process is told with the death, so each
//! waits for a moment first.

use std::rc::Rc;
use std::time::{Duration, Instant};

use lifeboat_recorder::Snapshot;

use crate::capture::{Capture, End, Image, Process, Subject};

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
    /// Those of them whose record was not written yet.
    missing: Vec<u64>,
    waiting: Vec<Waiting>,
    /// Threads by which the process ends, it seems: their panics wait for its end.
    ending: [u32; 2],
}

struct Waiting {
    ticket: u64,
    tid: u32,
    since: Instant,
    /// Taken at once: the process may be gone when it is told.
    at: Rc<At>,
}

/// What it takes to name the frames of a panic.
struct At {
    process: Process,
    maps: Vec<u8>,
    images: Vec<Image>,
}

impl Panics {
    /// Takes note of new ones.
    pub(crate) fn look(&mut self, link: &Link) {
        let next = link.control().panics_next.load(std::sync::atomic::Ordering::Acquire);
        if self.seen >= next && self.missing.is_empty() {
            return;
        }
        let Ok(copy) = link.copy() else { return };
        let Ok(snapshot) = Snapshot::read(&copy) else { return };
        let seen = self.seen;
        let oldest = next.saturating_sub(WAITING_MAX as u64);
        let wanted: Vec<u64> =
            self.missing.iter().copied().chain(seen..next).filter(|ticket| *ticket >= oldest).collect();
        let mut new =
            snapshot.panics().filter(|panic| panic.report_if_caught && wanted.contains(&panic.ticket));
        if let Some(first) = new.next() {
            let maps = process::maps(link.pid());
            let images = super::images::images(link.pid(), &maps);
            let at = Rc::new(At { process: process::process(link.pid()), maps, images });
            let since = Instant::now();
            let all = std::iter::once(first).chain(new);
            self.waiting.extend(all.map(|panic| {
                let (ticket, tid, at) = (panic.ticket, panic.tid, Rc::clone(&at));
                Waiting { ticket, tid, since, at }
            }));
        }
        // A ticket is drawn before its record is written: the writer rings again when it is there.
        let is_there = |ticket: u64| snapshot.panics().any(|panic| panic.ticket == ticket);
        self.missing = wanted.into_iter().filter(|ticket| !is_there(*ticket)).collect();
        let surplus = self.waiting.len().saturating_sub(WAITING_MAX);
        self.waiting.drain(..surplus);
        self.seen = next;
    }

    /// How long until one has waited enough; nothing where none waits.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        let waiting = self.waiting.iter().filter(|panic| !self.ending.contains(&panic.tid));
        waiting.map(|panic| CAUGHT_AFTER.saturating_sub(panic.since.elapsed())).min()
    }

    /// Those of these threads wait for the end.
    pub(crate) fn hold(&mut self, ending: [u32; 2]) {
        self.ending = ending;
    }

    /// The process died: what waits was told with it, or is in its breadcrumbs.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// The next that has waited enough, ready to be reported; with `now` the next at all.
    pub(crate) fn take(&mut self, link: &Link, now: bool) -> Option<Capture> {
        let is_due = |panic: &Waiting| {
            now || (panic.since.elapsed() >= CAUGHT_AFTER && !self.ending.contains(&panic.tid))
        };
        while let Some(index) = self.waiting.iter().position(is_due) {
            let Waiting { ticket, at, .. } = self.waiting.remove(index);
            let capture = capture::begin(link, Subject::Panic(ticket), End::StillAlive);
            let copy = Snapshot::read(&capture.recorder).ok();
            // Newer ones may have taken its place.
            if copy.is_some_and(|copy| copy.panics().any(|panic| panic.ticket == ticket)) {
                let (process, maps, images) = (at.process.clone(), at.maps.clone(), at.images.clone());
                return Some(Capture { process, maps, images, ..capture });
            }
        }
        None
    }
}
