//! A death that is known and not reported yet, and how sure it must be before the node is let go.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use lifeboat_recorder::{DeathStage, Snapshot};

use crate::capture::{self, Capture, End};

use crate::report::Told;

use super::link::Link;
use super::process;
use super::roles::{Destination, Kept, Sync};

/// What must be on disk before the node goes on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Nothing: we outlive the node.
    Nothing,
    /// The capture: the end of another process may be ours, too, and soon.
    Capture,
    /// The report: the node is the first of its namespace, and its end is the end of all in it.
    Report,
}

impl Needed {
    /// By where the node runs.
    pub(crate) fn by(pid: u32) -> Self {
        match (pid, process::are_contained()) {
            (1, _) => Self::Report,
            (_, true) => Self::Capture,
            _ => Self::Nothing,
        }
    }
}

/// A death to be reported.
pub(crate) struct Pending {
    pub(crate) capture: Capture,
    pub(crate) is_reported: bool,
    /// What its report says.
    pub(crate) told: Option<Told>,
    /// The capture on disk, for a monitor that comes after our own end.
    kept: Option<Kept>,
}

impl Pending {
    pub(crate) const fn new(capture: Capture) -> Self {
        Self { capture, is_reported: false, told: None, kept: None }
    }

    /// Writes the capture to disk, so that it outlives us.
    pub(crate) fn keep(&mut self, destination: &Destination) {
        if self.kept.is_none()
            && let Ok(bytes) = capture::encode(&self.capture)
        {
            self.kept = destination.keep(&bytes, Sync::Quick).ok();
        }
    }

    /// Makes the report, once, and sees to its delivery.
    pub(crate) fn report(&mut self, end: End, destination: &Destination, node: BorrowedFd<'_>) {
        if self.is_reported {
            return;
        }
        self.is_reported = true;
        self.capture.end = end;
        if let Ok(told) = destination.report(&self.capture) {
            self.told = told;
            self.forget_kept();
            destination.deliver(node, false);
        }
    }

    /// Nobody needs the capture on disk any more.
    pub(crate) fn forget_kept(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.forget();
        }
    }
}

/// A fault that the node's handler has recorded.
pub(crate) struct Fault {
    pub(crate) generation: u32,
    pub(crate) tid: u32,
    pub(crate) signal: i32,
    pub(crate) pending: Pending,
    pub(crate) since: Instant,
    /// When another handler was seen to have repaired it.
    pub(crate) recovered: Option<Instant>,
}

impl Fault {
    /// Whether it was reported while the process lived on.
    pub(crate) fn was_given_up(&self) -> bool {
        self.pending.is_reported && self.pending.capture.end == End::StillAlive
    }

    /// Takes the recorder as it is now, with what the node's own handler had to say, unless the fault's record is
    /// no longer in it.
    pub(crate) fn refresh(&mut self, link: &Link) {
        let Ok(now) = link.copy() else { return };
        let is_there = Snapshot::read(&now).ok().and_then(|copy| copy.death()).is_some_and(|death| {
            death.generation == self.generation && death.stage == DeathStage::Complete as u32
        });
        if is_there {
            self.pending.capture.recorder = now;
        }
    }
}
