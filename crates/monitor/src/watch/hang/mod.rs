//! Loops that give no proof of life: which of a node's heartbeats is late, for how long, and whether that is a hang.
//!
//! One that is late gets a grace first, of time in which this process runs: a machine that slept, a container that was
//! frozen or a processor that had no time for anybody is no hang of the node's.

mod let_in;
mod load;
mod look;
mod looking;

use std::time::{Duration, Instant};

use lifeboat_recorder::{Health, HeartbeatView};

use super::capture::boottime_ns;
use super::link::{HealthCopy, Link};
use load::Load;

pub(crate) use looking::Looking;

/// The grace is the deadline again, within these bounds.
const GRACE_MIN: Duration = Duration::from_secs(1);
const GRACE_MAX: Duration = Duration::from_secs(10);
/// A loop with a short deadline is not looked at more often: what a hang is, is not decided that quickly.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Who sleeps so much longer than it meant to was kept from running, and so was the node.
const STARVED: Duration = Duration::from_secs(1);

/// The heartbeats of one node, as far as they are late.
#[derive(Default)]
pub(crate) struct Hangs {
    late: Vec<Late>,
    /// When to look again; nothing where no heartbeat was declared.
    due: Option<Instant>,
    /// Who stopped the node for so long that a heartbeat is late: told with the report that follows, if one does.
    held_by: Option<String>,
    /// Whether the whole process is stopped, and that was told: all others stand still by the same stop.
    is_stop_told: bool,
}

/// A heartbeat that did not come in time.
#[derive(Clone)]
struct Late {
    name: Vec<u8>,
    last_boottime_ns: u64,
    since: Instant,
    load: Load,
    is_told: bool,
    /// Whether it was found late while the whole process was stopped.
    is_of_stop: bool,
}

/// A hang to be reported.
pub(crate) struct Found {
    hang: crate::capture::Hang,
    last_boottime_ns: u64,
    /// What the threads had used of the processor when the heartbeat became late.
    load: Load,
    notes: Vec<String>,
}

impl Hangs {
    /// How long until there is something to look at.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Nothing is late any more, and nothing need be looked at for now.
    pub(crate) fn forget(&mut self) {
        self.late.clear();
        self.due = None;
        self.is_stop_told = false;
    }

    /// Looks no more until asked to.
    pub(crate) fn rest(&mut self) {
        self.due = None;
    }

    /// Who held the node while a heartbeat was late, where that was told nowhere.
    pub(crate) fn held_by(&self) -> Option<&str> {
        self.held_by.as_deref()
    }

    /// Whoever waited until this was due and woke so late starts every grace anew.
    pub(crate) fn has_woken(&mut self) {
        if self.due.is_some_and(|due| due.elapsed() >= STARVED) {
            self.excuse();
        }
    }

    /// Looks at the heartbeats. One hang is told at a time, however many loops it stops.
    pub(crate) fn look(&mut self, link: &Link) -> Option<Found> {
        let now_ns = boottime_ns();
        let copy = link.health();
        let health = copy.as_ref().and_then(HealthCopy::read);
        let live = health.iter().flat_map(Health::heartbeats).filter(|beat| beat.deadline_ms != 0);
        let live: Vec<_> = live.collect();
        let known = std::mem::take(&mut self.late);
        // A loop that came back has ended that stop; the next is another.
        self.is_stop_told &=
            live.iter().any(|beat| known.iter().any(|late| late.is_of_stop && late.is(beat)));
        let mut waits = Vec::new();
        let mut found = Vec::new();
        for beat in live {
            let deadline = Duration::from_millis(beat.deadline_ms.into());
            if !beat.is_overdue(now_ns) {
                waits.push(deadline.saturating_sub(Duration::from_nanos(beat.age_ns(now_ns))));
                continue;
            }
            let known = known.iter().find(|late| late.is(&beat)).cloned();
            let mut late = known.unwrap_or_else(|| Late::new(&beat, link.pid()));
            let grace = deadline.clamp(GRACE_MIN, GRACE_MAX);
            if !late.is_told && late.since.elapsed() >= grace {
                found.extend(self.decide(link, &mut late, &beat, now_ns));
            }
            let left = grace.saturating_sub(late.since.elapsed());
            waits.push(if late.is_told { grace } else { left });
            self.late.push(late);
        }
        if self.late.is_empty() {
            self.held_by = None;
        }
        self.due = waits.into_iter().min().map(|wait| Instant::now() + wait.max(BETWEEN_LOOKS));
        Found::first_of(found)
    }

    /// A node that a debugger holds does not hang: its loops get a new grace, until it is let go.
    fn decide(
        &mut self,
        link: &Link,
        late: &mut Late,
        beat: &HeartbeatView<'_>,
        now_ns: u64,
    ) -> Option<Found> {
        let seen = look::seen(link.pid(), beat.tid);
        if seen.holder.is_some() {
            self.held_by = seen.holder;
            late.since = Instant::now();
            return None;
        }
        (late.is_told, late.is_of_stop) = (true, seen.is_stopped);
        let is_known = seen.is_stopped && self.is_stop_told;
        self.is_stop_told = seen.is_stopped;
        let hang = crate::capture::Hang {
            heartbeat: String::from_utf8_lossy(beat.name).into_owned(),
            age_ns: beat.age_ns(now_ns),
            deadline_ms: beat.deadline_ms,
            beats: beat.count,
            tid: beat.tid,
            state: seen.state,
            waits_in: seen.waits_in,
            busy: Vec::new(),
            later: Vec::new(),
        };
        let notes = self.held_by.take().into_iter().collect();
        let (last_boottime_ns, load) = (beat.last_boottime_ns, late.load.clone());
        (!is_known).then_some(Found { hang, last_boottime_ns, load, notes })
    }

    fn excuse(&mut self) {
        for late in &mut self.late {
            late.since = Instant::now();
        }
    }
}

impl Found {
    /// The one that is late for the longest; of the others the names.
    fn first_of(mut all: Vec<Self>) -> Option<Self> {
        all.sort_by_key(|found| {
            found.last_boottime_ns.saturating_add(u64::from(found.hang.deadline_ms) * 1_000_000)
        });
        let mut all = all.into_iter();
        let mut first = all.next()?;
        for other in all {
            first.notes.push(format!("heartbeat {} is late, too", other.hang.heartbeat));
            first.notes.extend(other.notes);
        }
        Some(first)
    }
}

impl Late {
    fn is(&self, beat: &HeartbeatView<'_>) -> bool {
        self.name == beat.name && self.last_boottime_ns == beat.last_boottime_ns
    }

    fn new(beat: &HeartbeatView<'_>, pid: u32) -> Self {
        let (name, last_boottime_ns) = (beat.name.to_vec(), beat.last_boottime_ns);
        let (since, load) = (Instant::now(), Load::of(pid));
        Self { name, last_boottime_ns, since, load, is_told: false, is_of_stop: false }
    }
}
