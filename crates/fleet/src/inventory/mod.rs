//! The inventory: fleets, their nodes, and who is told. One file that an operator writes.

mod address;
mod consul;
mod destination;
mod engines;
mod file;
mod form;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::Catalogue;
use crate::duration::Duration;
use crate::problem::Problem;
use crate::profile::Speech;

pub(crate) use address::wrong_name;
pub use consul::Consul;
pub use destination::{Channel, Destination, Place, Secret};
pub use engines::{Alertmanager, Blackbox, Engines, Grafana, Prometheus, Version};

/// A file of fleets, read and found right.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The file's name, as it was given.
    pub file: String,
    /// At least one.
    pub fleets: Vec<Fleet>,
    /// Who is told; where there is none, Prometheus and its page still tell who looks.
    pub destinations: Vec<Destination>,
    /// How often things happen.
    pub intervals: Intervals,
    /// Where things are, for links.
    pub links: Links,
    /// Where the engines are.
    pub engines: Engines,
    /// What is watched for and shown.
    pub catalogue: Catalogue,
    /// What is allowed, and yet likely not what was meant.
    pub hints: Vec<Problem>,
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

impl Default for Intervals {
    /// As they are shipped.
    fn default() -> Self {
        Self {
            scrape: Duration::from_seconds(15),
            evaluation: Duration::from_seconds(15),
            group_wait: Duration::from_seconds(5),
            group_interval: Duration::from_seconds(20),
            repeat: Duration::from_seconds(4 * 3600),
        }
    }
}

/// Addresses that people open.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Of Grafana, without a slash at its end.
    pub grafana: Option<String>,
    /// Of Prometheus, without a slash at its end.
    pub prometheus: Option<String>,
    /// Of Alertmanager, without a slash at its end.
    pub alertmanager: Option<String>,
    /// Of the rendered runbooks, without a slash at its end.
    pub runbooks: Option<String>,
    /// Of a node's logs, with `{fleet}` and `{node}` in it.
    pub logs: Option<String>,
    /// Of a node's crash reports, with `{fleet}` and `{node}` in it.
    pub reports: Option<String>,
}

/// Nodes that are run together.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name: the label `fleet`.
    pub name: String,
    /// Whether this is no fleet of nodes, but the engines that alerts pass through: no inventory names those.
    pub is_path: bool,
    /// Whom its alerts are for.
    pub owner: String,
    /// The version that its nodes should run, where there is one.
    pub version: Option<String>,
    /// The profiles that it names.
    pub profiles: Vec<String>,
    /// How its nodes speak; only endpoints that they have, and signals that those tell.
    pub speech: Speech,
    /// What its profiles have beside that: endpoints that no node has, and what those would tell.
    pub off: Speech,
    /// Every threshold by name.
    pub thresholds: BTreeMap<String, f64>,
    /// What it is to keep. Nothing goes by it yet, which a hint says.
    pub objectives: Objectives,
    /// Its nodes that are known by name; none where Consul knows them all.
    pub nodes: Vec<Node>,
    /// How Prometheus asks Consul for nodes, where it does.
    pub consul: Option<Consul>,
    /// How many nodes there are at least: those that are known by name, unless the inventory says otherwise.
    pub nodes_min: u64,
    /// The window of its rules' rates.
    pub rate_window: Duration,
}

impl Fleet {
    /// Everybody whom its alerts are for.
    #[must_use]
    pub fn owners(&self) -> BTreeSet<&str> {
        let of_nodes = self.nodes.iter().filter_map(|node| node.owner.as_deref());
        of_nodes.chain([self.owner.as_str()]).collect()
    }

    /// Whether it says which version its nodes, or some of them, should run.
    #[must_use]
    pub fn expects_version(&self) -> bool {
        self.version.is_some() || self.nodes.iter().any(|node| node.version.is_some())
    }
}

/// What a fleet is to keep over a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objectives {
    /// The share of time that its nodes are up, from 0 to 1.
    pub availability: Option<f64>,
    /// The share of messages that are delivered, from 0 to 1.
    pub delivery: Option<f64>,
    /// The longest that 95 of 100 messages take, in seconds.
    pub latency_seconds: Option<f64>,
    /// Over which time.
    pub window: Duration,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name: the label `node`.
    pub name: String,
    /// Host name or IP address, without brackets.
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
