//! The alerts that watch a panel: links to them and to their runbooks.

use serde_json::{Value, json};

use crate::catalogue::{Alert, Dashboard, Panel, Scope};
use crate::inventory::Inventory;
use crate::render::rules::alerts_of;

/// Alerts of any fleet that name this panel, in the catalogue's order.
pub(super) fn by<'a>(dashboard: &Dashboard, panel: &Panel, inventory: &'a Inventory) -> Vec<&'a Alert> {
    let place = format!("{}/{}", dashboard.id, panel.id);
    let stands = |alert: &Alert| {
        let in_fleet = |fleet| alerts_of(&inventory.catalogue, fleet).any(|other| other.name == alert.name);
        // What watches the path of alerts itself is of no fleet.
        alert.scope == Scope::Path || inventory.fleets.iter().any(in_fleet)
    };
    let alerts = inventory.catalogue.alerts.iter().filter(|alert| alert.panel == place);
    alerts.filter(|alert| stands(alert)).collect()
}

/// In Grafana's list of rules: by name, and not by an address that changes.
pub(super) fn links(alerts: &[&Alert], inventory: &Inventory) -> Vec<Value> {
    let mut links = Vec::new();
    for alert in alerts {
        let rule = format!("/alerting/list?search={}", alert.name);
        links.push(link(&format!("Alert {} ({})", alert.name, alert.severity), &rule));
        if let Some(runbook) = runbook(alert, inventory) {
            links.push(link(&format!("Runbook {}", alert.name), &runbook));
        }
    }
    links
}

/// Whole, as a dashboard's own: Grafana has one type for both.
fn link(title: &str, url: &str) -> Value {
    json!({
        "type": "link",
        "title": title,
        "url": url,
        "targetBlank": true,
        "asDropdown": false,
        "icon": "external link",
        "includeVars": false,
        "keepTime": false,
        "tags": [],
        "tooltip": "",
    })
}

/// A last paragraph for the description, in Markdown.
pub(super) fn sentence(alerts: &[&Alert], inventory: &Inventory) -> String {
    if alerts.is_empty() {
        return String::new();
    }
    let one = |alert: &&Alert| {
        let name = match runbook(alert, inventory) {
            Some(url) => format!("[{}]({url})", alert.name),
            None => format!("{} (`runbooks/{0}.md`)", alert.name),
        };
        format!("{name} {}", alert.severity)
    };
    format!("\n\nWatched by {}.", alerts.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn runbook(alert: &Alert, inventory: &Inventory) -> Option<String> {
    inventory.links.runbooks.as_ref().map(|folder| format!("{folder}/{}.md", alert.name))
}
