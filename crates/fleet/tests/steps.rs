//! The steps of docs/fleet.md by which a fleet that runs is taken in: what each adds, and what the others' engines include.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeSet;
use std::path::Path;

use lifeboat_fleet::{Inventory, Options};

fn section() -> String {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fleet.md");
    let book = std::fs::read_to_string(book).unwrap();
    let (_, rest) = book.split_once("\n## Step by step, beside what you have\n").unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The first block of a language.
fn block<'a>(section: &'a str, language: &str) -> &'a str {
    let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap();
    rest.split("```").next().unwrap()
}

fn inventory(text: &str) -> Inventory {
    Inventory::read("fleet.toml", text).map_err(|problems| problems.to_string()).unwrap()
}

fn alerts(text: &str) -> BTreeSet<String> {
    let inventory = inventory(text);
    let names = inventory.watched(&inventory.fleets[0]).map(|alert| alert.name.clone());
    names.collect()
}

#[test]
fn each_step_adds_what_it_says() {
    let section = section();
    let first = block(&section, "toml");
    let off = "endpoints = { host = false, reach = false, lifeboat = false }\n";
    assert!(first.contains(off), "{first}");
    let second = first.replace(off, "endpoints = { lifeboat = false }\n");
    let line = "\"delivery-01.do-ams3.logos.test\" = \"10.1.0.1\"\n";
    let (_, node) = section.split_once("```toml\n[[fleet.node]]\n").unwrap();
    let node = format!("[[fleet.node]]\n{}", node.split("```").next().unwrap());
    let third = format!("{}\n{node}", second.replace(line, ""));
    let steps = [first, second.as_str(), third.as_str(), &first.replace(off, "")].map(alerts);
    let wanted: [&[&str]; 3] = [
        &[
            "FleetDown",
            "NodeUnreachable",
            "NodeMissing",
            "NodeRestartLoop",
            "PeersBelowMinimum",
            "DiscoveryPoor",
        ],
        &["DiskNearlyFull", "CpuStealHigh"],
        &["NodeDied", "DatabaseCorrupt", "NodeHung"],
    ];
    let before = [&BTreeSet::new(), &steps[0], &steps[1]];
    for ((wanted, step), before) in wanted.into_iter().zip(&steps).zip(before) {
        for name in wanted {
            assert!(step.contains(*name) && !before.contains(*name), "{name} of {wanted:?}");
        }
    }
    // The last step extends to all nodes what the third has for one.
    assert_eq!(steps[2], steps[3]);
}

#[test]
fn the_first_step_asks_for_nothing_but_the_nodes() {
    let tree =
        lifeboat_fleet::render(&inventory(block(&section(), "toml")), Options { accelerate: 2 }).unwrap();
    let targets = tree.files().filter(|(path, _)| path.starts_with("prometheus/targets"));
    let targets: Vec<_> = targets.map(|(path, _)| path.to_str().unwrap().to_owned()).collect();
    assert_eq!(targets, ["prometheus/targets/node.json"]);
    let routes = tree.text("alertmanager/alertmanager.yml").unwrap();
    assert!(routes.contains("\nreceivers:\n- name: (nobody)\n") && routes.matches("- name: ").count() == 1);
}

#[test]
fn the_rendered_readme_says_the_same_lines() {
    let section = section();
    let tree =
        lifeboat_fleet::render(&inventory(block(&section, "toml")), Options { accelerate: 2 }).unwrap();
    let readme = tree.text("README.md").unwrap();
    for line in block(&section, "yaml").lines() {
        assert!(readme.contains(line), "{line}");
        let path = line.split("/etc/lifeboat/").nth(1).unwrap().split([']', '"', '*']).next().unwrap();
        assert!(
            tree.files().any(|(file, _)| file.to_str().unwrap().starts_with(path)),
            "{path} is not rendered"
        );
    }
}

#[test]
fn dashboards_show_nothing_of_another_that_prometheus_has() {
    let text = format!("{}[fleet.thresholds]\npeers_min = 7\n", block(&section(), "toml"));
    let tree = lifeboat_fleet::render(&inventory(&text), Options { accelerate: 2 }).unwrap();
    let mut count = 0;
    for (path, text) in tree.files().filter(|(path, _)| path.starts_with("grafana/dashboards")) {
        let dashboard: serde_json::Value = serde_json::from_str(text).unwrap();
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let fleet = variables.iter().find(|variable| variable["name"] == "fleet").unwrap();
        assert_eq!(fleet["allValue"], ".+", "{path:?}");
        let targets =
            dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
        for query in targets.flatten().filter_map(|target| target["expr"].as_str()) {
            for selector in query.split('{').skip(1) {
                let is_ours = ["fleet=~\"$fleet\"", "fleet=\"\",owner!=\"\""]
                    .iter()
                    .any(|ours| selector.contains(ours));
                assert!(is_ours, "{path:?}: {query}");
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count} selectors");
}
