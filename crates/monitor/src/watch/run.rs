//! The role's course: sleep until the bell rings, look what happened, act, until the node is gone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use lifeboat_recorder::{DeathStage, Setting, Snapshot, StopKind};

use crate::Error;
use crate::capture::{Capture, End, Subject};
use crate::hygiene;
use crate::rest;
use crate::spool::Spool;

use super::errors::Errors;
use super::hold::{self, Exit};
use super::link::{self, Link, SETTINGS_BYTES};
use super::roles::Destination;
use super::{capture, end, images, leftovers, process, threads, verdict};

/// How long a recorded fault may stay without an end before it is reported as such: the node's own handler
/// works on, or hangs.
const CONFIRM: Duration = Duration::from_secs(5);
/// A repaired fault still explains an end by the same signal within this time: `abort` survives its handler so.
const RECOVERED_COUNTS: Duration = Duration::from_secs(1);
/// How long the node's own record of its fault may take.
const RECORD_TIMEOUT: Duration = Duration::from_secs(1);
const LAST_DESCRIPTOR: i32 = 4;

/// Watches the node whose recorder and pidfd were left to this process, until it has ended.
///
/// # Errors
/// Where there is no recorder, or no state directory can be had.
pub fn run() -> Result<(), Error> {
    hygiene::close_above(LAST_DESCRIPTOR);
    hygiene::settle();
    let link = Arc::new(Link::inherited()?);
    link.announce();
    let outcome = Watch::new(&link).and_then(Watch::run);
    link.leave();
    outcome
}

struct Watch {
    link: Arc<Link>,
    destination: Destination,
    gone: Arc<AtomicBool>,
    /// The last fault that was captured.
    fault: Option<Fault>,
    /// The thread that holds the exiting thread, once there is one.
    exit: Option<Receiver<Exit>>,
    errors: Errors,
}

struct Fault {
    generation: u32,
    capture: Capture,
    since: Instant,
    is_reported: bool,
    /// The capture on disk, kept for a monitor that comes after our own end.
    kept: Option<PathBuf>,
}

impl Fault {
    /// Takes the recorder as it is now, with what the node's own handler had to say, unless the fault's record is
    /// no longer in it.
    fn refresh(&mut self, link: &Link) {
        let Ok(now) = link.copy() else { return };
        let is_there = Snapshot::read(&now).ok().and_then(|copy| copy.death()).is_some_and(|death| {
            death.generation == self.generation && death.stage == DeathStage::Complete as u32
        });
        if is_there {
            self.capture.recorder = now;
        }
    }

    /// Nobody needs the capture on disk any more.
    fn forget_kept(&mut self) {
        if let Some(path) = self.kept.take() {
            // Should that fail the report is made again, under the same event id.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Watch {
    fn new(link: &Arc<Link>) -> Result<Self, Error> {
        let copy = link.copy_of(SETTINGS_BYTES)?;
        let snapshot = Snapshot::read(&copy).map_err(|error| Error::malformed(error.to_string()))?;
        let text = |setting| snapshot.setting(setting).map(|text| String::from_utf8_lossy(text).into_owned());
        let state_dir =
            text(Setting::StateDir).ok_or_else(|| Error::malformed("no state directory was named"))?;
        let destination = Destination { state_dir: state_dir.into(), dsn: text(Setting::Dsn) };
        let link = Arc::clone(link);
        let gone = Arc::new(AtomicBool::new(false));
        let errors = Errors::new(&link, &destination);
        Ok(Self { link, destination, gone, fault: None, exit: None, errors })
    }

    fn run(self) -> Result<(), Error> {
        self.listen_for_the_end()?;
        // A node may die while this runs: its fault is seen first below, and the state directory made then.
        let prepared = Spool::open(&self.destination.state_dir).map(drop);
        let leftovers = prepared.is_ok().then(|| {
            self.destination.deliver(self.link.pidfd(), true);
            let (destination, link) = (self.destination.clone(), Arc::clone(&self.link));
            let work = move || {
                leftovers::report(&destination);
                // So that the memory of this work is given back, too.
                link.ring();
            };
            std::thread::Builder::new().name("leftovers".into()).spawn(work)
        });
        let outcome = self.watch();
        if let Some(Ok(leftovers)) = leftovers {
            // A node that dies at once, again and again, leaves no other time for them.
            let _ = leftovers.join();
        }
        outcome
    }

    fn watch(mut self) -> Result<(), Error> {
        loop {
            let heard = self.link.control().doorbell.load(Ordering::Acquire);
            let is_gone = self.gone.load(Ordering::Acquire);
            self.look_at_fault();
            self.look_at_exit();
            self.errors.look(is_gone);
            if is_gone {
                return self.conclude();
            }
            if self.link.control().stop_kind.load(Ordering::Acquire) == StopKind::Clean as u32 {
                self.errors.finish();
                return Ok(());
            }
            if self.fault.is_none() && self.exit.is_none() && self.errors.are_settled() {
                rest::give_back();
            }
            link::wait(&self.link.control().doorbell, heard, self.until_confirmed());
        }
    }

    /// Rings the bell when the node has ended.
    fn listen_for_the_end(&self) -> Result<(), Error> {
        let (link, gone) = (Arc::clone(&self.link), Arc::clone(&self.gone));
        let listener = std::thread::Builder::new().name("end".into()).stack_size(64 * 1024);
        let spawned = listener.spawn(move || {
            end::wait(link.pidfd());
            gone.store(true, Ordering::Release);
            link.ring();
        });
        spawned.map(drop).map_err(|error| Error::system("cannot watch for the node's end", error))
    }

    fn look_at_fault(&mut self) {
        let death = self.link.death();
        let stage = death.stage.load(Ordering::Acquire);
        let generation = death.generation.load(Ordering::Relaxed);
        let is_known = self.fault.as_ref().is_some_and(|fault| fault.generation == generation);
        if stage >= DeathStage::Signal as u32 && stage < DeathStage::Recovered as u32 && !is_known {
            self.capture_fault(generation);
        }
        if is_known
            && stage == DeathStage::Recovered as u32
            && let Some(fault) = &mut self.fault
        {
            fault.forget_kept();
        }
        let is_due = self.until_confirmed() == Some(Duration::ZERO);
        if is_due && stage != DeathStage::Recovered as u32 {
            self.report_fault(End::StillAlive);
        }
    }

    /// Takes what the dying process shows of itself while it waits, then lets it go.
    fn capture_fault(&mut self, generation: u32) {
        let pid = self.link.pid();
        let (threads, notes) = threads::capture(pid, Some(self.link.death().tid.load(Ordering::Relaxed)));
        let process = process::process(pid);
        self.wait_for_record();
        let images = images::images(pid, &self.link.maps());
        // What a handler of the node's own repairs is struck out of the recorder, and may be its end all the same.
        let is_chained = self.link.death().is_chained.load(Ordering::Relaxed) != 0;
        let early = is_chained.then(|| capture::begin(&self.link, Subject::Death, End::Unknown));
        let is_first = pid == 1;
        if !is_first {
            self.answer(generation);
        }
        let recorded = early.unwrap_or_else(|| capture::begin(&self.link, Subject::Death, End::Unknown));
        let capture = Capture { threads, images, process, ..recorded };
        let notes = notes.into_iter().chain(capture.notes).collect();
        let capture = Capture { notes, ..capture };
        self.fault =
            Some(Fault { generation, capture, since: Instant::now(), is_reported: false, kept: None });
        if is_first {
            self.store_before_answer();
            self.answer(generation);
        }
    }

    fn answer(&self, generation: u32) {
        self.link.control().death_ack.store(generation, Ordering::Release);
        link::wake(&self.link.control().death_ack);
    }

    fn wait_for_record(&self) {
        let stage = &self.link.death().stage;
        let from = Instant::now();
        loop {
            let seen = stage.load(Ordering::Acquire);
            let left = RECORD_TIMEOUT.saturating_sub(from.elapsed());
            if seen >= DeathStage::Complete as u32 || left.is_zero() || self.gone.load(Ordering::Acquire) {
                return;
            }
            link::wait(stage, seen, Some(left));
        }
    }

    /// The end of PID 1 is the end of all in its namespace, ours too. Where a handler of the node's own may yet
    /// repair the fault only the capture is kept, for the next monitor; else the report is made now.
    fn store_before_answer(&mut self) {
        if self.link.death().is_chained.load(Ordering::Relaxed) == 0 {
            self.report_fault(End::Unknown);
        } else if let Some(fault) = &mut self.fault
            && let Ok(bytes) = crate::capture::encode(&fault.capture)
        {
            fault.kept = self.destination.keep(&bytes).ok();
        }
    }

    fn report_fault(&mut self, end: End) {
        if let Some(fault) = &mut self.fault
            && !fault.is_reported
        {
            fault.is_reported = true;
            fault.capture.end = end;
            fault.refresh(&self.link);
            let reported = self.destination.report(&fault.capture);
            if reported.is_ok() {
                fault.forget_kept();
            }
            self.after_report(reported);
        }
    }

    fn after_report(&self, reported: Result<(), Error>) {
        if reported.is_ok() {
            self.destination.deliver(self.link.pidfd(), false);
        }
    }

    /// How long until a recorded fault must have ended the process; nothing where there is none.
    fn until_confirmed(&self) -> Option<Duration> {
        let fault = self.fault.as_ref().filter(|fault| !fault.is_reported)?;
        let recovered = self.link.death().stage.load(Ordering::Acquire) == DeathStage::Recovered as u32;
        (!recovered).then(|| CONFIRM.saturating_sub(fault.since.elapsed()))
    }

    fn look_at_exit(&mut self) {
        let tid = self.link.control().exit_tid.load(Ordering::Acquire);
        if tid != 0 && self.exit.is_none() {
            self.exit = Some(hold::start(Arc::clone(&self.link), tid));
        }
        // As PID 1 the report must be on disk before the thread is let go; else it is made when the node is gone.
        if self.link.pid() == 1
            && let Some(exit) = self.exit.as_ref().and_then(|exit| exit.try_recv().ok())
        {
            self.conclude_exit(&exit);
        }
    }

    /// The node has ended: how, and is that worth a report?
    fn conclude(mut self) -> Result<(), Error> {
        self.errors.finish();
        let exit = self.exit.take().and_then(|exit| exit.recv_timeout(RECORD_TIMEOUT).ok());
        if let Some(exit) = exit {
            self.conclude_exit(&exit);
            return Ok(());
        }
        let end = end::of(self.link.pidfd(), self.link.pid());
        if self.is_end_of_fault(end) {
            self.report_fault(end);
        } else if self.is_death(end)? {
            let capture = capture::begin(&self.link, Subject::Death, end);
            let reported = self.destination.report(&capture);
            self.after_report(reported);
        }
        Ok(())
    }

    /// Whether the last recorded fault is what ended the process.
    fn is_end_of_fault(&self, end: End) -> bool {
        let Some(fault) = &self.fault else { return false };
        let death = self.link.death();
        if death.stage.load(Ordering::Acquire) != DeathStage::Recovered as u32 {
            return true;
        }
        let signal = death.signal.load(Ordering::Relaxed) as i32;
        end == End::Signaled(signal) && fault.since.elapsed() < RECOVERED_COUNTS
    }

    fn conclude_exit(&mut self, exit: &Exit) {
        if self.is_end_of_fault(exit.end) {
            return self.report_fault(exit.end);
        }
        if self.is_death(exit.end).unwrap_or(true) {
            let mut capture = capture::begin(&self.link, Subject::Death, exit.end);
            capture.threads.extend(exit.thread.clone());
            capture.maps.clone_from(&exit.maps);
            capture.process = exit.process.clone();
            capture.images.clone_from(&exit.images);
            let reported = self.destination.report(&capture);
            self.after_report(reported);
        }
    }

    fn is_death(&self, end: End) -> Result<bool, Error> {
        let copy = self.link.copy_of(SETTINGS_BYTES)?;
        let snapshot = Snapshot::read(&copy).map_err(|error| Error::malformed(error.to_string()))?;
        Ok(verdict::is_death(&snapshot.control(), end))
    }
}
