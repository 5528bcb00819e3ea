//! Prometheus' own configuration.

use std::collections::BTreeMap;

use serde::Serialize;

use super::relabel::{Relabel, plain_regex};
use super::targets::{self, Job};
use super::tree::Tree;
use super::{Options, yaml};
use crate::duration::Duration;
use crate::inventory::Inventory;

/// Names that only Prometheus and its rules give: a node's page that has them would speak for others.
const NOT_A_NODES: &str = "ALERTS|ALERTS_FOR_STATE|up|scrape_.*|.*:.*";

const PROMETHEUS: &str = "127.0.0.1:9090";
const ALERTMANAGER: &str = "127.0.0.1:9093";
const BLACKBOX: &str = "127.0.0.1:9115";

#[derive(Serialize)]
struct Config {
    global: Global,
    alerting: Alerting,
    rule_files: [&'static str; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_config_files: Option<[&'static str; 1]>,
    scrape_configs: Vec<ScrapeConfig>,
}

#[derive(Serialize)]
struct Global {
    scrape_interval: Duration,
    scrape_timeout: Duration,
    evaluation_interval: Duration,
}

#[derive(Serialize)]
struct Alerting {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert_relabel_configs: Vec<Relabel>,
    alertmanagers: Vec<Discovery>,
}

/// One job; what is absent is as Prometheus has it by itself.
#[derive(Default, Serialize)]
struct ScrapeConfig {
    job_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: BTreeMap<&'static str, [String; 1]>,
    #[serde(flatten)]
    discovery: Discovery,
    #[serde(flatten)]
    caution: Option<Caution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_scrape_protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relabel_configs: Vec<Relabel>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metric_relabel_configs: Vec<Relabel>,
}

#[derive(Default, Serialize)]
struct Discovery {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    static_configs: Vec<Targets>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    file_sd_configs: Vec<Files>,
}

#[derive(Serialize)]
struct Targets {
    targets: Vec<String>,
}

#[derive(Serialize)]
struct Files {
    files: [String; 1],
}

/// A page that a node writes may not fill the disk, set the clock, or send the scraper elsewhere. A page beyond a limit is
/// no page, and its node is told of as one that does not answer.
#[derive(Serialize)]
struct Caution {
    honor_labels: bool,
    honor_timestamps: bool,
    follow_redirects: bool,
    body_size_limit: &'static str,
    sample_limit: u32,
    label_limit: u32,
    label_name_length_limit: u32,
    label_value_length_limit: u32,
}

const CAUTION: Caution = Caution {
    honor_labels: false,
    // nim-metrics writes the time at which a metric last changed: a gauge that stands still would vanish after five minutes.
    honor_timestamps: false,
    follow_redirects: false,
    body_size_limit: "32MB",
    sample_limit: 50_000,
    label_limit: 64,
    label_name_length_limit: 256,
    label_value_length_limit: 2_048,
};

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let intervals = &inventory.intervals;
    let jobs = targets::jobs(inventory)?;
    let own = [("alertmanager", vec![ALERTMANAGER.into()]), ("prometheus", vec![PROMETHEUS.into()])];
    let own = own.into_iter().map(|(name, targets)| ScrapeConfig {
        job_name: name.into(),
        discovery: fixed(targets),
        ..ScrapeConfig::default()
    });
    let is_third = false;
    let config = Config {
        global: Global {
            scrape_interval: intervals.scrape.divided(options.accelerate),
            scrape_timeout: Duration { ms: intervals.scrape.ms * 2 / 3 }.divided(options.accelerate),
            evaluation_interval: intervals.evaluation.divided(options.accelerate),
        },
        alerting: Alerting {
            alert_relabel_configs: owners(inventory),
            alertmanagers: vec![fixed(vec![ALERTMANAGER.into()])],
        },
        rule_files: ["rules/*.yml", "rules.d/*.yml"],
        scrape_config_files: is_third.then_some(["scrape.d/*.yml"]),
        scrape_configs: own.chain(jobs.iter().map(scrape)).collect(),
    };
    tree.add("prometheus/prometheus.yml", yaml::file(&config)?);
    jobs.iter().try_for_each(|job| targets::render(job, inventory, tree))
}

fn fixed(targets: Vec<String>) -> Discovery {
    Discovery { static_configs: vec![Targets { targets }], ..Discovery::default() }
}

fn scrape(job: &Job<'_>) -> ScrapeConfig {
    let files = vec![Files { files: [format!("targets/{}.json", job.name)] }];
    let discovery = Discovery { file_sd_configs: files, ..Discovery::default() };
    let config = ScrapeConfig { job_name: job.name.into(), discovery, ..ScrapeConfig::default() };
    match &job.endpoint.probe {
        Some(module) => probe(config, module),
        None => page(config, job),
    }
}

/// A page that a node, or something beside it, writes.
fn page(config: ScrapeConfig, job: &Job<'_>) -> ScrapeConfig {
    // Prometheus 3 refuses a page that does not say its content type; 2 refuses a configuration that has this.
    let is_third = false;
    ScrapeConfig {
        metrics_path: Some(job.endpoint.path.clone()),
        scheme: Some(job.endpoint.scheme.clone()),
        caution: Some(CAUTION),
        fallback_scrape_protocol: is_third.then_some("PrometheusText0.0.4"),
        metric_relabel_configs: vec![Relabel::drop("__name__", NOT_A_NODES)],
        ..config
    }
}

/// The blackbox exporter asks the node, and Prometheus the exporter.
fn probe(config: ScrapeConfig, module: &str) -> ScrapeConfig {
    ScrapeConfig {
        metrics_path: Some("/probe".into()),
        relabel_configs: vec![
            Relabel::copy("__address__", "__param_target"),
            Relabel::copy("__param_target", "instance"),
            // Where fleets differ in the module, a target's own stands already.
            Relabel::set_where(&["__param_module"], "^$".into(), "__param_module", module),
            Relabel::set("__address__", BLACKBOX),
        ],
        ..config
    }
}

/// An alert of a node with an owner of its own is that owner's.
fn owners(inventory: &Inventory) -> Vec<Relabel> {
    let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for fleet in &inventory.fleets {
        for node in &fleet.nodes {
            if let Some(owner) = node.owner.as_deref().filter(|owner| **owner != *fleet.owner) {
                let of_node = format!("{};{}", plain_regex(&fleet.name), plain_regex(&node.name));
                owners.entry(owner).or_default().push(of_node);
            }
        }
    }
    let nodes = owners.into_iter();
    nodes
        .map(|(owner, nodes)| Relabel::set_where(&["fleet", "node"], nodes.join("|"), "owner", owner))
        .collect()
}
