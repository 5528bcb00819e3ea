//! The module processes of a Logos Core host: each is found, looked at, and reported when it dies, though the node lives
//! on. In a thread of its own, and only where `LIFEBOAT_MODULES=on` asks for it.

pub(crate) mod find;
mod past;
mod report;

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lifeboat_recorder::{RECORDER_BYTES, Snapshot, StopKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::capture::End;
use crate::report::cause_in_words;
use crate::run::recorder::boottime_ns;
use crate::sample::ProcessSample;
use crate::spool::Spool;

use find::{Finder, Found};
use past::{Around, Past, Verdict};
use report::{Death, Reports};

use super::door::{Caller, Door};
use super::link::{Link, SETTINGS_BYTES};
use super::roles::Destination;
use super::sampler::cgroup::cgroup_sample;
use super::sampler::process::process_sample;
use super::verdict::{self, Circumstances};
use super::{end, kin, serving};

/// A module that is killed may have been killed because the node ended: so long is waited for the node's end.
const NODE_END_PATIENCE: Duration = Duration::from_millis(100);
/// When it is looked whether a module has a reporter of its own by now: this long after it was found, then twice as long.
const FIRST_LOOK_AT_REPORTER: Duration = Duration::from_millis(100);

/// Most modules that are looked after at once in the place of their own monitors: each takes threads and memory.
const JOINED_MAX: usize = 64;

/// The modules of one node.
pub(crate) struct Modules {
    past: Arc<Mutex<Past>>,
    is_over: Arc<AtomicBool>,
    joined: Arc<Mutex<Vec<Joined>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Modules {
    /// Begins to look after them, where somebody asked for it.
    pub(crate) fn start(link: &Arc<Link>, destination: &Destination, serve: bool) -> Option<Arc<Self>> {
        if !kin::are_modules_wanted() {
            return None;
        }
        let (past, is_over) = (Arc::<Mutex<Past>>::default(), Arc::<AtomicBool>::default());
        let joined = Arc::<Mutex<Vec<Joined>>>::default();
        let keeper = Keeper {
            link: Arc::clone(link),
            past: Arc::clone(&past),
            is_over: Arc::clone(&is_over),
            finder: Finder::new(link.pid()),
            living: Vec::new(),
            joined: Vec::new(),
            to_show: serve.then(|| Arc::clone(&joined)),
            door: None,
            oom_kills: None,
            destination: destination.clone(),
            reports: Reports::new(link, destination),
        };
        let thread = std::thread::Builder::new().name("modules".into()).stack_size(256 * 1024);
        let thread = thread.spawn(move || keeper.keep()).ok();
        Some(Arc::new(Self { past, is_over, joined, thread: Mutex::new(thread) }))
    }

    /// Each module that was ever seen, as it is now.
    pub(crate) fn samples(&self) -> Vec<ProcessSample> {
        let mut past = lock(&self.past);
        past.look(process_sample);
        past.samples()
    }

    /// Modules that have joined since this was last asked, for `serve`.
    pub(crate) fn take_joined(&self) -> Vec<Joined> {
        std::mem::take(&mut *self.joined.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for what is being reported.
    pub(crate) fn finish(&self) {
        self.is_over.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// A module that was handed over to us: what `serve` needs to show what it counts.
pub(crate) struct Joined {
    pub(crate) module: String,
    pub(crate) pidfd: OwnedFd,
    pub(crate) metrics: OwnedFd,
}

/// A module's process.
struct Living {
    found: Found,
    label: String,
    pidfd: OwnedFd,
    program: String,
    own_reporter: OwnReporter,
    /// Of one that was handed over: what it said last tells the cause of its death.
    recorder: Option<File>,
}

/// Whether the module reports its own death.
enum OwnReporter {
    Seen,
    LookAt(Instant, Duration),
}

struct Keeper {
    link: Arc<Link>,
    past: Arc<Mutex<Past>>,
    is_over: Arc<AtomicBool>,
    finder: Finder,
    living: Vec<Living>,
    /// Those that were handed over to us.
    joined: Vec<JoinHandle<()>>,
    /// Where `serve` finds them, where there is one.
    to_show: Option<Arc<Mutex<Vec<Joined>>>>,
    door: Option<Door>,
    /// Processes of the node's control group that the kernel killed for want of memory.
    oom_kills: Option<u64>,
    destination: Destination,
    reports: Reports,
}

impl Keeper {
    fn keep(mut self) {
        let state_dir = &self.destination.state_dir;
        if Spool::open(state_dir).is_ok() {
            self.door = Door::open(state_dir, self.link.pid());
        }
        while !self.is_over.load(Ordering::Acquire) && !self.is_node_gone(Duration::ZERO) {
            let living = &self.living;
            let found = self.finder.look(|pid| living.iter().any(|module| module.found.pid == pid));
            for found in found {
                self.begin(found);
            }
            for module in &mut self.living {
                module.look_for_reporter();
            }
            let now = Instant::now();
            let (is_node_gone, ended) = self.wait(self.finder.next().saturating_duration_since(now));
            // Before the ends: who calls is no longer reported by us.
            while let Some(caller) = self.door.as_ref().and_then(Door::next) {
                self.hear(caller);
            }
            for at in ended.into_iter().rev() {
                let module = self.living.swap_remove(at);
                self.end(module, is_node_gone);
            }
        }
        // Who comes later finds nobody, and looks after itself.
        self.door = None;
        lock(&self.past).end_all();
        self.reports.finish();
        for joined in self.joined {
            let _ = joined.join();
        }
    }

    fn begin(&mut self, found: Found) {
        let Some(pid) = Pid::from_raw(found.pid.cast_signed()) else { return };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The number may have passed to another process meanwhile: this pidfd's is asked for again.
        if find::module(found.pid).as_ref() != Some(&found) {
            return;
        }
        self.have_oom_kills_risen();
        // Before anybody is told that it is there: it may end at once.
        let program = fs::read_link(format!("/proc/{}/exe", found.pid)).unwrap_or_default();
        let program = program.to_string_lossy().into_owned();
        let mut past = lock(&self.past);
        let Some(label) = past.begin(&found.name, found.pid) else { return };
        past.look(|pid| if pid == found.pid { process_sample(pid) } else { ProcessSample::default() });
        drop(past);
        let own_reporter =
            OwnReporter::LookAt(Instant::now() + FIRST_LOOK_AT_REPORTER, FIRST_LOOK_AT_REPORTER);
        self.living.push(Living { found, label, pidfd, program, own_reporter, recorder: None });
    }

    /// A monitor of one of our modules calls.
    fn hear(&mut self, caller: Caller) {
        let (pid, metrics, recorder) = match caller {
            Caller::ReportsItself(pid) => (pid, None, None),
            Caller::Joins(joining) => {
                self.joined.retain(|joined| !joined.is_finished());
                if self.joined.len() >= JOINED_MAX {
                    return;
                }
                let metrics = joining.descriptors.get(2).and_then(|metrics| serving::read_only(metrics).ok());
                let recorder = joining.descriptors.first().and_then(|recorder| recorder.try_clone().ok());
                let Some((pid, thread)) = kin::take(joining, &self.link, &self.destination) else {
                    return;
                };
                self.joined.push(thread);
                (pid, metrics, recorder.map(File::from))
            }
        };
        if !self.living.iter().any(|module| module.found.pid == pid)
            && find::is_below(pid, self.link.pid())
            && let Some(found) = find::module(pid)
        {
            self.begin(found);
        }
        let Some(module) = self.living.iter_mut().find(|module| module.found.pid == pid) else { return };
        module.own_reporter = OwnReporter::Seen;
        module.recorder = recorder;
        if let (Some(to_show), Some(metrics)) = (&self.to_show, metrics)
            && let Ok(pidfd) = module.pidfd.try_clone()
        {
            let mut to_show = to_show.lock().unwrap_or_else(PoisonError::into_inner);
            to_show.retain(|joined| !kin::has_ended(&joined.pidfd, Duration::ZERO));
            to_show.push(Joined { module: module.label.clone(), pidfd, metrics });
        }
    }

    /// Waits for the end of any; answers whether the node has ended, and which modules have.
    fn wait(&self, timeout: Duration) -> (bool, Vec<usize>) {
        let timeout = Timespec::try_from(timeout).ok();
        let node = self.link.pidfd();
        let modules = self.living.iter().map(|module| PollFd::new(&module.pidfd, PollFlags::IN));
        let door = self.door.iter().map(|door| PollFd::new(door, PollFlags::IN));
        let node = [PollFd::from_borrowed_fd(node, PollFlags::IN)];
        let mut polled: Vec<_> = modules.chain(node).chain(door).collect();
        if poll(&mut polled, timeout.as_ref()).is_err() {
            return (false, Vec::new());
        }
        let mut ended: Vec<_> =
            polled.iter().enumerate().filter(|(_, it)| !it.revents().is_empty()).map(|(at, _)| at).collect();
        let is_node_gone = ended.contains(&self.living.len());
        ended.retain(|at| *at < self.living.len());
        (is_node_gone, ended)
    }

    fn end(&mut self, module: Living, is_node_gone: bool) {
        // At once: who waits for the process takes its status away.
        let end = end::of(module.pidfd.as_fd(), module.found.pid);
        let is_killed = end == End::Signaled(libc::SIGKILL);
        let patience = if is_killed { NODE_END_PATIENCE } else { Duration::ZERO };
        let is_node_gone = is_node_gone || self.is_node_gone(patience);
        let is_node_ending = is_node_gone || self.is_node_stopping(end);
        let is_out_of_memory = self.have_oom_kills_risen() && is_killed;
        let verdict = past::judge(end, Around { is_node_ending, is_out_of_memory });
        let verdict = match verdict {
            Verdict::Death(cause) => Verdict::Death(module.cause_in_words(end).unwrap_or(cause)),
            stop @ Verdict::Stop(_) => stop,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (last, restarts) = {
            let mut past = lock(&self.past);
            let last = past.last(&module.label);
            past.end(&module.label, end, verdict, now);
            last
        };
        let Verdict::Death(cause) = verdict else { return };
        if matches!(module.own_reporter, OwnReporter::LookAt(..)) {
            let (module, program) = (module.label, module.program);
            self.reports.report(&Death { module, program, end, cause, restarts, last });
        }
    }

    /// Whether the kernel has killed in the node's control group, of which its modules are, since this was last asked.
    fn have_oom_kills_risen(&mut self) -> bool {
        let now = cgroup_sample(self.link.pid()).and_then(|group| group.oom_kills);
        let before = std::mem::replace(&mut self.oom_kills, now);
        now.zip(before).is_some_and(|(now, before)| now > before)
    }

    fn is_node_gone(&self, patience: Duration) -> bool {
        kin::has_ended(self.link.pidfd(), patience)
    }

    /// Whether the node was asked to stop, and this end would be part of it if it were the node's.
    fn is_node_stopping(&self, end: End) -> bool {
        let Ok(copy) = self.link.copy_of(SETTINGS_BYTES) else { return false };
        let Ok(snapshot) = Snapshot::read(&copy) else { return false };
        let control = snapshot.control();
        let about = Circumstances { control, has_last_words: false, boottime_ns: boottime_ns() };
        control.stop_kind != StopKind::None as u32 && !verdict::is_death(&about, end)
    }
}

impl Living {
    /// The language whose exception or panic ended it, where that was among its last words: the same word as in its report.
    fn cause_in_words(&self, end: End) -> Option<&'static str> {
        let mut copy = vec![0; RECORDER_BYTES];
        self.recorder.as_ref()?.read_exact_at(&mut copy, 0).ok()?;
        cause_in_words(&Snapshot::read(&copy).ok()?, end)
    }

    /// A module that carries Lifeboat maps a recorder, soon after its start or never: it tells more of its death than we
    /// can.
    fn look_for_reporter(&mut self) {
        let OwnReporter::LookAt(at, after) = self.own_reporter else { return };
        if Instant::now() < at {
            return;
        }
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.found.pid)).unwrap_or_default();
        self.own_reporter = match maps.lines().any(|line| line.contains("/memfd:lifeboat")) {
            true => OwnReporter::Seen,
            false => OwnReporter::LookAt(Instant::now() + after * 2, after * 2),
        };
    }
}

fn lock(past: &Mutex<Past>) -> MutexGuard<'_, Past> {
    past.lock().unwrap_or_else(PoisonError::into_inner)
}
