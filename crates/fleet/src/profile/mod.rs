//! How a kind of node speaks, as data: its endpoints, and its signals as queries over the metrics that it has.
//!
//! Alerts and panels are written in terms of signals ([`crate::catalogue`]), so that a node that speaks otherwise needs a
//! profile and nothing else.

mod book;
mod check;
mod meter;
mod pages;
mod query;
mod series;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::template;

pub use book::{Book, Speech};
pub(crate) use check::{place, wrong_for_a_fleet};
pub use pages::{Pages, Sample};
pub use series::{Kind, Series};

/// What the pages of the engines are called, of which no node has one.
pub(crate) const ENGINES: [&str; 2] = ["prometheus", "alertmanager"];

/// Labels that tell nodes apart.
pub(crate) const BY: &str = "fleet, dc, node";

/// One file of `profiles/`, or a user's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, as an inventory says it.
    pub name: String,
    /// Which nodes it is for.
    pub help: String,
    /// Profiles whose endpoints and signals it has too; its own come first.
    #[serde(default)]
    pub includes: Vec<String>,
    /// Whether it is how the engines speak that alerts pass through: no fleet has it, the rules of that way do.
    #[serde(default)]
    pub is_of_engines: bool,
    /// What is asked of each node, by name: that name is the job of what comes.
    #[serde(default, rename = "endpoint")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What is known of each node, by name.
    #[serde(default, rename = "signal")]
    pub signals: BTreeMap<String, Signal>,
}

/// Where a node, or something beside it, answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What answers there.
    pub help: String,
    /// Its port on the node's address.
    pub port: u16,
    /// The page.
    #[serde(default = "metrics_path")]
    pub path: String,
    /// `http` or `https`.
    #[serde(default = "http")]
    pub scheme: String,
    /// Whether a fleet has it unless its inventory says otherwise.
    #[serde(default = "yes")]
    pub is_default: bool,
    /// Whether it is not one node's alone: several nodes of a machine, or of a data centre, name the same.
    #[serde(default)]
    pub is_shared: bool,
    /// The module of the blackbox exporter that asks it from outside; without one Prometheus scrapes it.
    pub probe: Option<String>,
}

fn metrics_path() -> String {
    "/metrics".into()
}

fn http() -> String {
    "http".into()
}

const fn yes() -> bool {
    true
}

/// One thing that is known of each node: a number over time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// What it tells.
    pub help: String,
    /// The endpoint that tells it: the job of its series.
    pub endpoint: String,
    /// Its unit, by Grafana's name.
    pub unit: String,
    /// The query, with `${select}` for the matchers of its nodes and job, `${range}` for the window of a rate, and `${by}` for
    /// the labels that tell nodes apart.
    pub query: String,
    /// Labels of the result beside those that tell nodes apart.
    #[serde(default)]
    pub by: Vec<String>,
    /// What a node that is well has: for simulated nodes and for rules' tests.
    pub healthy: f64,
    /// The metrics that a node tells it by, so that simulated nodes and rules' tests can.
    pub series: Vec<Series>,
}

impl Signal {
    /// Its query for the nodes that the matchers in `select` choose, over the window `range`, with a result for each value of
    /// the labels `by` and of its own.
    ///
    /// # Errors
    /// What is wrong with the query's template, in one line.
    pub fn promql(&self, select: &str, range: &str, by: &str) -> Result<String, String> {
        let by = self.by.iter().fold(by.to_owned(), |by, label| format!("{by}, {label}"));
        // JSON's quotes and escapes are PromQL's.
        let job = format!("job={}", serde_json::Value::from(self.endpoint.as_str()));
        let select = if select.is_empty() { job } else { format!("{job},{select}") };
        let values = serde_json::json!({ "select": select, "range": range, "by": by });
        template::expand(template::plain()?, self.query.trim(), values)
    }
}
