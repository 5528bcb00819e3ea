//! One dashboard: rows of panels, each of which shows signals.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::hash::fnv1a;

/// One file of `catalogue/dashboards/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Its name in addresses and alerts.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// How far it looks back, as Grafana says it: `6h`.
    #[serde(default = "six_hours")]
    pub since: String,
    /// From top to bottom.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
}

fn six_hours() -> String {
    "6h".into()
}

/// A row of panels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its title.
    pub title: String,
    /// From left to right.
    #[serde(rename = "panel")]
    pub panels: Vec<Panel>,
}

/// One panel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Its name in alerts; no other panel of the dashboard has it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it shows and how to read it.
    pub description: String,
    /// How it is drawn.
    #[serde(default)]
    pub kind: PanelKind,
    /// Its unit, by Grafana's name.
    pub unit: String,
    /// Columns of 24.
    #[serde(default = "half")]
    pub width: u32,
    /// Rows of 30 pixels, where that is not what its kind has.
    pub height: Option<u32>,
    /// The signals without which it does not stand; beside them, a query whose signals nobody has is left out.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The thresholds that are drawn as lines, or that colour a figure. A name with the word `min` is a floor.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// Figures that are bad from here on without anybody being told: `1` for a count of deaths.
    pub bad_from: Option<f64>,
    /// The least value of its axis.
    pub min: Option<f64>,
    /// The greatest value of its axis.
    pub max: Option<f64>,
    /// Digits behind the point.
    pub decimals: Option<u32>,
    /// Whether lines stand upon each other.
    #[serde(default)]
    pub is_stacked: bool,
    /// Whether each figure is a bar of its own: counts, not curves.
    #[serde(default)]
    pub is_bars: bool,
    /// The column that a table is sorted by, the greatest first.
    pub sort: Option<String>,
    /// Words and colours in place of numbers: `"0" = ["down", "red"]`.
    #[serde(default)]
    pub states: BTreeMap<String, [String; 2]>,
    /// What it asks.
    #[serde(rename = "query")]
    pub queries: Vec<PanelQuery>,
}

const fn half() -> u32 {
    12
}

impl Panel {
    /// Its number in a dashboard's addresses, `viewPanel=N`: the same whatever stands beside it.
    #[must_use]
    pub fn number(&self) -> u32 {
        number_of(&self.id)
    }
}

/// Its hash, folded to what a person can still read: 1 to 999,999.
pub(crate) fn number_of(id: &str) -> u32 {
    1 + fnv1a(id) % 999_999
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelKind {
    /// Lines over time.
    #[default]
    Timeseries,
    /// One figure.
    Stat,
    /// A table of what is now.
    Table,
    /// Bars of what is now.
    Bargauge,
    /// States over time.
    StateTimeline,
}

/// One query of a panel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelQuery {
    /// PromQL, with `${signal}` for a signal's query over `$__rate_interval`, and `${select}` for the matchers of what is chosen.
    pub expr: String,
    /// What fleets are asked that have not the signals of that, and nodes that do not answer to it: those without a monitor.
    #[serde(default)]
    pub otherwise: Vec<String>,
    /// What is made of all that together, which stands for `${it}`: a sum over fleets that are asked differently.
    pub over: Option<String>,
    /// The legend, with Grafana's `{{label}}`; of a table, the column's head.
    pub legend: String,
    /// Its unit, where that is not the panel's.
    pub unit: Option<String>,
    /// Whether it is drawn below zero: what goes out beside what comes in.
    #[serde(default)]
    pub is_below: bool,
    /// The figure from which it alone is bad, whatever the panel says.
    pub bad_from: Option<f64>,
    /// Words and colours in place of numbers, where they are not the panel's.
    #[serde(default)]
    pub states: BTreeMap<String, [String; 2]>,
}

/// Something that happened, marked on every panel: one entry of `catalogue/annotations.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    /// What it marks.
    pub name: String,
    /// Its colour, by Grafana's name.
    pub color: String,
    /// The mark's head, with Grafana's `{{label}}`.
    pub title: String,
    /// What stands below it.
    pub text: String,
    /// PromQL of which each value is the time of what happened, in milliseconds since 1970. Fleets that have not the signals
    /// of the first, and nodes that do not answer to it, have those of the next.
    pub queries: Vec<String>,
}
