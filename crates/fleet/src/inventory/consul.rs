//! Nodes that Consul knows.

use std::collections::BTreeMap;

/// How Prometheus asks Consul for the nodes of a fleet. Names, data centres and roles become labels when it does: a node's
/// name is Consul's name of its machine, as `<node>.<dc>.<env>.<stage>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consul {
    /// Consul's agent, as `host:port`.
    pub server: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Consul's own data centre; the agent's where none is named.
    pub datacenter: Option<String>,
    /// The file that holds the token, by its absolute path where Prometheus runs.
    pub token_file: Option<String>,
    /// Only these services; all where none is named.
    pub services: Vec<String>,
    /// Only services that have all of these tags.
    pub tags: Vec<String>,
    /// The role of the nodes that it knows.
    pub role: String,
    /// The data centre of all of them, where that is not the second part of their names.
    pub dc: Option<String>,
    /// Where each endpoint answers on a service's address: at this port, or where there is none, at the service's own.
    pub ports: BTreeMap<String, Option<u16>>,
}
