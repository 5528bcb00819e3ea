//! Nodes that Consul knows: Prometheus asks it, and makes labels of what it says.

use serde::Serialize;

use super::relabel::Relabel;
use super::targets::{Job, probed};
use crate::inventory::{Consul, Fleet, Inventory};

/// One of Prometheus' `consul_sd_configs`.
#[derive(Serialize)]
pub(super) struct Asked {
    server: String,
    scheme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacenter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Authorization {
    credentials_file: String,
}

/// For each fleet whose nodes Consul knows: the section's name, how it is asked, and what becomes of its answers.
pub(super) fn of_job<'a>(
    job: &'a Job<'_>,
    inventory: &'a Inventory,
) -> impl Iterator<Item = (String, Asked, Vec<Relabel>)> + 'a {
    inventory.fleets.iter().filter_map(|fleet| {
        let consul = fleet.consul.as_ref()?;
        let port = consul.ports.get(job.name)?;
        let name = format!("{} of {} by Consul", job.name, fleet.name);
        Some((name, asked(consul), relabels(job, fleet, consul, *port)))
    })
}

fn asked(consul: &Consul) -> Asked {
    Asked {
        server: consul.server.clone(),
        scheme: consul.scheme.clone(),
        datacenter: consul.datacenter.clone(),
        authorization: consul.token_file.clone().map(|credentials_file| Authorization { credentials_file }),
        services: consul.services.clone(),
        tags: consul.tags.clone(),
    }
}

fn relabels(job: &Job<'_>, fleet: &Fleet, consul: &Consul, port: Option<u16>) -> Vec<Relabel> {
    let mut relabels = vec![
        Relabel::set("job", job.name),
        Relabel::set("fleet", &fleet.name),
        Relabel::set("role", &consul.role),
        Relabel::copy("__meta_consul_node", "node"),
        Relabel::set("dc", consul.dc.as_deref().unwrap_or("default")),
    ];
    if consul.dc.is_none() {
        // Names are <node>.<dc>.<env>.<stage>.
        relabels.push(Relabel::part("__meta_consul_node", r"[^.]+\.([^.]+)\..+", "dc", "${1}"));
    }
    if let Some(port) = port {
        relabels.push(Relabel::part("__address__", r"(.+):\d+", "__address__", &format!("${{1}}:{port}")));
    }
    let Some(endpoint) = fleet.speech.endpoints.get(job.name) else { return relabels };
    let mut own = |label: &str, own: &str, of_job: &str| {
        if own != of_job {
            relabels.push(Relabel::set(label, own));
        }
    };
    match (&endpoint.probe, &job.endpoint.probe) {
        (Some(module), Some(of_job)) => {
            own("__param_module", module, of_job);
            relabels.push(Relabel::part(
                "__address__",
                "(.+)",
                "__address__",
                &probed(endpoint, module, "${1}"),
            ));
        }
        _ => {
            own("__metrics_path__", &endpoint.path, &job.endpoint.path);
            own("__scheme__", &endpoint.scheme, &job.endpoint.scheme);
        }
    }
    relabels
}
