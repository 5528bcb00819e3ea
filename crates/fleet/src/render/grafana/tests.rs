//! Dashboards of a fleet with every profile, of the least fleet, and of fleets that speak differently: linted, complete, linked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lint::{lint, list};
use super::query;
use crate::catalogue::Catalogue;
use crate::profile::Book;
use crate::render::tree::Tree;
use crate::{Inventory, Options};

/// One fleet with every profile that there is and every endpoint on.
fn everything() -> Inventory {
    let book = Book::ours().expect("profiles");
    let profiles = book.names();
    let names: Vec<String> = profiles.iter().map(|name| (*name).to_owned()).collect();
    let speech = book.speech(&names).expect("speech");
    let endpoints: String = speech.endpoints.keys().map(|name| format!("{name} = true\n")).collect();
    let text = format!(
        "[links]\nrunbooks = \"https://runbooks.example.org\"\n
        [[fleet]]\nname = \"all\"\nprofile = {profiles:?}\nversion = \"1.2.3\"\nnodes_min = 2\n
        consul = {{ services = [\"node\"] }}\n[fleet.endpoints]\n{endpoints}\n
        [[fleet.node]]\nname = \"a\"\naddress = \"10.0.0.1\"\n
        [[fleet.node]]\nname = \"b\"\naddress = \"10.0.0.2\"\n"
    );
    Inventory::read("all.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn least() -> Inventory {
    let text = include_str!("../../../../../examples/fleets/minimal.toml");
    Inventory::read("minimal.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn dashboards(inventory: &Inventory) -> Vec<Value> {
    let mut tree = Tree::default();
    super::render(inventory, Options::default(), &mut tree).unwrap_or_else(|error| panic!("{error}"));
    let files = tree.files().filter(|(path, _)| path.starts_with("grafana/dashboards"));
    files.map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect()
}

fn panel<'a>(dashboards: &'a [Value], uid: &str, title: &str) -> &'a Value {
    let dashboard = dashboards.iter().find(|found| found["uid"] == uid).expect("dashboard");
    let mut panels = list(dashboard, "panels").iter().filter(|found| found["type"] != "row");
    panels.find(|found| found["title"] == title).unwrap_or_else(|| panic!("{uid}: no panel {title:?}"))
}

#[test]
fn all_dashboards_are_without_fault() {
    for inventory in [everything(), least()] {
        let faults: Vec<String> = dashboards(&inventory)
            .iter()
            .flat_map(|dashboard| {
                lint(dashboard).into_iter().map(move |fault| format!("{}: {fault}", dashboard["uid"]))
            })
            .collect();
        assert_eq!(faults, [""; 0], "{}", inventory.file);
    }
}

#[test]
fn a_fleet_that_tells_everything_has_every_panel_and_every_query() {
    let inventory = everything();
    let rendered = dashboards(&inventory);
    for dashboard in &inventory.catalogue.dashboards {
        let uid = format!("lifeboat-{}", dashboard.id);
        for wanted in dashboard.rows.iter().flat_map(|row| &row.panels) {
            let shown = panel(&rendered, &uid, &wanted.title);
            assert_eq!(shown["id"], wanted.number());
            let queries = list(shown, "targets").len();
            assert_eq!(
                queries,
                wanted.queries.len(),
                "{}/{}: no profile has a signal",
                dashboard.id,
                wanted.id
            );
        }
        let shown = rendered.iter().find(|found| found["uid"] == uid.as_str()).expect("dashboard");
        assert_eq!(list(&shown["annotations"], "list").len(), inventory.catalogue.annotations.len());
    }
}

#[test]
fn every_alert_has_its_panel_and_every_watched_panel_its_links() {
    let inventory = everything();
    let rendered = dashboards(&inventory);
    let mut linked = BTreeSet::new();
    for alert in &inventory.catalogue.alerts {
        let (on, shown) = inventory.catalogue.panel(&alert.panel).unwrap_or_else(|| {
            panic!("{}: no panel {}", alert.name, alert.panel);
        });
        let json = panel(&rendered, &format!("lifeboat-{}", on.id), &shown.title);
        let titles: Vec<&str> =
            list(json, "links").iter().filter_map(|link| link["title"].as_str()).collect();
        let wanted =
            [format!("Alert {} ({})", alert.name, alert.severity), format!("Runbook {}", alert.name)];
        for title in wanted {
            assert!(titles.contains(&title.as_str()), "{}: {titles:?}", alert.panel);
            linked.insert((alert.panel.clone(), title));
        }
        let runbook = format!("[{0}](https://runbooks.example.org/{0}.md)", alert.name);
        assert!(json["description"].as_str().is_some_and(|text| text.contains(&runbook)));
    }
    let links: usize = rendered
        .iter()
        .flat_map(|dashboard| list(dashboard, "panels"))
        .map(|panel| list(panel, "links").len())
        .sum();
    assert_eq!(links, linked.len(), "a link to an alert that does not watch");
}

#[test]
fn thresholds_of_panels_are_in_their_units() {
    let catalogue = Catalogue::ours().expect("catalogue");
    for dashboard in &catalogue.dashboards {
        for panel in dashboard.rows.iter().flat_map(|row| &row.panels) {
            for name in &panel.thresholds {
                let threshold =
                    catalogue.thresholds.get(name).unwrap_or_else(|| panic!("no threshold {name}"));
                // Both are seconds.
                let unit = |name: &str| name.replace("dtdurations", "s");
                let units = panel.queries.iter().filter_map(|query| query.unit.as_ref()).chain([&panel.unit]);
                let place = format!("{}/{}", dashboard.id, panel.id);
                assert!(units.into_iter().any(|of| unit(of) == threshold.unit), "{place}: {name}");
            }
        }
    }
}

#[test]
fn every_panel_of_a_dashboard_has_a_number_and_a_title_of_its_own() {
    for dashboard in Catalogue::ours().expect("catalogue").dashboards {
        let panels: Vec<_> = dashboard.rows.iter().flat_map(|row| &row.panels).collect();
        let numbers: BTreeSet<u32> = panels.iter().map(|panel| panel.number()).collect();
        let titles: BTreeSet<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!((numbers.len(), titles.len()), (panels.len(), panels.len()), "{}", dashboard.id);
    }
}

/// Two fleets with the same signal, of which the second has it its own way.
fn two_ways() -> Inventory {
    let text =
        "[[fleet]]\nname = \"one.x\"\nprofile = \"libp2p-generic\"\n[fleet.thresholds]\npeers_min = 4\n
        [[fleet.node]]\nname = \"a\"\naddress = \"10.0.0.1\"\n
        [[fleet]]\nname = \"two\"\nprofile = \"libp2p-generic\"\n
        [[fleet.node]]\nname = \"b\"\naddress = \"10.0.0.2\"\n";
    let mut inventory = Inventory::read("two.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let signal = inventory.fleets[1].speech.signals.get_mut("peers").expect("peers");
    signal.query = "sum by (${by}) (other_peers{${select}})".into();
    inventory
}

#[test]
fn a_signal_that_fleets_define_differently_asks_each_in_its_own_way() {
    let asked = query::of_fleets([&"${peers}".to_owned()], &two_ways()).expect("query").expect("some");
    let chosen = r#"job="node",fleet=~"$fleet",dc=~"$dc",node=~"$node""#;
    assert!(asked.starts_with("((sum by (fleet, dc, node) ("), "{asked}");
    assert!(asked.contains(") or (sum by"), "{asked}");
    assert!(asked.contains(&format!(r#"{{{chosen},fleet=~"one\\.x"}}"#)), "{asked}");
    assert!(asked.contains(&format!(r#"other_peers{{{chosen},fleet=~"two"}}"#)), "{asked}");
    assert_eq!(query::of_fleets([&"${no_such_signal}".to_owned()], &two_ways()), Ok(None));
}

/// A fleet of which one node has a monitor is shown whole: the other is asked itself.
#[test]
fn a_node_without_a_monitor_stands_beside_those_that_have_one() {
    let text = "[[fleet]]\nname = \"some\"\nprofile = \"logos-delivery\"\nendpoints = { lifeboat = false }\n
        [[fleet.node]]\nname = \"a\"\naddress = \"10.0.0.1\"\nendpoints = { lifeboat = true }\n
        [[fleet.node]]\nname = \"b\"\naddress = \"10.0.0.2\"\n";
    let inventory = Inventory::read("some.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let rendered = dashboards(&inventory);
    let asked = |uid: &str, title: &str| {
        let targets = list(panel(&rendered, uid, title), "targets").iter();
        targets.map(|one| one["expr"].as_str().expect("expr").to_owned()).collect::<Vec<_>>()
    };
    for (uid, title) in [("lifeboat-node", "Up"), ("lifeboat-fleet", "Nodes up")] {
        let asked = asked(uid, title);
        assert!(asked.iter().all(|expr| expr.contains("node:alive:bool{")), "{title}: {asked:?}");
    }
    let panels = [
        ("lifeboat-node", "Uptime", "process_start_time_seconds"),
        ("lifeboat-node", "Processor", "process_cpu_seconds_total"),
        ("lifeboat-node", "Memory", "process_resident_memory_bytes"),
        ("lifeboat-node", "File descriptors", "process_open_fds"),
        ("lifeboat-fleet", "Memory of the largest node", "process_resident_memory_bytes"),
    ];
    for (uid, title, of_the_node) in panels {
        let first = asked(uid, title).swap_remove(0);
        let (monitor, node) = first.split_once(" or on (fleet, dc, node) ").unwrap_or_default();
        assert!(monitor.contains("job=\"lifeboat\"") && node.contains(of_the_node), "{title}: {first}");
    }
}

#[test]
fn thresholds_that_differ_are_lines_of_their_own_fleets() {
    let rendered = dashboards(&two_ways());
    let peers = panel(&rendered, "lifeboat-node", "Peers");
    let steps = &peers["fieldConfig"]["defaults"]["thresholds"]["steps"];
    assert_eq!(*steps, json!([{ "color": "transparent", "value": null }]));
    let line = list(peers, "targets").last().expect("a line");
    assert_eq!(line["legendFormat"], "floor of {{fleet}}");
    let expr = line["expr"].as_str().expect("expr");
    assert!(expr.contains(r#",fleet="one.x"}) * 0 + 4 or max by"#), "{expr}");
    let least = dashboards(&least());
    let steps = &panel(&least, "lifeboat-node", "Peers")["fieldConfig"]["defaults"]["thresholds"]["steps"];
    assert_eq!(*steps, json!([{ "color": "red", "value": null }, { "color": "transparent", "value": 5 }]));
}

#[test]
fn the_linter_sees_what_is_wrong() {
    let good = dashboards(&least()).swap_remove(0);
    let first = 1;
    let seen = |change: &dyn Fn(&mut Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        lint(&bad)
    };
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Change<'_>); 9] = [
        ("no title", &|bad| bad["panels"][first]["title"] = json!("")),
        ("no unit", &|bad| bad["panels"][first]["fieldConfig"]["defaults"]["unit"] = json!("")),
        ("no description", &|bad| bad["panels"][first]["description"] = json!(" ")),
        ("no legend", &|bad| bad["panels"][first]["targets"][0]["legendFormat"] = json!("")),
        ("stands twice", &|bad| bad["panels"][0]["id"] = bad["panels"][first]["id"].clone()),
        ("lies over", &|bad| bad["panels"][first]["gridPos"]["y"] = json!(0)),
        ("somebody's own", &|bad| bad["panels"][first]["datasource"]["uid"] = json!("P1234")),
        ("no variable $job", &|bad| {
            bad["panels"][first]["targets"][0]["expr"] = json!(r#"up{fleet=~"$fleet",job=~"$job"}"#);
        }),
        ("a window of its own", &|bad| {
            bad["panels"][first]["targets"][0]["expr"] = json!(r#"rate(a{fleet=~"$fleet"}[5m])"#);
        }),
    ];
    for (what, change) in cases {
        let faults = seen(change);
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
    let unparsed =
        seen(&|bad| bad["panels"][first]["targets"][0]["expr"] = json!(r#"sum(a{fleet=~"$fleet"}"#));
    assert_eq!(unparsed.len(), 1, "{unparsed:?}");
}
