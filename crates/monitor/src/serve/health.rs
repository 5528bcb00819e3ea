//! How well the node is: one verdict and one number, each with its reasons. The rule stands in `docs/metrics.md`.

use lifeboat_recorder::component_state;
use serde::Serialize;

use crate::sample::{ProcessSample, Sample};

use super::facts::{Facts, Monitor};
use super::node::{Component, Heartbeat, State};

const POINTS_MAX: u32 = 100;
/// Memory or descriptors are nearly used up from this share on.
const NEARLY: f64 = 0.9;
/// A report should not wait so long for its server, seconds.
const SPOOL_AGE_MAX: u64 = 60 * 60;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// Nothing is known to be wrong.
    Ok,
    /// It works, but not as it should.
    Degraded,
    /// It does not work: `/health` says 503.
    Failing,
}

/// Why the score is not 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Deduction {
    pub(super) reason: String,
    pub(super) points: u32,
    #[serde(skip)]
    status: Status,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assessment {
    pub(super) status: Status,
    /// The gravest deduction; empty where all is well.
    pub(super) reason: String,
    /// 0 to 100.
    pub(super) score: u32,
    pub(super) deductions: Vec<Deduction>,
    /// What is known, as a share of what should be.
    pub(super) coverage: f64,
    /// What is not.
    pub(super) unknown: Vec<String>,
}

/// Judges a node.
pub(super) fn assess(facts: &Facts<'_>) -> Assessment {
    let mut ledger = Ledger::default();
    ledger.process(facts);
    if facts.view.state != State::Ended {
        ledger.loops(facts.view.health.as_ref());
        if let Some(process) = facts.process() {
            ledger.limits(process, facts.sample);
        }
        ledger.sample(facts);
    }
    ledger.close()
}

#[derive(Default)]
struct Ledger {
    deductions: Vec<Deduction>,
    known: u32,
    unknown: Vec<String>,
}

impl Ledger {
    fn deduct(&mut self, status: Status, points: u32, reason: String) {
        self.deductions.push(Deduction { reason, points, status });
    }

    /// Something is known, or is not: then nobody can say that all is well.
    fn know(&mut self, is_known: bool, what: impl FnOnce() -> String) {
        const POINTS: u32 = 5;
        if is_known {
            self.known += 1;
            return;
        }
        let what = what();
        self.deduct(Status::Ok, POINTS, format!("{what}: unknown"));
        self.unknown.push(what);
    }

    fn process(&mut self, facts: &Facts<'_>) {
        let state = facts.view.state;
        match state {
            State::Ended => {
                let how =
                    facts.ended().map(|ended| ended.detail.as_str()).filter(|detail| !detail.is_empty());
                self.deduct(Status::Failing, POINTS_MAX, how.unwrap_or("the process has ended").to_owned());
            }
            State::Stopped => {
                let reason = "the process is stopped, by SIGSTOP or its like: it does nothing until SIGCONT";
                self.deduct(Status::Failing, POINTS_MAX, reason.into());
            }
            State::Alive | State::Waiting | State::Unknown => {}
        }
        self.know(state != State::Unknown, || "process".into());
    }

    fn loops(&mut self, health: Option<&(Vec<Component>, Vec<Heartbeat>)>) {
        let (components, heartbeats) = health.map_or((&[][..], &[][..]), |(one, other)| (one, other));
        for heartbeat in heartbeats {
            if let Some(deadline) = heartbeat.deadline_seconds.filter(|_| heartbeat.is_overdue) {
                let Heartbeat { name, age_seconds, .. } = heartbeat;
                let reason = format!("heartbeat {name}: {age_seconds:.1} s old, due every {deadline} s");
                self.deduct(Status::Failing, 50, reason);
            }
            self.know(true, String::new);
        }
        // A node that promised none may hang unseen.
        if heartbeats.is_empty() {
            self.know(false, || "heartbeats".into());
        }
        for Component { name, state, detail, .. } in components {
            let says = |word: &str| match detail.as_str() {
                "" => format!("component {name}: {word}"),
                detail => format!("component {name}: {word}: {detail}"),
            };
            match *state {
                component_state::FAILING => self.deduct(Status::Failing, 40, says("failing")),
                component_state::DEGRADED => self.deduct(Status::Degraded, 15, says("degraded")),
                _ => {}
            }
            self.know(*state != component_state::UNKNOWN, || format!("component {name}"));
        }
    }

    fn limits(&mut self, process: &ProcessSample, sample: Option<&Sample>) {
        let group_max = sample.and_then(|sample| sample.cgroup.as_ref()?.memory_max_bytes);
        let memory = process.resident_bytes.zip(group_max);
        let fds = process.open_fds.zip(process.max_fds);
        for (what, used) in [("memory", memory), ("descriptors", fds)] {
            let Some((used, most)) = used.filter(|(_, most)| *most > 0) else { continue };
            let share = used as f64 / most as f64;
            if share >= NEARLY {
                let reason = format!("{what}: {:.0} % of the limit are used", share * 100.0);
                self.deduct(Status::Degraded, 15, reason);
            }
        }
    }

    fn sample(&mut self, facts: &Facts<'_>) {
        if facts.monitor == Monitor::Gone {
            let reason = "its monitor has gone: no death will be reported before the next start";
            self.deduct(Status::Degraded, 15, reason.into());
        } else if let Some(age) =
            facts.sample_age_seconds.filter(|_| facts.sample.is_some() && facts.fresh().is_none())
        {
            let reason = format!("the monitor's `watch` has said nothing for {age:.0} s");
            self.deduct(Status::Degraded, 15, reason);
        }
        self.know(facts.fresh().is_some(), || "what the monitor's `watch` sees".into());
        let Some(sample) = facts.sample else { return };
        for database in &sample.databases {
            if database.is_whole == Some(false) {
                let reason = format!("database {}: quick_check: {}", database.name, database.detail);
                // A process that is killed and started anew for it would mend nothing.
                self.deduct(Status::Degraded, 40, reason);
            }
            self.know(database.is_whole.is_some(), || format!("database {}", database.name));
        }
        let oldest = sample.spool.oldest_seconds.map(|stored| facts.now_seconds.saturating_sub(stored));
        if let Some(oldest) = oldest.filter(|age| sample.spool.reports > 0 && *age > SPOOL_AGE_MAX) {
            let reason = format!("spool: a report has waited {} min for its server", oldest / 60);
            self.deduct(Status::Ok, 5, reason);
        }
    }

    fn close(self) -> Assessment {
        let Self { mut deductions, known, unknown } = self;
        deductions.sort_by_key(|deduction| std::cmp::Reverse((deduction.status, deduction.points)));
        let lost = deductions.iter().map(|deduction| deduction.points).sum::<u32>();
        let gravest = deductions.first().filter(|gravest| gravest.status > Status::Ok);
        let all = f64::from(known) + unknown.len() as f64;
        Assessment {
            status: gravest.map_or(Status::Ok, |gravest| gravest.status),
            reason: gravest.map(|gravest| gravest.reason.clone()).unwrap_or_default(),
            score: POINTS_MAX.saturating_sub(lost),
            coverage: if all > 0.0 { f64::from(known) / all } else { 0.0 },
            deductions,
            unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::View;
    use super::*;

    fn view(state: State, components: &[(&str, i32)], heartbeats: &[(&str, bool)]) -> View {
        let component = |(name, state): &(&str, i32)| Component {
            name: (*name).into(),
            state: *state,
            since_ms: 0,
            detail: "why".into(),
        };
        let heartbeat = |(name, is_overdue): &(&str, bool)| Heartbeat {
            name: (*name).into(),
            age_seconds: 12.34,
            deadline_seconds: Some(5.0),
            count: 1,
            is_overdue: *is_overdue,
        };
        let health = (components.iter().map(component).collect(), heartbeats.iter().map(heartbeat).collect());
        View { state, start_seconds: None, health: Some(health) }
    }

    fn judged(view: &View, sample: Option<&Sample>) -> Assessment {
        assess(&Facts { sample, sample_age_seconds: Some(0.0), ..Facts::of(view) })
    }

    #[test]
    fn each_fault_has_its_weight() {
        let sample = Sample::default();
        for (components, heartbeats, status, score, reason) in [
            (&[("a", 0)][..], &[("main", false)][..], Status::Ok, 100, ""),
            (&[], &[], Status::Ok, 95, ""),
            (&[("a", -1)], &[("main", false)], Status::Ok, 95, ""),
            (&[("a", 1)], &[("main", false)], Status::Degraded, 85, "component a: degraded: why"),
            (&[("a", 2), ("b", 1)], &[("main", false)], Status::Failing, 45, "component a: failing: why"),
            (
                &[("a", 2)],
                &[("main", true)],
                Status::Failing,
                10,
                "heartbeat main: 12.3 s old, due every 5 s",
            ),
        ] {
            let judged = judged(&view(State::Alive, components, heartbeats), Some(&sample));
            assert_eq!((judged.status, judged.score, judged.reason.as_str()), (status, score, reason));
            assert_eq!(judged.coverage < 1.0, !judged.unknown.is_empty());
        }
    }

    #[test]
    fn a_damaged_database_is_no_reason_to_kill_the_node() {
        let database = crate::sample::DatabaseSample {
            name: "a.db".into(),
            is_whole: Some(false),
            detail: "row 1".into(),
            ..Default::default()
        };
        let sample = Sample { databases: vec![database], ..Sample::default() };
        let judged = judged(&view(State::Alive, &[], &[("main", false)]), Some(&sample));
        assert_eq!((judged.status, judged.score), (Status::Degraded, 60));
        assert_eq!(judged.reason, "database a.db: quick_check: row 1");
    }

    #[test]
    fn a_monitor_that_has_gone_is_deducted_once() {
        let (view, sample) = (view(State::Alive, &[], &[("main", false)]), Sample::default());
        // Past a minute it is not known any more, besides.
        for (age, score) in [(59.0, 85), (61.0, 80)] {
            let facts = Facts {
                sample: Some(&sample),
                sample_age_seconds: Some(age),
                monitor: Monitor::Gone,
                ..Facts::of(&view)
            };
            let judged = assess(&facts);
            assert_eq!((judged.status, judged.score), (Status::Degraded, score), "{judged:?}");
            assert!(judged.reason.contains("has gone"), "{}", judged.reason);
        }
    }

    #[test]
    fn what_is_not_known_is_never_100() {
        let view = view(State::Unknown, &[], &[]);
        let judged = judged(&view, None);
        assert_eq!((judged.status, judged.score, judged.coverage), (Status::Ok, 85, 0.0));
        assert_eq!(judged.unknown.len(), 3);
    }

    #[test]
    fn who_is_stopped_or_dead_fails() {
        for state in [State::Stopped, State::Ended] {
            let judged = judged(&view(state, &[], &[("main", false)]), Some(&Sample::default()));
            assert_eq!((judged.status, judged.score), (Status::Failing, 0));
        }
    }
}
