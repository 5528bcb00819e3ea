//! Nodes as targets, in files beside Prometheus' configuration: it takes a new node without a reload.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tree::Tree;
use crate::inventory::{Inventory, Node};
use crate::profile::Endpoint;

/// What is scraped under one name, for every fleet that has it.
pub(super) struct Job<'a> {
    pub(super) name: &'a str,
    /// As the first fleet has it; targets of another that differs say so themselves.
    pub(super) endpoint: &'a Endpoint,
}

#[derive(Serialize)]
struct Target<'a> {
    targets: [String; 1],
    labels: BTreeMap<&'static str, &'a str>,
}

/// Every job by name.
///
/// # Errors
/// Names that cannot stand beside each other.
pub(super) fn jobs(inventory: &Inventory) -> Result<Vec<Job<'_>>, String> {
    let mut jobs: BTreeMap<&str, Job<'_>> = BTreeMap::new();
    for fleet in &inventory.fleets {
        for (name, endpoint) in &fleet.speech.endpoints {
            let job = jobs.entry(name).or_insert(Job { name, endpoint });
            if job.endpoint.probe.is_some() != endpoint.probe.is_some() {
                let what = "is a probe in one fleet and a page in another; give one of them another name";
                return Err(format!("endpoint {name:?} {what}"));
            }
        }
    }
    Ok(jobs.into_values().collect())
}

pub(super) fn render(job: &Job<'_>, inventory: &Inventory, tree: &mut Tree) -> Result<(), String> {
    let fleets = inventory.fleets.iter();
    let nodes = fleets.flat_map(|fleet| fleet.nodes.iter().map(move |node| (fleet, node)));
    let targets: Vec<Target<'_>> = nodes
        .filter_map(|(fleet, node)| {
            let endpoint = fleet.speech.endpoints.get(job.name)?;
            target(job, endpoint, &fleet.name, node)
        })
        .collect();
    let text = serde_json::to_string_pretty(&targets).map_err(|error| error.to_string())?;
    tree.add(format!("prometheus/targets/{}.json", job.name), text + "\n");
    Ok(())
}

fn target<'a>(job: &Job<'_>, endpoint: &'a Endpoint, fleet: &'a str, node: &'a Node) -> Option<Target<'a>> {
    let address = node.endpoints.get(job.name)?;
    let mut labels = BTreeMap::from([
        ("fleet", fleet),
        ("dc", node.dc.as_str()),
        ("node", node.name.as_str()),
        ("role", node.role.as_str()),
    ]);
    let mut say = |label, own: &'a str, of_job: &str| {
        if own != of_job {
            labels.insert(label, own);
        }
    };
    if let (Some(own), Some(of_job)) = (&endpoint.probe, &job.endpoint.probe) {
        say("__param_module", own, of_job);
        return Some(Target { targets: [probed(endpoint, own, address)], labels });
    }
    say("__metrics_path__", &endpoint.path, &job.endpoint.path);
    say("__scheme__", &endpoint.scheme, &job.endpoint.scheme);
    Some(Target { targets: [address.clone()], labels })
}

/// What the blackbox exporter is to ask: a page by its URL, all else by host and port.
pub(super) fn probed(endpoint: &Endpoint, module: &str, address: &str) -> String {
    let is_page = module.starts_with("http");
    if is_page { format!("{}://{address}{}", endpoint.scheme, endpoint.path) } else { address.into() }
}
