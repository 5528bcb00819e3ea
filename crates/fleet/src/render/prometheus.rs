//! Prometheus' own configuration.

use std::collections::BTreeMap;

use serde::Serialize;

use super::consul;
use super::relabel::{Relabel, plain_regex};
use super::targets::{self, Job};
use super::tree::Tree;
use super::{Options, yaml};
use crate::duration::Duration;
use crate::inventory::{Engines, Inventory};
use crate::profile::Endpoint;

/// Names that only Prometheus and its rules give: a node's page that has them would speak for others.
const NOT_A_NODES: &str = "ALERTS|ALERTS_FOR_STATE|up|scrape_.*|.*:.*";

const FOR_OTHERS: &str = "For a Prometheus that has other work, 2.43 or later: name this file in its scrape_config_files. The \
    README.md one folder up says what else it needs.";

#[derive(Serialize)]
struct Config {
    global: Global,
    alerting: Alerting,
    rule_files: [&'static str; 2],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scrape_config_files: Vec<String>,
    scrape_configs: Vec<ScrapeConfig>,
}

/// What a Prometheus that has other work includes.
#[derive(Serialize)]
struct Included {
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
    scrape_interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    consul_sd_configs: Vec<consul::Asked>,
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
    let engines = &inventory.engines;
    let jobs = targets::jobs(inventory)?;
    let global = Global {
        scrape_interval: intervals.scrape.divided(options.accelerate),
        scrape_timeout: Duration { ms: intervals.scrape.ms * 2 / 3 }.divided(options.accelerate),
        evaluation_interval: intervals.evaluation.divided(options.accelerate),
    };
    let included = scrapes(&jobs, inventory).into_iter().map(|config| config.beside_others(&global));
    let included = Included { scrape_configs: included.collect() };
    let mut scrape_configs = vec![
        ScrapeConfig::of("alertmanager", Discovery::fixed(engines.alertmanager.addresses.clone())),
        ScrapeConfig::of("prometheus", Discovery::fixed(vec![engines.prometheus.address.clone()])),
    ];
    scrape_configs.extend(scrapes(&jobs, inventory));
    for job in &jobs {
        targets::render(job, inventory, tree)?;
    }
    let config = Config {
        global,
        alerting: Alerting {
            alert_relabel_configs: owners(inventory),
            alertmanagers: vec![Discovery::fixed(engines.alertmanager.addresses.clone())],
        },
        rule_files: ["rules/*.yml", "rules.d/*.yml"],
        scrape_config_files: engines.prometheus.scrape_files.clone(),
        scrape_configs,
    };
    tree.add("prometheus/prometheus.yml", yaml::file(&config)?);
    tree.add("prometheus/scrape.yml", yaml::file_with_notes(&included, &[FOR_OTHERS.to_owned()])?);
    Ok(())
}

/// What is scraped of the nodes, by `targets/`.
fn scrapes(jobs: &[Job<'_>], inventory: &Inventory) -> Vec<ScrapeConfig> {
    let mut scrapes = Vec::new();
    for job in jobs {
        let files = Discovery::files(format!("targets/{}.json", job.name));
        scrapes.push(scrape(ScrapeConfig::of(job.name, files), job.endpoint, &inventory.engines));
        scrapes.extend(consul::of_job(job, inventory).map(|(name, asked, relabel_configs)| {
            // Of the nodes that are known by name, one section holds all fleets; of Consul's, each fleet has its own.
            let config =
                ScrapeConfig { relabel_configs, ..ScrapeConfig::of(&name, Discovery::consul(asked)) };
            scrape(config, job.endpoint, &inventory.engines)
        }));
    }
    scrapes
}

impl ScrapeConfig {
    fn of(name: &str, discovery: Discovery) -> Self {
        Self { job_name: name.into(), discovery, ..Self::default() }
    }

    /// As it can stand in another's configuration: that has a `node` of its own, mostly, and scrapes less often. The rules
    /// know a node's pages by the label `job`, which stays.
    fn beside_others(mut self, global: &Global) -> Self {
        let says_job = |step: &Relabel| step.target_label.as_deref() == Some("job");
        if !self.relabel_configs.iter().any(says_job) {
            self.relabel_configs.insert(0, Relabel::set("job", &self.job_name));
        }
        self.job_name = format!("lifeboat/{}", self.job_name);
        self.scrape_interval = Some(global.scrape_interval);
        self.scrape_timeout = Some(global.scrape_timeout);
        self
    }
}

impl Discovery {
    fn fixed(targets: Vec<String>) -> Self {
        Self { static_configs: vec![Targets { targets }], ..Self::default() }
    }

    fn files(path: String) -> Self {
        Self { file_sd_configs: vec![Files { files: [path] }], ..Self::default() }
    }

    fn consul(asked: consul::Asked) -> Self {
        Self { consul_sd_configs: vec![asked], ..Self::default() }
    }
}

fn scrape(config: ScrapeConfig, endpoint: &Endpoint, engines: &Engines) -> ScrapeConfig {
    match &endpoint.probe {
        Some(module) => probe(config, module, engines),
        None => page(config, endpoint, engines),
    }
}

/// A page that a node, or something beside it, writes.
fn page(config: ScrapeConfig, endpoint: &Endpoint, engines: &Engines) -> ScrapeConfig {
    // Prometheus 3 refuses a page that does not say its content type; 2 refuses a configuration that has this.
    ScrapeConfig {
        metrics_path: Some(endpoint.path.clone()),
        scheme: Some(endpoint.scheme.clone()),
        caution: Some(CAUTION),
        fallback_scrape_protocol: engines.prometheus.is_third().then_some("PrometheusText0.0.4"),
        metric_relabel_configs: vec![Relabel::drop("__name__", NOT_A_NODES)],
        ..config
    }
}

/// The blackbox exporter asks the node, and Prometheus the exporter.
fn probe(mut config: ScrapeConfig, module: &str, engines: &Engines) -> ScrapeConfig {
    config.relabel_configs.extend([
        Relabel::copy("__address__", "__param_target"),
        Relabel::copy("__param_target", "instance"),
        // Where fleets differ in the module, a target's own stands already.
        Relabel::set_where(&["__param_module"], "^$".into(), "__param_module", module),
        Relabel::set("__address__", &engines.blackbox.address),
    ]);
    ScrapeConfig { metrics_path: Some("/probe".into()), ..config }
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
