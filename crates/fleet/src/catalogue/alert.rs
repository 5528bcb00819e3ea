//! One alert: when it fires, what it says, and what its tests feed it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
}

/// What somebody is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name, and its runbook's.
    pub name: String,
    /// The signals without which it does not stand.
    #[serde(default)]
    pub needs: Vec<String>,
    /// When it fires: PromQL with `${signal}` for a signal's query (or `${signal_over('peers', '30m')}` for another window),
    /// `${threshold.peers_min}` for a figure, and `${select}` for the matchers of the fleet.
    pub expr: String,
    /// How long that must hold.
    #[serde(default, rename = "for")]
    pub hold: Duration,
    /// How soon somebody has to act.
    pub severity: Severity,
    /// One sentence that names the node and the figure; Prometheus' template language.
    pub summary: String,
    /// What it means, in a few sentences; Prometheus' template language.
    pub description: String,
    /// The panel that shows it, as `dashboard/panel`.
    pub panel: String,
    /// What its rule's tests feed it.
    pub test: AlertTest,
}

/// Signals of a node over time: well, then ill, then well again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTest {
    /// What signals are while the node is well, where that is not what their profile says.
    #[serde(default)]
    pub healthy: BTreeMap<String, f64>,
    /// What signals are while it is ill.
    pub sick: BTreeMap<String, f64>,
    /// Signals that are gone while it is ill.
    #[serde(default)]
    pub absent: Vec<String>,
    /// How soon after the node fell ill the rule has to fire, where that is more than its budget says.
    pub within: Option<Duration>,
}
