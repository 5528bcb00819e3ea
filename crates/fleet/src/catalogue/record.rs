//! What is computed of signals before alerts and panels ask for it: recording rules.

use serde::Deserialize;

/// One recording rule; it stands where a fleet has every signal that it needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its name: `level:metric:operation`.
    pub name: String,
    /// What it tells.
    pub help: String,
    /// The signals without which it does not stand.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Signals of which one is enough, where any are named.
    #[serde(default)]
    pub any: Vec<String>,
    /// PromQL, as of an alert ([`super::Alert::expr`]).
    pub expr: String,
    /// Whether alerts that watch a trend are who asks for it.
    #[serde(default)]
    pub trend: bool,
    /// Whether it is computed of alerts, and so after them.
    #[serde(default)]
    pub of_alerts: bool,
}
