//! What the node shows of itself: its recorder, its metrics, and the one line that the kernel shows everybody. None of it
//! needs the node to do anything.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use lifeboat_recorder::{Health, Setting, Snapshot, component_state};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use crate::watch::link::SETTINGS_BYTES;

use super::own::Own;

/// Who the node is, as it declared when it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) app: String,
    pub(super) version: String,
    pub(super) commit: String,
    pub(super) fleet: String,
    pub(super) node: String,
}

/// How the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs, sleeps or waits.
    Alive,
    /// Somebody stopped it by a signal.
    Stopped,
    /// It waits for storage or the like, and no signal reaches it. For a moment that is nothing.
    Waiting,
    /// It has ended.
    Ended,
    /// The kernel does not say.
    Unknown,
}

/// What a component says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) name: String,
    /// A number of `component_state`.
    pub(super) state: i32,
    /// Since when, milliseconds since 1970.
    pub(super) since_ms: u64,
    pub(super) detail: String,
}

/// A loop's proof of life.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heartbeat {
    pub(super) name: String,
    pub(super) age_seconds: f64,
    /// Nothing where the loop has ended properly.
    pub(super) deadline_seconds: Option<f64>,
    pub(super) count: u64,
    pub(super) is_overdue: bool,
}

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) state: State,
    /// When the node was started, seconds since 1970.
    pub(super) start_seconds: Option<f64>,
    /// Nothing where the recorder has no such part, or cannot be read.
    pub(super) health: Option<(Vec<Component>, Vec<Heartbeat>)>,
}

/// The node.
pub(super) struct Node {
    recorder: File,
    pidfd: OwnedFd,
    pub(super) pid: u32,
    /// `/proc/PID/stat`, open since before we were confined; it stays the node's, whoever gets its number.
    stat: Option<File>,
    own: Option<Own>,
    has_ended: bool,
}

impl About {
    /// Of whom nothing is known.
    pub(super) const fn unknown() -> Self {
        Self {
            app: String::new(),
            version: String::new(),
            commit: String::new(),
            fleet: String::new(),
            node: String::new(),
        }
    }
}

impl Node {
    /// To be made before this process is confined.
    pub(super) fn new(recorder: File, pidfd: OwnedFd, metrics: Option<File>) -> Self {
        let pid = pid_of(&pidfd);
        let stat = File::open(format!("/proc/{pid}/stat")).ok();
        let has_ended = has_ended(&pidfd);
        Self { recorder, pidfd, pid, stat, own: metrics.and_then(Own::new), has_ended }
    }

    /// Whose end is to be waited for.
    pub(super) const fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Whether it has ended; then nothing of its own is shown any more.
    pub(super) fn has_ended(&mut self) -> bool {
        if !self.has_ended && has_ended(&self.pidfd) {
            self.end();
        }
        self.has_ended
    }

    /// Takes it for ended: it said itself that it stops.
    pub(super) fn end(&mut self) {
        (self.has_ended, self.own) = (true, None);
    }

    /// Its own metrics, while it lives.
    pub(super) const fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// Who it is.
    pub(super) fn about(&self) -> About {
        let head = self.copy(0, SETTINGS_BYTES).unwrap_or_default();
        let Ok(snapshot) = Snapshot::read(&head) else { return About::default() };
        let text = |setting| snapshot.setting(setting).map(readable).unwrap_or_default();
        About {
            app: text(Setting::App),
            version: text(Setting::Version),
            commit: text(Setting::Commit),
            fleet: text(Setting::Fleet),
            node: text(Setting::Node),
        }
    }

    /// How it is now.
    pub(super) fn look(&mut self) -> View {
        let state = if self.has_ended() { State::Ended } else { self.state() };
        let head = self.copy(0, Health::HEAD_BYTES.max(4096)).unwrap_or_default();
        let control = Snapshot::read(&head).ok().map(|snapshot| snapshot.control());
        let start_seconds = control.map(|control| control.start_realtime_ns as f64 / 1e9);
        View { state, start_seconds: start_seconds.filter(|at| *at > 0.0), health: self.health(&head) }
    }

    fn state(&self) -> State {
        let mut line = [0; 512];
        let Some(Ok(count)) = self.stat.as_ref().map(|stat| stat.read_at(&mut line, 0)) else {
            return State::Unknown;
        };
        let line = line.get(..count).unwrap_or_default();
        // The name before it may hold anything.
        let letter = line.iter().rposition(|byte| *byte == b')').and_then(|at| line.get(at + 2));
        match letter {
            Some(b'T') => State::Stopped,
            Some(b'D') => State::Waiting,
            // `Z` says that the first thread has ended; whether the others have, the pidfd knows.
            Some(_) => State::Alive,
            None => State::Unknown,
        }
    }

    fn health(&self, head: &[u8]) -> Option<(Vec<Component>, Vec<Heartbeat>)> {
        let (offset, size) = Health::range(head)?;
        let copy = self.copy(offset, size)?;
        let health = Health::read(head, &copy)?;
        let now = clock_gettime(ClockId::Boottime);
        let now = (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64);
        let components = health.components().map(|component| Component {
            name: readable(component.name),
            state: component.state.clamp(component_state::UNKNOWN, component_state::FAILING),
            since_ms: component.since_realtime_ns / 1_000_000,
            detail: readable(component.detail),
        });
        let heartbeats = health.heartbeats().map(|beat| Heartbeat {
            name: readable(beat.name),
            age_seconds: beat.age_ns(now) as f64 / 1e9,
            deadline_seconds: (beat.deadline_ms != 0).then(|| f64::from(beat.deadline_ms) / 1e3),
            count: beat.count,
            is_overdue: beat.is_overdue(now),
        });
        let (mut components, mut heartbeats): (Vec<_>, Vec<_>) = (components.collect(), heartbeats.collect());
        // A name that a torn write or a hostile node shows twice would be a series twice.
        components.sort_by(|one, other| one.name.cmp(&other.name));
        components.dedup_by(|one, other| one.name == other.name);
        heartbeats.sort_by(|one, other| one.name.cmp(&other.name));
        heartbeats.dedup_by(|one, other| one.name == other.name);
        Some((components, heartbeats))
    }

    fn copy(&self, offset: usize, size: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; size];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.recorder.read_at(rest, (offset + filled) as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        bytes.truncate(filled);
        (filled > 0).then_some(bytes)
    }
}

/// A node's text, which may hold anything.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..))
}

/// The number in what the kernel says of a pidfd; 0 where the process has been reaped.
fn pid_of(pidfd: &OwnedFd) -> u32 {
    let text =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0)
}
