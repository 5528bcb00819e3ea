//! What Grafana reads at its start: where dashboards lie, and whom it asks.

use serde::Serialize;
use serde_json::{Value, json};

use crate::inventory::{Engines, Inventory};
use crate::render::programs::PLACE;
use crate::render::tree::Tree;
use crate::render::{Options, yaml};

/// Where the rendered folder stands for Grafana: copied or linked there, or mounted into its container.
const FOLDER: &str = "grafana";

/// What stands in the folder that is not rendered.
const OWN: &str = "# Dashboards of your own

Put dashboards here as JSON, as Grafana exports them: they appear in the folder \"Own\" within half a minute. The next
rendering leaves everything in this folder alone but this file.
";

#[derive(Serialize)]
struct Dashboards {
    #[serde(rename = "apiVersion")]
    api_version: u32,
    providers: Vec<Value>,
}

#[derive(Serialize)]
struct Datasources {
    #[serde(rename = "apiVersion")]
    api_version: u32,
    datasources: Vec<Value>,
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let provider = |name: &str, folder: &str, path: &str, is_own: bool| {
        json!({
            "name": name,
            "folder": folder,
            "type": "file",
            // What is rendered is changed in the inventory; a change by hand would be gone with the next rendering.
            "allowUiUpdates": is_own,
            "disableDeletion": false,
            "updateIntervalSeconds": 30,
            "options": { "path": format!("{PLACE}/{FOLDER}/{path}") },
        })
    };
    let dashboards = Dashboards {
        api_version: 1,
        providers: vec![
            provider("lifeboat", &inventory.engines.grafana.folder, "dashboards", false),
            provider("own", "Own", "own", true),
        ],
    };
    tree.add("grafana/provisioning/dashboards/lifeboat.yml", yaml::file(&dashboards)?);
    tree.add("grafana/own/README.md", OWN.to_owned());
    let scrape = inventory.intervals.scrape.divided(options.accelerate).to_string();
    let datasources = Datasources { api_version: 1, datasources: sources(&inventory.engines, &scrape) };
    tree.add("grafana/provisioning/datasources/lifeboat.yml", yaml::file(&datasources)?);
    Ok(())
}

fn sources(engines: &Engines, scrape: &str) -> Vec<Value> {
    let source = |name: &str, kind: &str, url: &str, options: Value| {
        json!({
            "name": name,
            "uid": format!("lifeboat-{kind}"),
            "type": kind,
            "access": "proxy",
            "url": url,
            "jsonData": options,
        })
    };
    // `timeInterval` makes $__rate_interval four scrapes at least.
    let of_prometheus = json!({ "timeInterval": scrape, "httpMethod": "POST", "manageAlerts": true });
    let of_alertmanager = json!({ "implementation": "prometheus" });
    let mut sources = Vec::new();
    // One that is there already is not provisioned again under a second name.
    if engines.grafana.datasource.is_none() {
        let url = format!("http://{}", engines.prometheus.address);
        sources.push(source("Lifeboat Prometheus", "prometheus", &url, of_prometheus));
    }
    if let Some(address) = engines.alertmanager.addresses.first() {
        let url = format!("http://{address}");
        sources.push(source("Lifeboat Alertmanager", "alertmanager", &url, of_alertmanager));
    }
    sources
}

/// The unique id of the data source that dashboards begin with.
pub(super) fn prometheus_uid(engines: &Engines) -> &str {
    engines.grafana.datasource.as_deref().unwrap_or("lifeboat-prometheus")
}

/// The one that somebody chose at the head of a dashboard.
pub(super) fn chosen() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}
