//! What became of the modules of one node: their processes, one after the other, and how each ended.

use std::collections::BTreeMap;

use crate::capture::End;
use crate::report::signals;
use crate::sample::{Life, ProcessSample};

/// Modules that are told apart. A node has a handful.
pub(super) const MODULES_MAX: usize = 64;
/// Statuses of one module that are told apart; those beyond are counted as one.
const STATUSES_MAX: usize = 16;

/// How a module's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody asked for it: the kind of stop.
    Stop(&'static str),
    /// It died: the cause.
    Death(&'static str),
}

/// What was going on around an end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The node has ended, or is about to: it takes its modules with it.
    pub(super) is_node_ending: bool,
    /// The kernel killed something in this control group for want of memory.
    pub(super) is_out_of_memory: bool,
}

/// Judges an end. The core asks a module to stop by SIGTERM, whereupon it leaves with 0; in an `exit` with another status
/// the core sees nothing odd, and nearly every Nim exception ends so.
pub(super) fn judge(end: End, around: Around) -> Verdict {
    const REQUESTS: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
    let is_request = |signal| REQUESTS.contains(&signal);
    match end {
        End::Signaled(libc::SIGKILL) if around.is_node_ending => Verdict::Stop("hard"),
        _ if around.is_node_ending => Verdict::Stop("requested"),
        End::Exited(0) => Verdict::Stop("clean"),
        End::Exited(status) if is_request(status - 128) => Verdict::Stop("requested"),
        End::Exited(_) => Verdict::Death("exit"),
        End::Signaled(signal) if is_request(signal) => Verdict::Stop("requested"),
        End::Signaled(libc::SIGKILL) if around.is_out_of_memory => Verdict::Death("oom-kill"),
        End::Signaled(libc::SIGKILL) => Verdict::Death("killed"),
        End::Signaled(_) => Verdict::Death("signal"),
        End::Unknown | End::StillAlive => Verdict::Death("unknown"),
    }
}

/// All modules that were ever seen, by their label.
#[derive(Default)]
pub(super) struct Past {
    modules: BTreeMap<String, Module>,
}

struct Module {
    life: Life,
    /// The last look at its process.
    last: ProcessSample,
}

impl Past {
    /// A process of this module is there: answers the label by which it is shown. Of a name that is in use already, by
    /// another instance, the second is shown as `name-2`; nothing where there are too many.
    pub(super) fn begin(&mut self, name: &str, pid: u32) -> Option<String> {
        let label = |number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let is_free = |label: &String| self.modules.get(label).is_none_or(|module| !module.last.is_up);
        let label = (1..=MODULES_MAX).map(label).find(is_free)?;
        if !self.modules.contains_key(&label) && self.modules.len() >= MODULES_MAX {
            return None;
        }
        let last =
            ProcessSample { pid, is_up: true, module: Some(label.clone()), ..ProcessSample::default() };
        if let Some(module) = self.modules.get_mut(&label) {
            module.life.restarts += 1;
            module.last = last;
        } else {
            self.modules.insert(label.clone(), Module { life: Life::default(), last });
        }
        Some(label)
    }

    /// Its process has ended so.
    pub(super) fn end(&mut self, label: &str, end: End, verdict: Verdict, now_seconds: u64) {
        let Some(module) = self.modules.get_mut(label) else { return };
        let life = &mut module.life;
        match verdict {
            Verdict::Stop(kind) => *life.stops.entry(kind.to_owned()).or_default() += 1,
            Verdict::Death(cause) => {
                *life.deaths.entry(cause.to_owned()).or_default() += 1;
                life.last_deaths.insert(cause.to_owned(), now_seconds);
            }
        }
        let status =
            Some(status(end)).filter(|it| life.exits.contains_key(it) || life.exits.len() < STATUSES_MAX);
        *life.exits.entry(status.unwrap_or_else(|| "other".into())).or_default() += 1;
        let ProcessSample { pid, start_seconds, .. } = module.last;
        module.last = ProcessSample { pid, start_seconds, ..ProcessSample::default() };
    }

    /// The node has ended, and with it all that was its own.
    pub(super) fn end_all(&mut self) {
        for module in self.modules.values_mut() {
            let ProcessSample { pid, start_seconds, .. } = module.last;
            module.last = ProcessSample { pid, start_seconds, ..ProcessSample::default() };
        }
    }

    /// Looks at every process that lives, by its number.
    pub(super) fn look(&mut self, at: impl Fn(u32) -> ProcessSample) {
        for module in self.modules.values_mut().filter(|module| module.last.is_up) {
            let seen = at(module.last.pid);
            // One that is a zombie by now has its end still before it: then the last look stands.
            if seen.is_up {
                module.last = seen;
            }
        }
    }

    /// The last look at one, and how often it had been started again.
    pub(super) fn last(&self, label: &str) -> (ProcessSample, u64) {
        self.modules.get(label).map(|module| (module.last.clone(), module.life.restarts)).unwrap_or_default()
    }

    /// All as they were when they were last looked at.
    pub(super) fn samples(&self) -> Vec<ProcessSample> {
        let sample = |(label, module): (&String, &Module)| ProcessSample {
            module: Some(label.clone()),
            life: Some(module.life.clone()),
            ..module.last.clone()
        };
        self.modules.iter().map(sample).collect()
    }
}

/// How an end is shown: `0`, `1`, `SIGSEGV`.
fn status(end: End) -> String {
    match end {
        End::Exited(status) => status.to_string(),
        End::Signaled(signal) => signals::name(signal),
        End::Unknown | End::StillAlive => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Around = Around { is_node_ending: false, is_out_of_memory: false };

    #[test]
    fn an_unload_is_no_death_and_an_exit_is() {
        let ending = Around { is_node_ending: true, ..ALONE };
        let starved = Around { is_out_of_memory: true, ..ALONE };
        let cases = [
            (End::Exited(0), ALONE, Verdict::Stop("clean")),
            (End::Exited(1), ALONE, Verdict::Death("exit")),
            (End::Exited(143), ALONE, Verdict::Stop("requested")),
            (End::Exited(255), ALONE, Verdict::Death("exit")),
            (End::Signaled(libc::SIGTERM), ALONE, Verdict::Stop("requested")),
            (End::Signaled(libc::SIGSEGV), ALONE, Verdict::Death("signal")),
            (End::Signaled(libc::SIGSEGV), starved, Verdict::Death("signal")),
            (End::Signaled(libc::SIGKILL), ALONE, Verdict::Death("killed")),
            (End::Signaled(libc::SIGKILL), starved, Verdict::Death("oom-kill")),
            (End::Signaled(libc::SIGKILL), ending, Verdict::Stop("hard")),
            (End::Exited(1), ending, Verdict::Stop("requested")),
            (End::Unknown, ALONE, Verdict::Death("unknown")),
            (End::Unknown, ending, Verdict::Stop("requested")),
        ];
        for (end, around, expected) in cases {
            assert_eq!(judge(end, around), expected, "{end:?} {around:?}");
        }
    }

    #[test]
    fn a_module_that_died_stays_and_counts_on() {
        let mut past = Past::default();
        let look = |pid| ProcessSample { pid, is_up: true, threads: Some(3), ..ProcessSample::default() };
        assert_eq!(past.begin("chat", 7).as_deref(), Some("chat"));
        past.look(look);
        past.end("chat", End::Exited(1), Verdict::Death("exit"), 1000);
        let [dead] = past.samples().try_into().unwrap();
        assert_eq!((dead.module.as_deref(), dead.is_up, dead.threads), (Some("chat"), false, None));
        let life = dead.life.unwrap();
        assert_eq!((life.restarts, life.deaths["exit"], life.exits["1"]), (0, 1, 1));
        assert_eq!(life.last_deaths["exit"], 1000);
        assert_eq!(past.begin("chat", 8).as_deref(), Some("chat"));
        past.look(look);
        past.end("chat", End::Signaled(libc::SIGTERM), Verdict::Stop("requested"), 2000);
        let life = past.samples().remove(0).life.unwrap();
        assert_eq!((life.restarts, life.deaths["exit"], life.stops["requested"]), (1, 1, 1));
        assert_eq!(life.exits, [("1".to_owned(), 1), ("SIGTERM".to_owned(), 1)].into());
    }

    #[test]
    fn instances_share_a_name_and_no_label() {
        let mut past = Past::default();
        let labels = [1, 2, 3].map(|pid| past.begin("chat", pid).unwrap());
        assert_eq!(labels, ["chat", "chat-2", "chat-3"]);
        past.end("chat-2", End::Exited(0), Verdict::Stop("clean"), 0);
        assert_eq!(past.begin("chat", 4).as_deref(), Some("chat-2"));
    }

    #[test]
    fn modules_and_statuses_are_bounded() {
        let mut past = Past::default();
        let begun = (0..200).filter(|number| past.begin(&format!("m{number}"), 1).is_some()).count();
        assert_eq!(begun, MODULES_MAX);
        for status in 1..100 {
            past.end("m0", End::Exited(status), Verdict::Death("exit"), 0);
        }
        let exits = past.samples().remove(0).life.unwrap().exits;
        assert_eq!((exits.len(), exits["other"]), (STATUSES_MAX + 1, 99 - STATUSES_MAX as u64));
    }
}
