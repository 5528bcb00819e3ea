//! A Prometheus, and what it answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Engine, Generation};
use crate::http::{Answer, escaped, get, post};
use crate::{wait_for, wait_until};

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// For a test whose intervals are short. Prometheus knows of its Alertmanagers five seconds after its start; of what fired
/// before it tells a minute later, unless told to tell again sooner.
pub const QUICK: [&str; 1] = ["--rules.alert.resend-delay=1s"];

/// A Prometheus at work.
#[derive(Debug)]
pub struct Prometheus {
    /// The program.
    pub engine: Engine,
}

/// One element of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels, its name among them as `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// A label's value; empty where it has none, as Prometheus means it.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Prometheus {
    /// Starts one with this configuration; relative paths in it are meant from where it lies.
    ///
    /// # Panics
    /// When it does not start; what it said is shown.
    #[must_use]
    pub fn start(generation: Generation, config: &Path, address: &str) -> Self {
        Self::start_with(generation, config, address, &[])
    }

    /// The same with more arguments, such as [`QUICK`].
    ///
    /// # Panics
    /// As [`Prometheus::start`].
    #[must_use]
    pub fn start_with(generation: Generation, config: &Path, address: &str, more: &[&str]) -> Self {
        let config = format!("--config.file={}", config.display());
        let listen = format!("--web.listen-address={address}");
        let mut arguments = vec![
            config.as_str(),
            listen.as_str(),
            "--storage.tsdb.path={folder}/data",
            "--web.enable-lifecycle",
        ];
        arguments.extend(more);
        let engine = Engine::start(generation, "prometheus", address, &arguments);
        let prometheus = Self { engine };
        wait_until("Prometheus is ready", || prometheus.get("/-/ready").status == 200);
        prometheus
    }

    /// Makes it read its configuration again.
    ///
    /// # Panics
    /// When it refuses that.
    pub fn reload(&self) {
        let answer = post(&self.engine.address, "/-/reload", "text/plain", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// One page of it.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        get(&self.engine.address, path, &[])
    }

    /// What it holds for a query now.
    ///
    /// # Errors
    /// What it says of a query that it refuses.
    pub fn try_query(&self, query: &str) -> Result<Vec<Sample>, String> {
        let said = self.get(&format!("/api/v1/query?query={}", escaped(query))).json();
        if said.get("status").and_then(Value::as_str) != Some("success") {
            return Err(said.get("error").and_then(Value::as_str).unwrap_or("no error").to_owned());
        }
        let result = said.pointer("/data/result").and_then(Value::as_array).cloned().unwrap_or_default();
        if said.pointer("/data/resultType").and_then(Value::as_str) == Some("scalar") {
            let value = number(result.get(1));
            return Ok(vec![Sample { labels: BTreeMap::new(), value }]);
        }
        Ok(result.iter().map(sample).collect())
    }

    /// What it holds for a query now.
    ///
    /// # Panics
    /// When it refuses the query.
    #[must_use]
    pub fn query(&self, query: &str) -> Vec<Sample> {
        self.try_query(query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The value of a query that has one element; nothing where it has none or more.
    #[must_use]
    pub fn value(&self, query: &str) -> Option<f64> {
        match self.query(query).as_slice() {
            [sample] => Some(sample.value),
            _ => None,
        }
    }

    /// Waits until a query has a result, and answers it.
    ///
    /// # Panics
    /// When it has none for two minutes.
    pub fn wait_for(&self, query: &str) -> Vec<Sample> {
        wait_for(&format!("Prometheus has {query}"), PATIENCE, || {
            Some(self.query(query)).filter(|result| !result.is_empty())
        })
    }

    /// The alerts that fire now, as `/api/v1/alerts` has them.
    #[must_use]
    pub fn firing(&self) -> Vec<Value> {
        let said = self.get("/api/v1/alerts").json();
        let alerts = said.pointer("/data/alerts").and_then(Value::as_array).cloned().unwrap_or_default();
        let fires = |alert: &Value| alert.get("state").and_then(Value::as_str) == Some("firing");
        alerts.into_iter().filter(fires).collect()
    }
}

fn sample(element: &Value) -> Sample {
    let labels = element.get("metric").and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Sample {
        labels: labels.map(|(name, value)| (name.clone(), text(value))).collect(),
        value: number(element.pointer("/value/1")),
    }
}

/// Prometheus writes numbers as texts, `NaN` and `+Inf` among them.
fn number(value: Option<&Value>) -> f64 {
    value.and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}
