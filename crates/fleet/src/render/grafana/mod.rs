//! Grafana's files: dashboards in the classic JSON that Grafana 11 to 13 load, and what provisions them.

mod dashboard;
mod panel;
mod provisioning;
mod query;
mod thresholds;
mod watched;

#[cfg(test)]
mod lint;
#[cfg(test)]
mod tests;

use super::Options;
use super::tree::Tree;
use crate::inventory::Inventory;

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    for dashboard in &inventory.catalogue.dashboards {
        if let Some(json) = dashboard::of(dashboard, inventory, options)? {
            let text = serde_json::to_string_pretty(&json).map_err(|error| error.to_string())?;
            tree.add(format!("grafana/dashboards/lifeboat-{}.json", dashboard.id), text + "\n");
        }
    }
    provisioning::render(inventory, options, tree)
}
