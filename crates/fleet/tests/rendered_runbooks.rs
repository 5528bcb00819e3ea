//! `runbooks/` of a rendering: the runbooks of the alerts that stand, with what is true of the fleets in them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lifeboat_fleet::{Inventory, Options, render};

const ONE: &str = r#"
[links]
prometheus = "https://prometheus.example.org/"
grafana = "https://grafana.example.org"
logs = "https://logs.example.org/?fleet={fleet}&node={node}"

[[fleet]]
name = "logos.test"
profile = ["libp2p-generic", "lifeboat"]
owner = "delivery"
thresholds = { peers_min = 7 }

[[fleet.node]]
name = "delivery-01"
address = "10.1.0.1"
owner = "storage"

[[fleet.node]]
name = "delivery-02"
address = "10.1.0.2"
endpoints = { node = 9009 }
"#;

/// Another fleet, of which less is known.
const ANOTHER: &str = r#"
[[fleet]]
name = "waku.test"
profile = "libp2p-generic"

[[fleet.node]]
name = "waku-01"
address = "10.2.0.1"
"#;

/// What is rendered of the first alone.
static PAGES_OF_ONE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| pages(ONE));

/// Everything that is rendered, without the tests of rules, which take long.
fn files(inventory: &str) -> BTreeMap<String, String> {
    let inventory = Inventory::read("fleet.toml", inventory).unwrap();
    let tree = render(&inventory, Options { accelerate: 2 }).unwrap();
    let files = tree.files().map(|(path, text)| (path.to_str().unwrap().to_owned(), text.to_owned()));
    files.collect()
}

/// The rendered pages by their names.
fn pages(inventory: &str) -> BTreeMap<String, String> {
    let files = files(inventory).into_iter();
    files.filter_map(|(path, text)| Some((path.strip_prefix("runbooks/")?.to_owned(), text))).collect()
}

#[test]
fn a_node_that_comes_changes_what_lists_nodes_and_nothing_else() {
    let more = "[[fleet.node]]\nname = \"delivery-03\"\naddress = \"10.1.0.3\"\n";
    let (before, after) = (files(ONE), files(&format!("{ONE}{more}")));
    assert!(before.keys().eq(after.keys()));
    let changed: Vec<&String> =
        before.iter().filter(|(path, text)| after[*path] != **text).map(|(path, _)| path).collect();
    let wanted = [
        "prometheus/rules/logos.test.rules.yml",
        "prometheus/targets/lifeboat.json",
        "prometheus/targets/node.json",
        "runbooks/NODES.md",
    ];
    assert_eq!(changed, wanted);
}

#[test]
fn a_page_holds_what_is_true_of_the_fleet() {
    let pages = &*PAGES_OF_ONE;
    let page = &pages["PeersBelowMinimum.md"];
    assert!(page.contains("| logos.test | delivery | `peers_min` = 7"), "{page}");
    assert!(page.contains("[node](https://grafana.example.org/d/lifeboat-node), panel `peers`"), "{page}");
    assert!(page.contains("`https://logs.example.org/?fleet={fleet}&node={node}`"), "{page}");
    assert!(page.contains(r#"fleet="logos.test",node="NODE""#), "{page}");
    assert!(!page.contains(r#"fleet="FLEET""#), "{page}");
    let missing = &pages["NodeMissing.md"];
    assert!(missing.contains("curl -s https://prometheus.example.org/api/v1/targets"), "{missing}");
    let (before, rule) = page.split_once("\n## The rule\n").unwrap();
    assert!(rule.contains("< 7"), "{rule}");
    assert!(before.find("## In your fleets").unwrap() < before.find("## Meaning").unwrap(), "{before}");
}

#[test]
fn one_page_tells_where_the_nodes_are() {
    let pages = &*PAGES_OF_ONE;
    let nodes = &pages["NODES.md"];
    assert!(nodes.contains("| delivery-01 | node | default | 10.1.0.1 | storage | any |"), "{nodes}");
    assert!(nodes.contains("\n## logos.test\n\n2 nodes.\n\n| Node |"), "{nodes}");
    assert!(nodes.contains("`10.1.0.2:9009`") && nodes.contains("`10.1.0.2:9464`"), "{nodes}");
    assert!(pages["README.md"].contains("| logos.test | delivery |"), "{}", pages["README.md"]);
}

#[test]
fn of_two_fleets_the_reader_chooses() {
    let page = &pages(&format!("{ONE}{ANOTHER}"))["PeersBelowMinimum.md"];
    assert!(page.contains("| logos.test | delivery | `peers_min` = 7"), "{page}");
    assert!(page.contains("| waku.test | operators | `peers_min` = 5"), "{page}");
    assert!(page.contains(r#"fleet="FLEET""#), "{page}");
}

#[test]
fn the_way_that_alerts_take_is_of_all_fleets() {
    let watchdog = &PAGES_OF_ONE["Watchdog.md"];
    assert!(watchdog.contains("| all | delivery | none | no time |"), "{watchdog}");
    assert!(watchdog.contains("\nall:\n\n```promql\nvector(1)\n```"), "{watchdog}");
}

#[test]
fn only_what_stands_is_there_and_its_links_lead_somewhere() {
    let pages = pages(ANOTHER);
    assert!(pages.contains_key("PeersBelowMinimum.md"));
    assert!(!pages.contains_key("DatabaseCorrupt.md"), "nothing tells of a database there");
    assert!(!pages["README.md"].contains("DatabaseCorrupt"), "{}", pages["README.md"]);
    for (name, text) in &pages {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.contains("://")) {
            assert!(pages.contains_key(target), "{name}: {target}");
        }
    }
}
