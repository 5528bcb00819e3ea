//! The program has ended: how, why, is that worth a report; and if so, makes it.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lifeboat_abi::{Level, Origin};
use lifeboat_recorder::Snapshot;

use crate::capture::{CAPTURE_VERSION, Capture, End, Subject};
use crate::lives::Lives;
use crate::report::Told;
use crate::sample;
use crate::spool::Spool;
use crate::state_file::now_seconds;
use crate::watch::modules::Modules;
use crate::watch::process;
use crate::watch::roles::Destination;
use crate::watch::sampler::Sampler;
use crate::watch::verdict::{self, Circumstances};

use super::Tracing;
use super::level;
use super::lines::{Line, Stream};
use super::output::Pumps;
use super::reason::{self, Reason};
use super::recorder::{OwnRecorder, boottime_ns, realtime_ns};
use super::trace::{Scene, Tracer};

/// What was said longer before the end is not why.
const REASON_AGE_MAX: Duration = Duration::from_secs(2);
/// An error that was logged longer before an exit has nothing to do with it.
const ERROR_AGE_MAX: Duration = Duration::from_secs(10);
/// So long the report waits for output that nobody takes.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(2);
/// So long the report itself may take: its first try gives up after 20 seconds.
const REPORT_PATIENCE: Duration = Duration::from_secs(30);
/// In a container our end may be the delivering process's, too: so long it may take.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(10);
/// By these signals `abort` ends a process, which may have told why; any other fault speaks for itself.
const ABORT_SIGNALS: [i32; 3] = [libc::SIGABRT, libc::SIGILL, libc::SIGTRAP];
/// With this status a Nim program ends by an exception that nobody caught.
const NIM_STATUS: i32 = 1;
/// And with this one a Rust program whose first thread panicked.
const PANIC_STATUS: i32 = 101;
/// What shells add to the number of the signal that ended what they had started.
const SHELL_SIGNAL: i32 = 128;

/// What is known when it is over.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) recorder: Arc<OwnRecorder>,
    pub(super) tracer: Tracer,
    pub(super) tracing: Tracing,
    pub(super) destination: Option<Destination>,
    pub(super) log_breadcrumbs: usize,
    pub(super) pumps: Pumps,
    /// What looks at the program, where there will be a report.
    pub(super) sampler: Option<Sampler>,
    /// What looks after its modules, where it is a host of Logos Core.
    pub(super) modules: Option<Arc<Modules>>,
}

impl Ended {
    /// Reports the death, if it is one, and sees the last output out.
    pub(super) fn conclude(mut self) {
        let over = (SystemTime::now(), Instant::now());
        self.pumps.settle(OUTPUT_PATIENCE);
        if let Some(destination) = self.destination.take() {
            let lives = self.recorder.begin_life(&destination.state_dir, self.pid);
            let ended = match self.capture(over) {
                Some(capture) => self.report(&destination, &capture),
                None => self.count_stop(lives.as_ref()),
            };
            if let Some(sampler) = &self.sampler {
                sampler.end(ended);
            }
        }
        if let Some(modules) = &self.modules {
            modules.finish();
        }
        self.pumps.finish();
    }

    /// The capture of a death that was seen at this moment; nothing where the end is none.
    fn capture(&mut self, (now, instant): (SystemTime, Instant)) -> Option<Capture> {
        let is_of_fault = self.tracer.is_end_of_fault(self.end);
        if !is_of_fault {
            self.recorder.strike_fault();
        }
        let fault = self.tracer.fault.take().filter(|_| is_of_fault);
        let exit = self.tracer.exit.take();
        // Between a fault and the end a core may have been written, which takes its time.
        let since = fault.as_ref().map_or(Duration::ZERO, |fault| instant.duration_since(fault.since));
        let died_at = now.checked_sub(since).unwrap_or(now);
        let tid = fault.as_ref().map(|fault| fault.tid).or(exit.as_ref().map(|exit| exit.tid));
        let signal = match (&fault, self.end) {
            (Some(fault), _) => Some(fault.signal),
            (None, End::Signaled(signal)) => Some(signal),
            _ => None,
        };
        let scene = fault.map(|fault| fault.scene).or(exit.map(|exit| exit.scene)).unwrap_or_default();
        let has_stack = is_of_fault || !scene.threads.is_empty();
        let lines = self.pumps.lines();
        let reason = reason_of(&lines, self.end, signal, died_at);
        if !is_of_fault && !self.is_death(reason.is_some()) {
            return None;
        }
        self.leave_breadcrumbs(&lines, died_at, reason.is_some() || signal.is_some());
        if let Some((at, mut reason)) = reason {
            // The captured stack tells more, unless the language told its own, or unwound before it exited.
            let unwound = reason.origin == Origin::Panic && signal.is_none();
            if has_stack && reason.origin != Origin::Nim && !unwound {
                reason.frames.clear();
            }
            self.recorder.last_words(tid.unwrap_or(self.pid), at, &reason);
        }
        let recorder = self.recorder.copy().unwrap_or_default();
        let Scene { threads, maps, images, process, abort_message, mut notes } = scene;
        notes.extend(self.notes());
        let seen = self.sampler.as_ref().map(Sampler::seen).unwrap_or_default();
        Some(Capture {
            version: CAPTURE_VERSION,
            subject: Subject::Death,
            module: None,
            recorder,
            end: self.end,
            threads,
            maps,
            images,
            process,
            abort_message,
            notes,
            captured_boottime_ns: 0,
            hang: None,
            captured_realtime_ns: realtime_ns(died_at),
            metrics: seen.scraped,
            restarts: None,
            course: seen.course,
            out_of_memory: self.sampler.as_ref().map(|it| it.out_of_memory(self.end)).unwrap_or_default(),
        })
    }

    fn count_stop(&self, lives: Option<&Lives>) -> sample::Ended {
        let copy = self.recorder.copy().unwrap_or_default();
        let kind = Snapshot::read(&copy).map(|copy| verdict::stop_kind(&copy.control(), self.end));
        if let Some((lives, kind)) = lives.zip(kind.as_ref().ok()) {
            // What could not be counted is missing in a number, and nowhere else.
            let _ = lives.stop(kind);
        }
        let detail = format!("stopped ({})", kind.unwrap_or("clean"));
        sample::Ended { at_seconds: now_seconds(), detail, ..sample::Ended::default() }
    }

    fn is_death(&self, has_last_words: bool) -> bool {
        // Where the recorder cannot be read, the death is told without it.
        let Ok(copy) = self.recorder.copy() else { return true };
        let Ok(snapshot) = Snapshot::read(&copy) else { return true };
        let about = Circumstances { control: snapshot.control(), has_last_words, boottime_ns: boottime_ns() };
        verdict::is_death(&about, self.end)
    }

    /// The last lines, as many as were asked for; and where nothing else says why, the last error at least.
    fn leave_breadcrumbs(&self, lines: &[Line], died_at: SystemTime, is_explained: bool) {
        let asked = lines.get(lines.len().saturating_sub(self.log_breadcrumbs)..).unwrap_or_default();
        for line in asked {
            self.recorder.breadcrumb(line, level::of(&line.text).unwrap_or(Level::Info));
        }
        if asked.is_empty() && !is_explained {
            let is_error = |line: &&Line| {
                is_recent(line, died_at, ERROR_AGE_MAX)
                    && matches!(level::of(&line.text), Some(Level::Error | Level::Fatal))
            };
            if let Some(line) = lines.iter().rfind(is_error) {
                self.recorder.breadcrumb(line, Level::Error);
            }
        }
    }

    /// What this report cannot show, and why.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match &self.tracing {
            Tracing::On | Tracing::NotAsked => {}
            Tracing::Forbidden => notes.push("no stack was taken: the program ran with --no-trace".into()),
            Tracing::Privileged => notes.push(
                "no stack was taken: the program's file gives it rights that it would lose if it were traced".into(),
            ),
            Tracing::Refused(why) => notes.push(format!(
                "no stack could be taken, because tracing was refused ({why}): allow it with a seccomp profile that \
                 permits ptrace, and kernel.yama.ptrace_scope 0 or 1"
            )),
        }
        if !self.pumps.is_any_read {
            notes.push("the program wrote to a terminal: its output was not read".into());
        }
        if let End::Exited(status) = self.end
            && (SHELL_SIGNAL + 1..=SHELL_SIGNAL + 31).contains(&status)
        {
            notes.push(format!(
                "status {status} is what a shell answers when a program that it started was ended by signal {}: let \
                 it `exec` the program, which is then looked after itself",
                status - SHELL_SIGNAL
            ));
        }
        notes
    }

    /// Makes the report; what is told of the death where it is served.
    fn report(&self, destination: &Destination, capture: &Capture) -> sample::Ended {
        let before = pending(destination);
        let unknown = |detail: &str| sample::Ended {
            cause: "unknown".into(),
            at_seconds: now_seconds(),
            detail: detail.into(),
            ..sample::Ended::default()
        };
        match destination.report_within(Some(REPORT_PATIENCE), capture) {
            Ok(told) => {
                self.deliver(destination, &before);
                let ended = |told: Told| sample::Ended {
                    cause: told.cause,
                    at_seconds: told.at_seconds,
                    event_id: told.event_id,
                    detail: told.detail,
                };
                told.map_or_else(|| unknown("died"), ended)
            }
            Err(error) => {
                super::say(&format!("the death could not be reported: {error}"));
                unknown("died; its report could not be made yet")
            }
        }
    }

    /// Sends it on its way; in a container, where our end is everybody's, until it has arrived.
    fn deliver(&self, destination: &Destination, before: &HashSet<uuid::Uuid>) {
        destination.deliver(self.pidfd.as_fd(), false);
        if destination.dsn.is_none() || !process::are_contained() {
            return;
        }
        let new: HashSet<_> = pending(destination).difference(before).cloned().collect();
        let until = Instant::now() + DELIVERY_PATIENCE;
        while Instant::now() < until && !pending(destination).is_disjoint(&new) {
            std::thread::sleep(NAP);
        }
    }
}

/// What the program said of its end, where it may be believed: just now, and of such an end.
fn reason_of(
    lines: &[Line],
    end: End,
    signal: Option<i32>,
    died_at: SystemTime,
) -> Option<(SystemTime, Reason)> {
    [Stream::Stderr, Stream::Output, Stream::Stdout].into_iter().find_map(|stream| {
        let own: Vec<_> = lines.iter().filter(|line| line.stream == stream).collect();
        let texts: Vec<_> = own.iter().map(|line| line.text.as_str()).collect();
        let reason = reason::find_of(&texts, |origin| ends_so(origin, end, signal))?;
        let line = own.get(reason.line).filter(|line| is_recent(line, died_at, REASON_AGE_MAX))?;
        Some((line.at, reason))
    })
}

/// Whether programs of this origin end so where they have such a reason.
fn ends_so(origin: Origin, end: End, signal: Option<i32>) -> bool {
    let exits_with = |status| signal.is_none() && matches!(end, End::Exited(own) if own == status);
    let aborts = signal.is_some_and(|signal| ABORT_SIGNALS.contains(&signal));
    match origin {
        Origin::Nim => exits_with(NIM_STATUS),
        Origin::Panic => exits_with(PANIC_STATUS) || aborts,
        _ => aborts,
    }
}

fn is_recent(line: &Line, died_at: SystemTime, age_max: Duration) -> bool {
    died_at.duration_since(line.at).unwrap_or_default() <= age_max
}

fn pending(destination: &Destination) -> HashSet<uuid::Uuid> {
    let spool = Spool::look(&destination.state_dir).ok();
    let stored = spool.and_then(|spool| spool.pending().ok()).unwrap_or_default();
    stored.into_iter().map(|stored| stored.event_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of reason that is believed of such an end, where it was said so long before.
    fn told(text: &str, end: End, signal: Option<i32>, before: Duration) -> Option<String> {
        let died_at = SystemTime::now();
        let at = died_at - before;
        let line = |text: &str| Line { stream: Stream::Stderr, at, text: text.to_owned() };
        let lines: Vec<_> = text.lines().map(line).collect();
        reason_of(&lines, end, signal, died_at).map(|(_, reason)| reason.kind)
    }

    #[test]
    fn a_reason_is_believed_of_such_an_end_alone() {
        let (nim, panic) =
            ("Error: unhandled exception: a [IOError]", "thread 'a' panicked at b.rs:1:2:\nno");
        let (cpp, heap) = ("terminate called after throwing an instance of 'int'", "free(): invalid pointer");
        let aborted = (End::Signaled(libc::SIGABRT), Some(libc::SIGABRT));
        let fault = (End::Signaled(libc::SIGSEGV), Some(libc::SIGSEGV));
        let exited = |status| (End::Exited(status), None);
        for (text, (end, signal), expected) in [
            (nim, exited(1), Some("IOError")),
            (nim, exited(3), None),
            (nim, aborted, None),
            (panic, exited(101), Some("panic")),
            (panic, aborted, Some("panic")),
            (panic, exited(1), None),
            (panic, fault, None),
            (cpp, aborted, Some("int")),
            (cpp, (End::Exited(1), Some(libc::SIGABRT)), Some("int")),
            (cpp, exited(1), None),
            (heap, aborted, Some("abort")),
            (heap, exited(1), None),
            (heap, fault, None),
        ] {
            let told = |seconds| told(text, end, signal, Duration::from_secs(seconds));
            assert_eq!(told(1).as_deref(), expected, "{text} {end:?}");
            assert_eq!(told(3), None, "{text} {end:?}");
        }
        // A form of another origin does not hide it.
        let both = format!("{panic}\n{nim}\n");
        assert_eq!(told(&both, End::Exited(101), None, Duration::ZERO).as_deref(), Some("panic"));
    }
}
