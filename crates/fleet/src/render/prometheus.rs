//! Prometheus' own configuration, and the nodes as targets in files beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::tree::Tree;
use super::{Options, yaml};
use crate::duration::Duration;
use crate::inventory::Inventory;

#[derive(Serialize)]
struct Config {
    global: Global,
    rule_files: Vec<String>,
    scrape_configs: Vec<ScrapeConfig>,
}

#[derive(Serialize)]
struct Global {
    scrape_interval: Duration,
    scrape_timeout: Duration,
    evaluation_interval: Duration,
}

#[derive(Serialize)]
struct ScrapeConfig {
    job_name: String,
    metrics_path: String,
    scheme: String,
    file_sd_configs: Vec<FileDiscovery>,
}

#[derive(Serialize)]
struct FileDiscovery {
    files: Vec<String>,
}

#[derive(Serialize)]
struct Target<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'static str, &'a str>,
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let intervals = &inventory.intervals;
    let mut jobs = BTreeMap::new();
    for fleet in &inventory.fleets {
        for (name, endpoint) in fleet.speech.endpoints.iter().filter(|(_, endpoint)| endpoint.probe.is_none())
        {
            jobs.entry(name.clone()).or_insert_with(|| ScrapeConfig {
                job_name: name.clone(),
                metrics_path: endpoint.path.clone(),
                scheme: endpoint.scheme.clone(),
                file_sd_configs: vec![FileDiscovery { files: vec![format!("targets/{name}.json")] }],
            });
        }
    }
    let names: BTreeSet<String> = jobs.keys().cloned().collect();
    let config = Config {
        global: Global {
            scrape_interval: intervals.scrape.divided(options.accelerate),
            scrape_timeout: Duration { ms: intervals.scrape.ms * 2 / 3 }.divided(options.accelerate),
            evaluation_interval: intervals.evaluation.divided(options.accelerate),
        },
        rule_files: vec!["rules/*.yml".into()],
        scrape_configs: jobs.into_values().collect(),
    };
    tree.add("prometheus/prometheus.yml", yaml::file(&config)?);
    for name in names {
        let targets = targets(inventory, &name);
        let text = serde_json::to_string_pretty(&targets).map_err(|error| error.to_string())?;
        tree.add(format!("prometheus/targets/{name}.json"), text + "\n");
    }
    Ok(())
}

fn targets<'a>(inventory: &'a Inventory, endpoint: &str) -> Vec<Target<'a>> {
    let nodes = inventory.fleets.iter().flat_map(|fleet| fleet.nodes.iter().map(move |node| (fleet, node)));
    let of = nodes.filter_map(|(fleet, node)| {
        let labels = [("fleet", &fleet.name), ("dc", &node.dc), ("node", &node.name), ("role", &node.role)];
        let labels = labels.into_iter().map(|(name, value)| (name, value.as_str())).collect();
        Some(Target { targets: [node.endpoints.get(endpoint)?], labels })
    });
    of.collect()
}
