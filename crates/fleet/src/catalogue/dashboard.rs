//! One dashboard: rows of panels, each of which shows signals.

use serde::Deserialize;

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
    /// From top to bottom.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
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
    /// The signals without which it does not stand.
    pub needs: Vec<String>,
    /// The threshold that is drawn as a line.
    pub threshold: Option<String>,
    /// What it asks.
    #[serde(rename = "query")]
    pub queries: Vec<PanelQuery>,
}

const fn half() -> u32 {
    12
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
    /// The legend, with Grafana's `{{label}}`.
    pub legend: String,
}
