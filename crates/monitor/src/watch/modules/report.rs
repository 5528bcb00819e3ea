//! The report of a module's death: what is known of a process that carried nothing of ours.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use lifeboat_recorder::{Setting, Snapshot};

use crate::capture::{CAPTURE_VERSION, Capture, End, OutOfMemory, Process, Subject};
use crate::run::recorder::{OwnRecorder, boottime_ns, realtime_ns};
use crate::sample::ProcessSample;
use crate::watch::budget::Budget;
use crate::watch::link::Link;
use crate::watch::roles::Destination;
use crate::{Error, MetricValue};

/// What the node was told at start, and what holds for its modules too.
const SETTINGS: [Setting; 8] = [
    Setting::App,
    Setting::Version,
    Setting::Release,
    Setting::Commit,
    Setting::Environment,
    Setting::Fleet,
    Setting::Node,
    Setting::Dsn,
];

/// One death.
pub(super) struct Death {
    pub(super) module: String,
    pub(super) program: String,
    pub(super) end: End,
    pub(super) cause: &'static str,
    pub(super) restarts: u64,
    /// The last look at the process.
    pub(super) last: ProcessSample,
}

/// Makes the reports of one node's modules.
pub(super) struct Reports {
    link: Arc<Link>,
    destination: Destination,
    recorder: Option<OwnRecorder>,
    budget: Budget,
    /// A number for each kind of death, for the budget.
    kinds: HashMap<(String, &'static str), u64>,
    at_work: Vec<JoinHandle<()>>,
}

impl Reports {
    pub(super) fn new(link: &Arc<Link>, destination: &Destination) -> Self {
        Self {
            link: Arc::clone(link),
            destination: destination.clone(),
            recorder: None,
            budget: Budget::new(Instant::now()),
            kinds: HashMap::new(),
            at_work: Vec::new(),
        }
    }

    /// Reports a death, unless there were too many of its kind. The report is made by a thread of its own: another
    /// module's end shall be seen meanwhile.
    pub(super) fn report(&mut self, death: &Death) {
        let next = self.kinds.len() as u64 + 1;
        let kind = *self.kinds.entry((death.module.clone(), death.cause)).or_insert(next);
        let Some(suppressed) = self.budget.take(kind, Instant::now()) else { return };
        let Ok(mut capture) = self.capture(death) else { return };
        if suppressed > 0 {
            capture.notes.push(format!("{suppressed} deaths of modules before this one were not reported"));
        }
        let (link, destination) = (Arc::clone(&self.link), self.destination.clone());
        let work = move || {
            if destination.report(&capture).is_ok() {
                destination.deliver(link.pidfd(), false);
            }
        };
        self.at_work.retain(|report| !report.is_finished());
        self.at_work.extend(std::thread::Builder::new().name("module report".into()).spawn(work));
    }

    /// Waits until all are made.
    pub(super) fn finish(self) {
        for report in self.at_work {
            let _ = report.join();
        }
    }

    fn capture(&mut self, death: &Death) -> Result<Capture, Error> {
        let recorder = match self.recorder.take() {
            Some(recorder) => recorder,
            None => OwnRecorder::new()?,
        };
        recorder.clear()?;
        let written = self.describe(&recorder, death).and_then(|()| recorder.copy());
        // What it held is not needed any more.
        let _ = recorder.clear();
        self.recorder = Some(recorder);
        let last = &death.last;
        Ok(Capture {
            version: CAPTURE_VERSION,
            subject: Subject::Module { is_out_of_memory: death.cause == "oom-kill" },
            module: Some(death.module.clone()),
            recorder: written?,
            end: death.end,
            threads: Vec::new(),
            maps: Vec::new(),
            images: Vec::new(),
            process: Process {
                program: death.program.clone(),
                resident_bytes: last.resident_bytes.unwrap_or(0),
                swapped_bytes: last.swapped_bytes.unwrap_or(0),
                threads: last.threads.unwrap_or(0),
                fds_max: last.max_fds.unwrap_or(0),
            },
            abort_message: String::new(),
            notes: vec!["the module carries no reporter: its stack is not known".into()],
            captured_realtime_ns: realtime_ns(SystemTime::now()),
            captured_boottime_ns: boottime_ns(),
            hang: None,
            metrics: figures(&death.module, last),
            restarts: Some(death.restarts),
            course: Vec::new(),
            out_of_memory: OutOfMemory::default(),
        })
    }

    /// Says of the module what is known of the node.
    fn describe(&self, recorder: &OwnRecorder, death: &Death) -> Result<(), Error> {
        let copy = self.link.copy()?;
        let node = Snapshot::read(&copy).map_err(|error| Error::malformed(error.to_string()))?;
        for setting in SETTINGS {
            recorder.setting(setting, node.setting(setting));
        }
        for tag in node.tags() {
            recorder.tag(tag.key, tag.value);
        }
        recorder.set_pid(death.last.pid);
        let start_ns = death.last.start_seconds.map_or(0, |seconds| (seconds * 1e9) as u64);
        recorder.control().start_realtime_ns.store(start_ns, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

/// The last figures of the process, by the names under which they are exposed.
fn figures(module: &str, last: &ProcessSample) -> Vec<MetricValue> {
    let number = |value: Option<u64>| value.map(|value| value as f64);
    let cpu = last.user_seconds.zip(last.system_seconds).map(|(user, system)| user + system);
    let figures = [
        ("cpu_seconds_total", cpu),
        ("resident_memory_bytes", number(last.resident_bytes)),
        ("open_fds", number(last.open_fds)),
        ("threads", number(last.threads)),
        ("read_bytes_total", number(last.read_bytes)),
        ("written_bytes_total", number(last.written_bytes)),
    ];
    let known = figures.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let named =
        |(name, value)| MetricValue { name: format!("logos_module_{name}{{module=\"{module}\"}}"), value };
    known.map(named).collect()
}
