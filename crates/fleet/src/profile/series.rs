//! How a signal's number looks on a node's page.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One metric by which a node tells a signal: its number is `constant + factor × value`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The metric's name as a scrape has it, with `_total` where it ends so.
    pub name: String,
    /// Labels that the node itself gives.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What kind of metric it is.
    pub kind: Kind,
    /// The generation of nodes that has it; every one where none is named.
    pub generation: Option<String>,
    /// What the signal's number is multiplied with.
    #[serde(default = "one")]
    pub factor: f64,
    /// What is added.
    #[serde(default)]
    pub constant: f64,
    /// Of a histogram: the upper bounds, without +Inf.
    #[serde(default)]
    pub buckets: Vec<f64>,
}

const fn one() -> f64 {
    1.0
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Shows the number.
    Gauge,
    /// Grows by the number each second.
    Counter,
    /// Shows the time of now minus the number, in seconds since 1970.
    Timestamp,
    /// Observes the number, ten times a second.
    Histogram,
}
