//! The role's course: sleep until the bell rings, look what happened, act, until the node is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lifeboat_recorder::{DeathStage, MAPS_BYTES, Snapshot, StopKind};

use crate::Error;
use crate::capture::{Capture, End, Subject};
use crate::hygiene;
use crate::lives::{Lives, node_name};
use crate::report::Told;
use crate::rest;
use crate::sample::Ended;
use crate::spool::Spool;
use crate::state_file::now_seconds;

use super::errors::Errors;
use super::hang::{Hangs, Looking};
use super::hold::{self, Exit};
use super::kin::{self, Host};
use super::link::{self, Link, SETTINGS_BYTES};
use super::modules::Modules;
use super::pending::{Fault, Needed, Pending};
use super::roles::Destination;
use super::sampler::{Sampler, Subject as Sampled};
use super::serving;
use super::verdict::{self, Circumstances};
use super::{abort, capture, end, images, leftovers, process, ptrace, threads};

/// How long a recorded fault may stay without an end before it is reported as such: the node's own handler
/// works on, or hangs, or has jumped away.
const CONFIRM: Duration = Duration::from_secs(5);
/// A repaired fault still explains an end by the same signal within this time: `abort` survives its handler so.
const RECOVERED_COUNTS: Duration = Duration::from_secs(1);
/// How long the node's own record of its fault may take.
const RECORD_TIMEOUT: Duration = Duration::from_secs(1);
const LAST_DESCRIPTOR: i32 = 5;

/// Watches the node whose recorder and pidfd were left to this process, until it has ended.
///
/// # Errors
/// Where there is no recorder, or no state directory is named in it.
pub fn run() -> Result<(), Error> {
    hygiene::close_above(LAST_DESCRIPTOR);
    hygiene::settle();
    let link = Arc::new(Link::inherited()?);
    if kin::is_handed_over(&link) {
        return Ok(());
    }
    ptrace::probe();
    link.announce();
    let outcome = Watch::new(&link, Host::of(&link), Place::Own).and_then(Watch::run);
    link.leave();
    outcome
}

/// The same for a node whose monitor has handed it over.
pub(super) fn watch_joined(link: &Arc<Link>, host: Host) -> Result<(), Error> {
    Watch::new(link, host, Place::Joined).and_then(Watch::run)
}

/// Whose process this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The node's own monitor.
    Own,
    /// That of the node's host.
    Joined,
}

struct Watch {
    link: Arc<Link>,
    destination: Destination,
    needed: Needed,
    gone: Arc<AtomicBool>,
    /// The last fault that was captured.
    fault: Option<Fault>,
    /// The thread that holds the exiting thread, once there is one.
    exit: Option<Receiver<Exit>>,
    /// The status that it saw.
    end: Option<End>,
    /// The death that it saw, if it was one.
    exited: Option<Pending>,
    errors: Errors,
    /// This one, and those before it.
    lives: Lives,
    hangs: Hangs,
    /// Hangs that are not in the record of its lives yet.
    hung: Arc<AtomicU64>,
    /// The look at one that hangs.
    looking: Option<Looking>,
    sampler: Sampler,
    modules: Option<Arc<Modules>>,
    host: Host,
    place: Place,
}

impl Watch {
    fn new(link: &Arc<Link>, host: Host, place: Place) -> Result<Self, Error> {
        let copy = link.copy_of(SETTINGS_BYTES)?;
        let snapshot = Snapshot::read(&copy).map_err(|error| Error::malformed(error.to_string()))?;
        let destination = host.destination(&snapshot)?;
        let lives = Lives::new(&destination.state_dir, &node_name(&snapshot, link.module().as_deref()));
        let link = Arc::clone(link);
        let (gone, needed) = (Arc::new(AtomicBool::new(false)), Needed::by(link.pid()));
        let (suppressed, hung) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let errors = Errors::new(&link, &destination, Arc::clone(&suppressed));
        // The monitor of a host serves for its modules, too.
        let (serve, modules) = match host.is_known() {
            true => (None, None),
            false => {
                let serve = serving::start(&link.shown(&destination.state_dir));
                let is_served = serve.is_some();
                (serve, Modules::start(&link, &destination, is_served))
            }
        };
        let subject = Sampled {
            pid: link.pid(),
            state_dir: destination.state_dir.clone(),
            lives: lives.clone(),
            suppressed,
            hung: Arc::clone(&hung),
            modules: modules.clone(),
            has_server: destination.dsn.is_some(),
        };
        let sampler = Sampler::start(subject, serve);
        Ok(Self {
            link,
            destination,
            needed,
            gone,
            fault: None,
            exit: None,
            end: None,
            exited: None,
            errors,
            lives,
            hangs: Hangs::default(),
            hung,
            looking: None,
            sampler,
            modules,
            host,
            place,
        })
    }

    fn run(self) -> Result<(), Error> {
        self.listen_for_the_end()?;
        let prepared = self.prepare();
        let outcome = self.watch();
        if let Some(prepared) = prepared {
            // A node that dies at once, again and again, leaves no other time for it.
            let _ = prepared.join();
        }
        outcome
    }

    /// Makes the state directory ready and looks what was left in it. In a thread of its own: a disk that hangs
    /// must not keep a dying node waiting for its answer.
    fn prepare(&self) -> Option<JoinHandle<()>> {
        let (destination, link) = (self.destination.clone(), Arc::clone(&self.link));
        let lives = self.lives.clone();
        let takes_over = self.place == Place::Own;
        let work = move || {
            if Spool::open(&destination.state_dir).is_ok() {
                begin(&lives, &link);
                destination.deliver(link.pidfd(), takes_over);
                leftovers::report(&destination);
            }
            // So that the memory of this work is given back, too.
            link.ring();
        };
        std::thread::Builder::new().name("leftovers".into()).spawn(work).ok()
    }

    fn watch(mut self) -> Result<(), Error> {
        loop {
            let heard = self.link.control().doorbell.load(Ordering::Acquire);
            let is_gone = self.gone.load(Ordering::Acquire);
            let is_stopped = self.link.control().stop_kind.load(Ordering::Acquire) == StopKind::Clean as u32;
            self.look_at_fault();
            self.look_at_exit();
            self.errors.look_at_panics(self.ending_threads());
            if is_gone {
                let ended = self.conclude();
                if !ended.cause.is_empty() {
                    self.errors.forget_panics();
                }
                self.sampler.end(ended);
            }
            if is_gone || is_stopped {
                self.is_looking(RECORD_TIMEOUT);
            } else {
                self.look_at_heartbeats();
            }
            self.errors.look(is_gone || is_stopped);
            if is_gone || is_stopped {
                if !is_gone {
                    self.sampler.end(self.stopped(End::StillAlive));
                }
                self.errors.finish();
                if let Some(modules) = &self.modules {
                    modules.finish();
                }
                return Ok(());
            }
            let is_idle = self.exit.is_none() && self.looking.is_none() && self.errors.are_settled();
            if self.fault.is_none() && is_idle {
                rest::give_back();
            }
            let timeouts = [self.until_confirmed(), self.errors.until_due(), self.hangs.until_due()];
            link::wait(&self.link.control().doorbell, heard, timeouts.into_iter().flatten().min());
            self.hangs.has_woken();
        }
    }

    /// A process that is about to end, or was asked to, owes no proof of life.
    fn look_at_heartbeats(&mut self) {
        let has_fault = self.fault.as_ref().is_some_and(|fault| fault.recovered.is_none());
        if has_fault || self.exit.is_some() || self.is_stopping() {
            self.hangs.forget();
            return;
        }
        if self.is_looking(Duration::ZERO) {
            // It rings when it is over.
            return self.hangs.rest();
        }
        if let Some(found) = self.hangs.look(&self.link) {
            self.hung.fetch_add(1, Ordering::Relaxed);
            self.looking = Looking::start(&self.link, found);
        }
    }

    /// Takes what a look at a hang has seen, if it is over within this time; else it is still at work.
    fn is_looking(&mut self, patience: Duration) -> bool {
        match self.looking.as_ref().map(|looking| looking.take(patience)) {
            Some(Err(RecvTimeoutError::Timeout)) => return true,
            Some(Ok(mut capture)) => {
                capture.metrics.extend(self.sampler.seen().scraped);
                self.errors.add_hang(capture);
            }
            // Given up, or none.
            Some(Err(RecvTimeoutError::Disconnected)) | None => {}
        }
        self.looking = None;
        false
    }

    /// A death is captured before a hang: only one may trace the node.
    fn go_before_hangs(&self) {
        if let Some(looking) = &self.looking {
            looking.wait_until_let_go();
        }
    }

    fn is_stopping(&self) -> bool {
        let control = self.link.control();
        let since_ns =
            capture::boottime_ns().saturating_sub(control.stop_boottime_ns.load(Ordering::Relaxed));
        let kind = control.stop_kind.load(Ordering::Acquire);
        kind == StopKind::Requested as u32 && since_ns <= verdict::STOP_TO_EXIT_NS
    }

    /// The threads by which the process ends.
    fn ending_threads(&self) -> [u32; 2] {
        let exiting = self.link.control().exit_tid.load(Ordering::Acquire);
        [self.fault.as_ref().map_or(0, |fault| fault.tid), exiting]
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
        let is_due = self.until_confirmed() == Some(Duration::ZERO);
        let known = self.fault.as_mut().filter(|fault| fault.generation == generation);
        let is_recorded = stage >= DeathStage::Signal as u32 && stage < DeathStage::Recovered as u32;
        match known {
            Some(fault) if stage == DeathStage::Recovered as u32 => {
                fault.recovered.get_or_insert_with(Instant::now);
                fault.pending.forget_kept();
            }
            Some(_) if is_due => self.give_up(generation),
            None if is_recorded => self.capture_fault(generation),
            _ => {}
        }
    }

    /// Reports a fault whose end does not come, and lets the node record another one.
    fn give_up(&mut self, generation: u32) {
        // Its capture is ours already: a death while the report is being made shall find room.
        self.link.control().death_released.store(generation, Ordering::Release);
        self.report_fault(End::StillAlive);
    }

    /// Takes what the dying process shows of itself while it waits, then lets it go.
    fn capture_fault(&mut self, generation: u32) {
        let (pid, death) = (self.link.pid(), self.link.death());
        let tid = death.tid.load(Ordering::Relaxed);
        self.go_before_hangs();
        let (threads, notes) = threads::capture_while(pid, Some(tid), &|| self.link.lives());
        let process = process::process(pid);
        self.wait_for_record();
        let memory = self.link.memory_of(tid);
        let recorded_maps = self.link.maps();
        let is_short = recorded_maps.is_empty() || recorded_maps.len() >= MAPS_BYTES;
        let maps = if is_short { process::maps(memory) } else { Vec::new() };
        let mapped = if maps.is_empty() { &recorded_maps } else { &maps };
        let images = images::images(memory, mapped);
        let signal = death.signal.load(Ordering::Relaxed) as i32;
        let abort_message =
            if signal == libc::SIGABRT { abort::message(memory, mapped) } else { String::new() };
        // What a handler of the node's own repairs is struck out of the recorder, and may be its end all the same.
        let is_chained = death.is_chained.load(Ordering::Relaxed) != 0;
        let early = is_chained.then(|| capture::begin(&self.link, Subject::Death, End::Unknown));
        if self.needed == Needed::Nothing {
            self.answer(generation);
        }
        let recorded = early.unwrap_or_else(|| capture::begin(&self.link, Subject::Death, End::Unknown));
        let notes = notes.into_iter().chain(recorded.notes).collect();
        let mut capture = Capture { threads, maps, images, process, abort_message, notes, ..recorded };
        self.add_seen(&mut capture);
        let (pending, since) = (Pending::new(capture), Instant::now());
        self.fault = Some(Fault { generation, tid, signal, pending, since, recovered: None });
        if self.needed != Needed::Nothing {
            self.store_fault(is_chained);
            self.answer(generation);
        }
    }

    /// Adds what was seen of the node before.
    fn add_seen(&self, capture: &mut Capture) {
        let seen = self.sampler.seen();
        capture.metrics.extend(seen.scraped);
        capture.course = seen.course;
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

    /// Before the node goes on: the capture, which is quick, and for the first process of a namespace its report,
    /// unless a handler of the node's own may yet repair the fault.
    fn store_fault(&mut self, is_chained: bool) {
        if let Some(fault) = &mut self.fault {
            fault.pending.keep(&self.destination);
        }
        if self.needed == Needed::Report && !is_chained {
            self.report_fault(End::Unknown);
        }
    }

    fn report_fault(&mut self, end: End) {
        if self.needed != Needed::Report {
            begin(&self.lives, &self.link);
        }
        if let Some(fault) = &mut self.fault {
            if !fault.pending.is_reported {
                fault.refresh(&self.link);
            }
            fault.pending.report(end, &self.destination, self.link.pidfd());
        }
        if self.needed == Needed::Report {
            // Others may hold the counts, and the node does not wait for us for ever: the report comes first.
            begin(&self.lives, &self.link);
        }
    }

    /// How long until a recorded fault must have ended the process; nothing where there is none.
    fn until_confirmed(&self) -> Option<Duration> {
        let fault = self.fault.as_ref().filter(|fault| !fault.pending.is_reported)?;
        let recovered = self.link.death().stage.load(Ordering::Acquire) == DeathStage::Recovered as u32;
        (!recovered).then(|| CONFIRM.saturating_sub(fault.since.elapsed()))
    }

    fn look_at_exit(&mut self) {
        let tid = self.link.control().exit_tid.load(Ordering::Acquire);
        if tid != 0 && self.exit.is_none() && self.link.has_thread(tid) {
            // While it still waits for us: what is loaded where is known of a living process alone.
            self.errors.look_at_panics(self.ending_threads());
            self.errors.look(false);
            self.go_before_hangs();
            self.exit = Some(hold::start(Arc::clone(&self.link), tid, self.needed != Needed::Nothing));
        }
        if let Some(exit) = self.exit.as_ref().and_then(|exit| exit.try_recv().ok()) {
            self.take_exit(exit);
        }
    }

    /// Judges an exit, and stores what is needed before the node is let go, which happens when `exit` is dropped.
    fn take_exit(&mut self, exit: Exit) {
        self.end = Some(exit.end);
        if self.is_end_of_fault(exit.end) {
            if self.needed == Needed::Report {
                self.report_fault(exit.end);
            }
            return;
        }
        if !self.is_death(exit.end) {
            return;
        }
        let mut capture = self.begin_of_end(exit.end);
        capture.threads.extend(exit.thread);
        (capture.maps, capture.images, capture.process) = (exit.maps, exit.images, exit.process);
        let mut pending = Pending::new(capture);
        match self.needed {
            Needed::Nothing => {}
            Needed::Capture => pending.keep(&self.destination),
            Needed::Report => {
                pending.report(exit.end, &self.destination, self.link.pidfd());
                begin(&self.lives, &self.link);
            }
        }
        self.exited = Some(pending);
    }

    /// The node has ended: how, and is that worth a report?
    fn conclude(&mut self) -> Ended {
        let unseen = self.exit.take().filter(|_| self.end.is_none());
        if let Some(exit) = unseen.and_then(|exit| exit.recv_timeout(RECORD_TIMEOUT).ok()) {
            self.take_exit(exit);
        }
        let end = self.end.unwrap_or_else(|| end::of(self.link.pidfd(), self.link.pid()));
        begin(&self.lives, &self.link);
        let told = if self.is_end_of_fault(end) {
            self.report_fault(end);
            self.fault.as_ref().and_then(|fault| fault.pending.told.clone())
        } else if let Some(exited) = &mut self.exited {
            exited.report(end, &self.destination, self.link.pidfd());
            exited.told.clone()
        } else if self.is_death(end) {
            let mut pending = Pending::new(self.begin_of_end(end));
            pending.report(end, &self.destination, self.link.pidfd());
            pending.told
        } else {
            return self.stopped(end);
        };
        self.died(told)
    }

    /// What is told of a death. One without a report, whose capture waits for the next monitor, is counted by that.
    fn died(&self, told: Option<Told>) -> Ended {
        let Some(told) = told else {
            let detail = "died; its report could not be made yet".into();
            return Ended { cause: "unknown".into(), at_seconds: now_seconds(), detail, ..Ended::default() };
        };
        if !told.is_over {
            // It was reported while its end did not come; now it has.
            self.destination.count(&told);
        }
        Ended { cause: told.cause, at_seconds: told.at_seconds, event_id: told.event_id, detail: told.detail }
    }

    /// What is told of an end that somebody asked for.
    fn stopped(&self, end: End) -> Ended {
        begin(&self.lives, &self.link);
        let copy = self.link.copy_of(SETTINGS_BYTES).unwrap_or_default();
        let kind = Snapshot::read(&copy).map_or("clean", |copy| verdict::stop_kind(&copy.control(), end));
        // What could not be counted is missing in a number, and nowhere else.
        let _ = self.lives.stop(kind);
        Ended { at_seconds: now_seconds(), detail: format!("stopped ({kind})"), ..Ended::default() }
    }

    /// Begins the capture of an end that is no recorded fault's. One that was given up has its report already: left in
    /// the recorder it would make the same report again, under the same event id.
    fn begin_of_end(&self, end: End) -> Capture {
        let mut capture = capture::begin(&self.link, Subject::Death, end);
        self.add_seen(&mut capture);
        capture.out_of_memory = self.sampler.out_of_memory(end);
        capture.notes.extend(self.hangs.held_by().map(str::to_owned));
        let recorded = Snapshot::read(&capture.recorder).ok().and_then(|copy| copy.death());
        let given_up = self.fault.as_ref().filter(|fault| fault.was_given_up());
        if given_up.zip(recorded).is_some_and(|(fault, death)| fault.generation == death.generation) {
            self.link.strike_death(&mut capture.recorder);
        }
        capture
    }

    /// Whether the last recorded fault is what ended the process.
    fn is_end_of_fault(&self, end: End) -> bool {
        let Some(fault) = &self.fault else { return false };
        let is_same_signal = end == End::Signaled(fault.signal);
        if self.link.death().stage.load(Ordering::Acquire) == DeathStage::Recovered as u32 {
            return is_same_signal && fault.recovered.is_none_or(|at| at.elapsed() < RECOVERED_COUNTS);
        }
        // A fault that was given up has its report: the handler ends the process at last, or it dies of another cause.
        let by_same_thread = self.link.control().exit_tid.load(Ordering::Relaxed) == fault.tid;
        !fault.was_given_up() || is_same_signal || by_same_thread
    }

    fn is_death(&self, end: End) -> bool {
        if self.host.took_it(end) {
            return false;
        }
        // Where the recorder cannot be read, the death is told without it.
        let Ok(copy) = self.link.copy() else { return true };
        let Ok(snapshot) = Snapshot::read(&copy) else { return true };
        let boottime_ns = capture::boottime_ns();
        let has_last_words = snapshot.last_words().next().is_some();
        verdict::is_death(&Circumstances { control: snapshot.control(), has_last_words, boottime_ns }, end)
    }
}

/// Notes that this life has begun, unless that was done: by the thread that makes the state directory ready, and before the
/// end of a life so short that the thread is not there yet.
fn begin(lives: &Lives, link: &Link) {
    let Ok(copy) = link.copy_of(SETTINGS_BYTES) else { return };
    let Ok(snapshot) = Snapshot::read(&copy) else { return };
    // A state directory that cannot be written has no counts.
    let _ = lives.start(snapshot.control().start_realtime_ns, link.pid());
}
