//! What an alert's rule is fed in its tests: signals of a node over time, well, then ill, then well again.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::duration::Duration;

/// What signals are, by name.
pub type Readings = BTreeMap<String, Reading>;

/// The course of an illness that the alert must tell of, and courses of which it must not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTest {
    /// Signals without which a fleet cannot have this illness: then the first branch that it can have stands for it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What signals are while the node is well, where that is not what their profile says.
    #[serde(default)]
    pub healthy: Readings,
    /// What signals are while it is ill.
    #[serde(default)]
    pub sick: Readings,
    /// Signals, and endpoints as `job:NAME`, that are gone while it is ill.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Endpoints that do not answer while it is ill.
    #[serde(default)]
    pub down: Vec<String>,
    /// Labels of its metrics that are others while it is ill.
    #[serde(default)]
    pub relabelled: BTreeMap<String, String>,
    /// Whether all nodes of the fleet are ill, and not the first alone.
    #[serde(default)]
    pub everywhere: bool,
    /// How long the node is well before; five minutes unless told.
    pub warm: Option<Duration>,
    /// How long after the beginning of a trend it is one.
    #[serde(default)]
    pub holds_after: Duration,
    /// A threshold that counts events: where it is more than the catalogue's, its events take a minute each.
    pub paced_by: Option<String>,
    /// How long after the recovery the rule may still fire, where that is more than its windows.
    pub clears_within: Option<Duration>,
    /// Labels that the alert has beside those of every one of its kind.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What stands in the summary for its figure: the one expression with `$value` in it.
    #[serde(default)]
    pub figure: String,
    /// Other illnesses of which another part of the rule tells: each is played in full.
    #[serde(default)]
    pub branch: Vec<Branch>,
    /// Courses in which it must not fire at any time.
    #[serde(default)]
    pub quiet: Vec<Scenario>,
    /// Other courses in which it must fire by the end.
    #[serde(default)]
    pub fires: Vec<Scenario>,
    /// Courses at whose end it must not fire, whatever it did before.
    #[serde(default)]
    pub clears: Vec<Scenario>,
}

/// An illness beside the one that is told first: what it does not say is as there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// What it is, in a few words.
    pub name: String,
    /// Signals that a fleet must have for it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What signals are while the node is ill.
    #[serde(default)]
    pub sick: Readings,
    /// Signals, and endpoints as `job:NAME`, that are gone while it is ill.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Endpoints that do not answer while it is ill.
    #[serde(default)]
    pub down: Vec<String>,
    /// Labels that the alert has beside those of every one of its kind, where they are others.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What stands in the summary for its figure, where that is another.
    #[serde(default)]
    pub figure: String,
}

impl AlertTest {
    /// The illnesses that a fleet can have, each as a test of its own with the branch's name, the first without one where it
    /// is the one that is told first. The other courses are the first's.
    #[must_use]
    pub fn illnesses(&self, has: impl Fn(&str) -> bool) -> Vec<(&str, Self)> {
        let can = |needs: &[String]| needs.iter().all(|signal| has(signal));
        let mut rest = Self { branch: Vec::new(), ..self.clone() };
        let mut illnesses = Vec::new();
        if can(&self.needs) {
            illnesses.push(("", rest.clone()));
            rest = rest.without_courses();
        }
        // What says nothing of its own needs is told of the illness that the fleet cannot have.
        rest.fires.retain(|scenario| !scenario.needs.is_empty());
        for branch in self.branch.iter().filter(|branch| can(&branch.needs)) {
            illnesses.push((branch.name.as_str(), branch.instead_of(&rest)));
            rest = rest.without_courses();
        }
        illnesses
    }

    fn without_courses(self) -> Self {
        Self { fires: Vec::new(), quiet: Vec::new(), clears: Vec::new(), ..self }
    }
}

impl Branch {
    fn instead_of(&self, test: &AlertTest) -> AlertTest {
        AlertTest {
            needs: self.needs.clone(),
            sick: self.sick.clone(),
            absent: self.absent.clone(),
            down: self.down.clone(),
            relabelled: BTreeMap::new(),
            labels: if self.labels.is_empty() { test.labels.clone() } else { self.labels.clone() },
            figure: if self.figure.is_empty() { test.figure.clone() } else { self.figure.clone() },
            ..test.clone()
        }
    }
}

/// A course of things.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens, in a few words.
    pub name: String,
    /// Whether all nodes of the fleet have the part of the first.
    #[serde(default)]
    pub everywhere: bool,
    /// How many nodes a fleet must have for it.
    #[serde(default)]
    pub nodes: usize,
    /// Signals that a fleet must have for it.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Thresholds that must be this or more for it.
    #[serde(default)]
    pub least: BTreeMap<String, f64>,
    /// Labels of the alert, where they are others than of the course that is told first.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// One after the other.
    pub phases: Vec<Phase>,
}

/// A part of a course.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// How long it lasts.
    pub lasts: Duration,
    /// What signals of the first node are; all others are as in health.
    #[serde(default)]
    pub is: Readings,
    /// What signals of all other nodes are.
    #[serde(default)]
    pub others: Readings,
    /// Signals, and endpoints as `job:NAME`, that the first node does not have.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Endpoints of the first node that do not answer; `*` for all of them.
    #[serde(default)]
    pub down: Vec<String>,
    /// Whether the node's process is another one: its own counters begin anew, those that its monitor keeps go on.
    #[serde(default)]
    pub restarted: bool,
    /// Labels of the first node's metrics that are others than in health.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What a signal is in a part of a course.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Reading {
    /// The same all the time.
    Steady(f64),
    /// From one number to another, steadily.
    Ramp(Ramp),
}

/// A number that changes steadily.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// At the beginning.
    pub from: f64,
    /// At the end.
    pub to: f64,
}

#[cfg(test)]
mod tests {
    use super::{AlertTest, Branch, Scenario};

    fn test() -> AlertTest {
        let scenario = |needs: &[&str]| Scenario {
            needs: needs.iter().map(|name| (*name).to_owned()).collect(),
            ..Scenario::default()
        };
        let branch = Branch {
            name: "other".into(),
            needs: vec!["b".into()],
            sick: [("b".to_owned(), super::Reading::Steady(1.0))].into(),
            ..Branch::default()
        };
        AlertTest {
            needs: vec!["a".into()],
            figure: "2%".into(),
            branch: vec![branch],
            fires: vec![scenario(&[]), scenario(&["b"])],
            quiet: vec![scenario(&[])],
            ..AlertTest::default()
        }
    }

    /// Name, figure, and how many other courses in which it fires and in which it is silent.
    fn of(signals: &[&str]) -> Vec<(String, String, usize, usize)> {
        let test = test();
        let illnesses = test.illnesses(|name| signals.contains(&name)).into_iter();
        illnesses.map(|(name, test)| (name.into(), test.figure, test.fires.len(), test.quiet.len())).collect()
    }

    #[test]
    fn each_illness_is_played_and_the_courses_are_the_firsts() {
        let row = |name: &str, fires, quiet| (name.to_owned(), "2%".to_owned(), fires, quiet);
        assert_eq!(of(&["a", "b"]), [row("", 2, 1), row("other", 0, 0)]);
        assert_eq!(of(&["a"]), [row("", 2, 1)]);
        assert_eq!(of(&["b"]), [row("other", 1, 1)]);
        assert_eq!(of(&[]), []);
    }
}
