//! What a fleet is watched for, and what not, and why.

use std::collections::BTreeMap;

use crate::catalogue::{Alert, EXPECTED_VERSION, NODES_MIN, Scope};
use crate::inventory::{Fleet, Inventory};
use crate::profile::Book;
use crate::render::{alerts_of, has_nodes_for};

/// Alerts that do not stand, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: String,
    /// What would let them stand.
    pub remedy: String,
    /// Their names.
    pub alerts: Vec<String>,
}

impl Inventory {
    /// The alerts that stand for a fleet.
    pub fn watched<'a>(&'a self, fleet: &'a Fleet) -> impl Iterator<Item = &'a Alert> {
        alerts_of(&self.catalogue, fleet)
    }

    /// The alerts that do not, by their reasons.
    #[must_use]
    pub fn gaps(&self, fleet: &Fleet) -> Vec<Gap> {
        let stands: Vec<&str> = self.watched(fleet).map(|alert| alert.name.as_str()).collect();
        let book = Book::ours().unwrap_or_default();
        let mut gaps: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        // The way that alerts take is no fleet's: its rules stand beside.
        // Nor is one about Consul an alert of nodes that have names.
        let is_of_consul = |alert: &Alert| alert.needs.iter().any(|need| need == NODES_MIN);
        let is_own =
            |alert: &&Alert| alert.scope != Scope::Path && (fleet.consul.is_some() || !is_of_consul(alert));
        let own = self.catalogue.alerts.iter().filter(is_own);
        for alert in own.filter(|alert| !stands.contains(&alert.name.as_str())) {
            let has = |signal: &&String| fleet.speech.signals.contains_key(*signal);
            // Where one of several is enough the first stands for them.
            let missing = alert.needs.iter().find(|signal| !has(signal)).or(alert.any.first());
            let why = match missing {
                Some(signal) => reason(fleet, signal, &book),
                None if !has_nodes_for(alert, fleet) => no_others(),
                None => continue,
            };
            gaps.entry(why).or_default().push(alert.name.clone());
        }
        for name in fleet.off.endpoints.keys() {
            gaps.entry(endpoint_off(fleet, name)).or_default();
        }
        if !fleet.expects_version() {
            gaps.entry(no_version()).or_default();
        }
        let gap = |((reason, remedy), alerts)| Gap { reason, remedy, alerts };
        gaps.into_iter().map(gap).collect()
    }
}

/// Why a fleet has no such signal, and what would let it have one.
fn reason(fleet: &Fleet, signal: &str, book: &Book) -> (String, String) {
    match signal {
        EXPECTED_VERSION => return no_version(),
        NODES_MIN => return no_least(),
        _ => {}
    }
    if let Some(off) = fleet.off.signals.get(signal) {
        return endpoint_off(fleet, &off.endpoint);
    }
    let knows = book.profiles().find(|profile| profile.signals.contains_key(signal));
    match knows {
        Some(profile) => {
            let reason =
                format!("profile {:?} is not named: {}", profile.name, profile.help.trim_end_matches('.'));
            let endpoint =
                profile.signals.get(signal).and_then(|told| profile.endpoints.get_key_value(&told.endpoint));
            let turn_on = endpoint.filter(|(_, endpoint)| !endpoint.is_default);
            let turn_on = turn_on
                .map_or(String::new(), |(name, _)| format!(", and {name} = true to [fleet.endpoints]"));
            (reason, format!("add {:?} to `profile`{turn_on}", profile.name))
        }
        None => (format!("no profile tells `{signal}`"), "write a profile of your own that does".into()),
    }
}

fn no_least() -> (String, String) {
    let reason = "no `nodes_min` is named: nobody misses a node that Consul forgot an hour ago";
    (reason.into(), "add nodes_min = 3, or how many nodes there are at least, to the fleet".into())
}

fn no_others() -> (String, String) {
    let reason = "there is one node: nobody can tell its fault from that of the others";
    (reason.into(), "name a second node; of the messages of all FleetMessagesStopped tells meanwhile".into())
}

fn no_version() -> (String, String) {
    let reason = "no `version` is named: nobody can tell which node runs another";
    (reason.into(), "add version = \"v1.2.3\" to the fleet".into())
}

fn endpoint_off(fleet: &Fleet, name: &str) -> (String, String) {
    let help = fleet.off.endpoints.get(name).map_or("", |endpoint| endpoint.help.as_str());
    let reason = format!("no node has the endpoint `{name}`: {help}");
    (reason, format!("add {name} = true, or its port, to [fleet.endpoints]"))
}
