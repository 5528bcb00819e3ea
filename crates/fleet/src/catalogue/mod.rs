//! What every fleet is watched for, and shown by, as data: thresholds, alerts, dashboards, all in terms of signals.
//!
//! An alert or a panel stands where a fleet's profiles have every signal that it needs, and nowhere else.

mod alert;
pub mod alert_test;
mod dashboard;
mod fit;
mod record;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use alert::{Alert, Scope, Severity};
pub use alert_test::AlertTest;
pub(crate) use dashboard::number_of;
pub use dashboard::{Annotation, Dashboard, Panel, PanelKind, PanelQuery, Row};
pub use fit::Goes;
pub use record::Record;

use crate::problem::{Problem, Problems, Source};

/// What an alert may need that is no signal of a node but a word of the inventory: a version.
pub(crate) const EXPECTED_VERSION: &str = "expected_version";

/// Such a word, too: how many nodes Consul must know at least. Of nodes that have names `NodeMissing` tells.
pub(crate) const NODES_MIN: &str = "nodes_min";

static OURS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalogue");

/// Thresholds, alerts and dashboards.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Thresholds by name.
    pub thresholds: BTreeMap<String, Threshold>,
    /// What is computed of signals, in the order in which it is.
    pub records: Vec<Record>,
    /// Alerts, in the order of their files' names.
    pub alerts: Vec<Alert>,
    /// Dashboards, in the order of their files' names.
    pub dashboards: Vec<Dashboard>,
    /// What is marked on every dashboard.
    pub annotations: Vec<Annotation>,
}

/// A figure beyond which somebody is told; an inventory may name another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// What it bounds.
    pub help: String,
    /// Its unit, by Grafana's name.
    pub unit: String,
    /// What it is unless the inventory says otherwise.
    pub default: f64,
    /// The least that an inventory may say; 0 unless told, and of a share a little more.
    pub min: Option<f64>,
    /// The most that an inventory may say; of a share a little less than 1 unless told.
    pub max: Option<f64>,
    /// Whether it is a number of things.
    #[serde(default)]
    pub whole: bool,
    /// The signals that are compared with it, and how they go with it.
    #[serde(default)]
    pub bounds: BTreeMap<String, Goes>,
}

impl Threshold {
    /// The least and the most that an inventory may say.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        // A share of nothing, or of all, is always passed or never.
        let (least, most) = if self.unit == "percentunit" { (0.001, 0.999) } else { (0.0, 1e15) };
        (self.min.unwrap_or(least), self.max.unwrap_or(most))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thresholds {
    threshold: BTreeMap<String, Threshold>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    record: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alerts {
    alert: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    annotation: Vec<Annotation>,
}

impl Catalogue {
    /// What comes with the program.
    ///
    /// # Errors
    /// Where a file of it cannot be read: a fault of the program.
    pub fn ours() -> Result<Self, Problems> {
        static READ: OnceLock<Result<Catalogue, Problems>> = OnceLock::new();
        READ.get_or_init(Self::read_ours).clone()
    }

    fn read_ours() -> Result<Self, Problems> {
        let thresholds: Thresholds = read("thresholds.toml", text_of("thresholds.toml"))?;
        let mut catalogue = Self { thresholds: thresholds.threshold, ..Self::default() };
        catalogue.records = read::<Records>("records.toml", text_of("records.toml"))?.record;
        for (name, text) in files_of("alerts") {
            catalogue.alerts.extend(read::<Alerts>(&name, text)?.alert);
        }
        for (name, text) in files_of("dashboards") {
            catalogue.dashboards.push(read(&name, text)?);
        }
        let annotations: Annotations = read("annotations.toml", text_of("annotations.toml"))?;
        catalogue.annotations = annotations.annotation;
        Ok(catalogue)
    }

    /// The panel that an alert names as `dashboard/panel`.
    #[must_use]
    pub fn panel(&self, place: &str) -> Option<(&Dashboard, &Panel)> {
        let (dashboard, panel) = place.split_once('/')?;
        let dashboard = self.dashboards.iter().find(|found| found.id == dashboard)?;
        let mut panels = dashboard.rows.iter().flat_map(|row| &row.panels);
        panels.find(|found| found.id == panel).map(|panel| (dashboard, panel))
    }
}

fn text_of(path: &str) -> &'static str {
    OURS.get_file(path).and_then(|file| file.contents_utf8()).unwrap_or_default()
}

/// Name and text of each file of a folder, in the order of their names.
fn files_of(folder: &str) -> impl Iterator<Item = (String, &'static str)> {
    let mut files: Vec<_> = OURS.get_dir(folder).into_iter().flat_map(Dir::files).collect();
    files.sort_by_key(|file| file.path());
    files
        .into_iter()
        .map(|file| (file.path().display().to_string(), file.contents_utf8().unwrap_or_default()))
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| Source { name, text }.toml_problem(&error))
}
