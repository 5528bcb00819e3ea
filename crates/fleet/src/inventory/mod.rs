//! The inventory: fleets, their nodes, and who is told. One file that an operator writes.

mod raw;
mod read;

use std::collections::BTreeMap;

use crate::catalogue::Catalogue;
use crate::duration::Duration;
use crate::profile::Speech;

/// A file of fleets, read and found right.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The file's name, as it was given.
    pub file: String,
    /// At least one.
    pub fleets: Vec<Fleet>,
    /// How often things happen.
    pub intervals: Intervals,
    /// Where things are, for links.
    pub links: Links,
    /// What is watched for and shown.
    pub catalogue: Catalogue,
}

/// How often things happen: a death is told within scrape + evaluation + group interval.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// Between two scrapes of a node.
    pub scrape: Duration,
    /// Between two evaluations of a rule.
    pub evaluation: Duration,
    /// How long Alertmanager waits for more alerts of a new group.
    pub group_wait: Duration,
    /// How long Alertmanager waits before it tells of a new alert in a group that it told of.
    pub group_interval: Duration,
    /// After which Alertmanager tells again of what still fires.
    pub repeat: Duration,
}

/// Addresses that people open.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Of Grafana, without a slash at its end.
    pub grafana: Option<String>,
    /// Of the rendered runbooks, without a slash at its end.
    pub runbooks: Option<String>,
    /// Of a node's logs, with `{fleet}` and `{node}` in it.
    pub logs: Option<String>,
}

/// Nodes that are run together.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name: the label `fleet`.
    pub name: String,
    /// Whom its alerts are for.
    pub owner: String,
    /// The version that its nodes should run, where there is one.
    pub version: Option<String>,
    /// How its nodes speak; only endpoints that they have, and signals that those tell.
    pub speech: Speech,
    /// Every threshold by name.
    pub thresholds: BTreeMap<String, f64>,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name: the label `node`.
    pub name: String,
    /// Host name or IP address.
    pub address: String,
    /// What it is there for: the label `role`.
    pub role: String,
    /// Where it stands: the label `dc`.
    pub dc: String,
    /// The version that it should run, where that is not the fleet's.
    pub version: Option<String>,
    /// Whom its alerts are for, where that is not the fleet's owner.
    pub owner: Option<String>,
    /// Where each of its endpoints answers, as `host:port`.
    pub endpoints: BTreeMap<String, String>,
}
