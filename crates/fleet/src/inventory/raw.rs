//! The inventory as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::duration::Duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default, rename = "fleet")]
    pub(super) fleets: Vec<Fleet>,
    #[serde(default)]
    pub(super) intervals: Intervals,
    #[serde(default)]
    pub(super) links: Links,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intervals {
    pub(super) scrape: Option<Duration>,
    pub(super) evaluation: Option<Duration>,
    pub(super) group_wait: Option<Duration>,
    pub(super) group_interval: Option<Duration>,
    pub(super) repeat: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Links {
    pub(super) grafana: Option<String>,
    pub(super) runbooks: Option<String>,
    pub(super) logs: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fleet {
    pub(super) name: Spanned<String>,
    pub(super) profile: Spanned<OneOrMany>,
    pub(super) owner: Option<String>,
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) endpoints: BTreeMap<Spanned<String>, EndpointWish>,
    #[serde(default)]
    pub(super) thresholds: BTreeMap<Spanned<String>, f64>,
    #[serde(default, rename = "node")]
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) name: Spanned<String>,
    pub(super) address: Spanned<String>,
    pub(super) role: Option<String>,
    pub(super) dc: Option<String>,
    pub(super) version: Option<String>,
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) endpoints: BTreeMap<Spanned<String>, EndpointWish>,
}

/// `8008`, `"10.0.0.1:8008"`, `true` or `false`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum EndpointWish {
    Is(bool),
    Port(u16),
    Address(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Many(names) => names.clone(),
        }
    }
}
