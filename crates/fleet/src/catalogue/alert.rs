//! One alert: when it fires, what it says, and how its rule is tested.

use serde::{Deserialize, Serialize};

use super::alert_test::AlertTest;
use crate::duration::Duration;

/// How soon somebody has to act: response and resolution targets are P0 15 min and 2 h, P1 1 h and 4 h, P2 4 h and 24 h,
/// P3 24 h and 1 week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// A whole fleet is out, or data is lost.
    P0,
    /// Users feel it, or a crash comes again.
    P1,
    /// Something works worse than it should.
    P2,
    /// Somebody should look, some day this week.
    P3,
    /// Nobody is told: the dead man's switch, which fires as long as all is well.
    #[serde(rename = "none")]
    None,
}

/// The label's value.
impl std::fmt::Display for Severity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            told => write!(formatter, "{told:?}"),
        }
    }
}

/// What an alert is about: which labels say where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One node: `fleet`, `dc`, `node`.
    #[default]
    Node,
    /// A fleet: `fleet`.
    Fleet,
    /// The way that alerts take, which all fleets share: none of these labels.
    Path,
}

/// What somebody is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name, and its runbook's.
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub scope: Scope,
    /// How many nodes a fleet must have for it: one that compares nodes has nothing to say of a single one.
    #[serde(default)]
    pub nodes: usize,
    /// The signals without which it does not stand.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Signals of which one is enough; the expression asks which there are (`<% if postgres_up is defined %>`).
    #[serde(default)]
    pub any: Vec<String>,
    /// When it fires: PromQL with `${signal}` for a signal's query (or `${signal_over('peers', '30m')}` for another window),
    /// `${threshold.peers_min}` for a figure, `${select}` for the matchers of the fleet, `${by}` for the labels that tell
    /// nodes apart, `${range}` for the window of a rate, `${seconds('5m')}` for a duration as a number, `has_consul` where
    /// Consul knows nodes, `${probes}` for the jobs that look from outside.
    pub expr: String,
    /// How long that must hold.
    #[serde(default, rename = "for")]
    pub hold: Duration,
    /// How long a node must be ill before the expression is true, where that is not the longest of its windows.
    pub fill: Option<Duration>,
    /// Whether it watches a trend: its latency counts from when the trend is there, not from when it began.
    #[serde(default)]
    pub trend: bool,
    /// How soon somebody has to act.
    pub severity: Severity,
    /// Points that a node's health score loses while it fires.
    #[serde(default)]
    pub deducts: u32,
    /// One sentence that names the node and the figure; Prometheus' template language.
    pub summary: String,
    /// What it means, in a few sentences; of Prometheus' template language only `{{ $labels.name }}`.
    pub description: String,
    /// The panel that shows it, as `dashboard/panel`.
    pub panel: String,
    /// What its rule's tests feed it.
    pub test: AlertTest,
}
