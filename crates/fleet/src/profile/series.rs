//! How a signal's number looks on a node's page.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One metric by which a node tells a signal: its number is `constant + factor × value`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The metric's name as a scrape has it, with `_total` where it ends so; of a histogram without `_bucket`.
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

impl Series {
    /// What the metric shows, grows by or observes while the signal has this number.
    #[must_use]
    pub fn number(&self, value: f64) -> f64 {
        self.factor.mul_add(value, self.constant)
    }

    /// Whether nodes of this generation have it.
    #[must_use]
    pub fn is_of(&self, generation: Option<&str>) -> bool {
        generation.is_none() || self.generation.is_none() || self.generation.as_deref() == generation
    }
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
    /// A counter that grows by the number each second: the query is a rate.
    Counter,
    /// A counter that grows by the number at once, and again in each window of rules for as long: the query is an increase.
    Event,
    /// Shows a moment in seconds since 1970: the number is how many seconds before the signal took that number it lies. A
    /// signal that is such a moment has a unit of Grafana's that begins with `dateTime`, and numbers that are ages.
    Timestamp,
    /// Observes the number, ten times a second.
    Histogram,
}
