//! `NODES.md`: where each node is and where it answers, once for all runbooks.

use std::collections::BTreeSet;

use super::markdown::{code, in_markdown};
use crate::inventory::{Fleet, Inventory};

pub(super) const PAGE: &str = "NODES.md";

pub(super) fn page(inventory: &Inventory) -> String {
    let fleets: String = inventory.fleets.iter().map(of_fleet).collect();
    format!(
        "# Nodes\n\nWhat stands for NODE and ADDRESS in the runbooks, and where each node's endpoints answer. A dash: the node \
         has no such endpoint.\n{fleets}"
    )
}

/// How many nodes a fleet has, and who knows them. Said here alone: on every page a node that comes would change it.
fn known(fleet: &Fleet) -> String {
    let named = match fleet.nodes.len() {
        0 => String::new(),
        1 => "1 node. ".into(),
        several => format!("{several} nodes. "),
    };
    let by_consul = match (&fleet.consul, fleet.nodes_min) {
        (None, _) => String::new(),
        (Some(_), 0) => "Consul knows its nodes: ask Prometheus for its targets.".into(),
        (Some(_), least) => {
            format!("Consul knows its nodes, at least {least}: ask Prometheus for its targets.")
        }
    };
    format!("{named}{by_consul}").trim_end().to_owned()
}

fn of_fleet(fleet: &Fleet) -> String {
    let known = known(fleet);
    if fleet.nodes.is_empty() {
        return format!("\n## {}\n\n{known}\n", in_markdown(&fleet.name));
    }
    let endpoints: BTreeSet<&str> =
        fleet.nodes.iter().flat_map(|node| node.endpoints.keys().map(String::as_str)).collect();
    let mut text = format!(
        "\n## {}\n\n{known}\n\n| Node | Role | DC | Address | Owner | Version |",
        in_markdown(&fleet.name)
    );
    for name in &endpoints {
        text.push_str(&format!(" {} |", in_markdown(name)));
    }
    text.push('\n');
    text.push_str(&"|---".repeat(6 + endpoints.len()));
    text.push_str("|\n");
    for node in &fleet.nodes {
        let owner = node.owner.as_ref().unwrap_or(&fleet.owner);
        let version = node.version.as_ref().or(fleet.version.as_ref()).map_or("any", String::as_str);
        let words = [&node.name, &node.role, &node.dc, &node.address, owner].map(|word| in_markdown(word));
        text.push_str(&format!("| {} | {} |", words.join(" | "), in_markdown(version)));
        for name in &endpoints {
            let place = node.endpoints.get(*name).map_or_else(|| "-".to_owned(), |place| code(place));
            text.push_str(&format!(" {place} |"));
        }
        text.push('\n');
    }
    text
}
