//! What an inventory comes to: defaults, addresses, places, Consul, and hints.

use lifeboat_fleet::catalogue::{Alert, Scope};
use lifeboat_fleet::{Duration, Inventory};

fn read(text: &str) -> Inventory {
    Inventory::read("fleet.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn fleet(lines: &str) -> Inventory {
    read(&format!("[[fleet]]\nname = \"logos.test\"\nprofile = [\"libp2p-generic\", \"lifeboat\"]\n{lines}"))
}

#[test]
fn a_node_says_a_name_and_an_address_and_no_more() {
    let inventory = fleet("[fleet.nodes]\n\"node-01.do-ams3.logos.test\" = \"10.1.0.1\"\n");
    let fleet = &inventory.fleets[0];
    assert_eq!((fleet.owner.as_str(), fleet.nodes_min), ("operators", 1));
    let node = &fleet.nodes[0];
    assert_eq!((node.role.as_str(), node.dc.as_str()), ("node", "do-ams3"));
    assert_eq!(node.endpoints["node"], "10.1.0.1:8008");
    assert_eq!(node.endpoints["lifeboat"], "10.1.0.1:9464");
    assert_eq!(inventory.intervals.scrape, Duration::from_seconds(15));
}

#[test]
fn a_place_is_the_second_part_of_a_name_of_that_shape() {
    let cases = [
        ("node-01.do-ams3.logos.test", "do-ams3"),
        ("node-01.ac-cn-hongkong-c.logos.test", "ac-cn-hongkong-c"),
        // Of another fleet's shape, yet of four parts.
        ("node-01.do-ams3.waku.sandbox", "do-ams3"),
        ("node-01", "default"),
        ("node-01.logos.test", "default"),
        ("a.b.c.logos.test", "default"),
        ("node-01.do-ams3", "default"),
    ];
    for (name, dc) in cases {
        let inventory = fleet(&format!("[fleet.nodes]\n\"{name}\" = \"10.1.0.1\"\n"));
        assert_eq!(inventory.fleets[0].nodes[0].dc, dc, "{name}");
    }
    let told = fleet(
        "dc = \"hetzner\"\n[[fleet.node]]\nname = \"a.b.logos.test\"\naddress = \"a\"\n\
                      [[fleet.node]]\nname = \"c.d.logos.test\"\naddress = \"c\"\ndc = \"e\"\n",
    );
    let places: Vec<&str> = told.fleets[0].nodes.iter().map(|node| node.dc.as_str()).collect();
    assert_eq!(places, ["hetzner", "e"]);
}

#[test]
fn addresses_of_the_sixth_version_get_their_brackets_once() {
    for address in ["2001:db8::1", "[2001:db8::1]"] {
        let inventory = fleet(&format!("[fleet.nodes]\na = \"{address}\"\n"));
        let node = &inventory.fleets[0].nodes[0];
        assert_eq!(
            (node.address.as_str(), node.endpoints["node"].as_str()),
            ("2001:db8::1", "[2001:db8::1]:8008")
        );
    }
}

#[test]
fn endpoints_are_as_the_node_says_else_as_the_fleet_does() {
    let inventory = fleet(
        "endpoints = { node = 9000, lifeboat = false }\n\
         [[fleet.node]]\nname = \"a\"\naddress = \"10.1.0.1\"\n\
         [[fleet.node]]\nname = \"b\"\naddress = \"10.1.0.2\"\nendpoints = { node = \"10.9.0.2:1\", lifeboat = true }\n\
         [[fleet.node]]\nname = \"c\"\naddress = \"10.1.0.3\"\nendpoints = { node = false }\n",
    );
    let endpoints: Vec<Vec<(&str, &str)>> = inventory.fleets[0]
        .nodes
        .iter()
        .map(|node| node.endpoints.iter().map(|(name, at)| (name.as_str(), at.as_str())).collect())
        .collect();
    assert_eq!(endpoints[0], [("node", "10.1.0.1:9000")]);
    assert_eq!(endpoints[1], [("lifeboat", "10.1.0.2:9464"), ("node", "10.9.0.2:1")]);
    assert!(endpoints[2].is_empty());
}

#[test]
fn what_no_node_has_is_kept_apart_with_what_it_would_tell() {
    let inventory = fleet("endpoints = { lifeboat = false }\n[fleet.nodes]\na = \"10.1.0.1\"\n");
    let fleet = &inventory.fleets[0];
    assert!(!fleet.speech.signals.contains_key("deaths") && !fleet.speech.endpoints.contains_key("lifeboat"));
    assert!(fleet.off.signals.contains_key("deaths") && fleet.off.endpoints.contains_key("lifeboat"));
    assert!(fleet.speech.signals.contains_key("peers") && !fleet.off.signals.contains_key("peers"));
}

#[test]
fn thresholds_are_the_catalogues_unless_the_fleet_says_otherwise() {
    let inventory = fleet("[fleet.nodes]\na = \"10.1.0.1\"\n[fleet.thresholds]\npeers_min = 12\n");
    let thresholds = &inventory.fleets[0].thresholds;
    assert_eq!(thresholds["peers_min"], 12.0);
    assert_eq!(thresholds.len(), inventory.catalogue.thresholds.len());
}

#[test]
fn consul_says_where_nodes_are_and_the_inventory_what_they_answer() {
    let inventory = fleet(
        "role = \"relay\"\nnodes_min = 3\nendpoints = { lifeboat = 9999 }\n\
         [fleet.consul]\nserver = \"10.0.0.1:8500\"\ndatacenter = \"do-ams3\"\nservices = \"nim-waku\"\n\
         tags = [\"env:logos\", \"stage:test\"]\nservice_endpoint = \"node\"\ntoken_file = \"/s/c\"\n",
    );
    let fleet = &inventory.fleets[0];
    let consul = fleet.consul.as_ref().unwrap();
    assert!(fleet.nodes.is_empty());
    assert_eq!((fleet.nodes_min, consul.role.as_str()), (3, "relay"));
    let ports: Vec<_> = consul.ports.iter().map(|(name, port)| (name.as_str(), *port)).collect();
    assert_eq!(ports, [("lifeboat", Some(9999)), ("node", None)]);
    assert!(fleet.speech.signals.contains_key("peers"), "its signals are told");
    assert_eq!((consul.server.as_str(), consul.token_file.as_deref()), ("10.0.0.1:8500", Some("/s/c")));
    let unbounded = fleet_hints("[fleet.consul]\nservices = \"nim-waku\"\n");
    assert!(
        unbounded.contains(&"fleet \"logos.test\" does not say how many nodes it has".to_owned()),
        "{unbounded:?}"
    );
}

#[test]
fn nodes_that_are_not_listed_are_hinted_at() {
    let nodes = "[fleet.nodes]\na = \"10.1.0.1\"\nb = \"10.1.0.2\"\n";
    let few = fleet_hints(&format!("nodes_min = 20\n{nodes}"));
    let what = "fleet \"logos.test\" says nodes_min = 20 and lists 2: nobody misses the others";
    assert!(few.contains(&what.to_owned()), "{few:?}");
    let all = fleet_hints(&format!("nodes_min = 2\n{nodes}"));
    assert!(!all.iter().any(|hint| hint.contains("nodes_min")), "{all:?}");
}

fn fleet_hints(lines: &str) -> Vec<String> {
    fleet(lines).hints.into_iter().map(|hint| hint.what).collect()
}

#[test]
fn objectives_that_nothing_asks_are_hinted_at() {
    let inventory = fleet("[fleet.nodes]\na = \"10.1.0.1\"\n[fleet.objectives]\navailability = 0.999\n");
    let hint = inventory.hints.iter().find(|hint| hint.what.starts_with("[fleet.objectives]")).unwrap();
    assert!(hint.what.ends_with("no rule and no panel asks it yet"), "{hint:?}");
    assert!(hint.place.is_some(), "{hint:?}");
}

#[test]
fn intervals_that_break_a_promise_are_hinted_at() {
    let of = |lines: &str| {
        fleet_hints(&format!("[fleet.nodes]\na = \"10.1.0.1\"\n[intervals]\n{lines}\n")).join("\n")
    };
    assert_eq!(of(""), "nobody is told of an alert");
    assert!(of("group_interval = \"5m\"").contains("a death is told after up to 5m30s"));
    assert!(of("group_interval = \"5m\"").contains("which is more than five minutes"));
    // Rates take longer, too, where scrapes are rare.
    assert!(of("scrape = \"1m\"\nevaluation = \"1m\"").contains("which is more than five minutes"));
    assert!(of("evaluation = \"5s\"").contains("evaluated more often than nodes are scraped"));
}

#[test]
fn engines_are_on_this_machine_unless_told() {
    let engines = fleet("[fleet.nodes]\na = \"10.1.0.1\"\n").engines;
    assert_eq!(engines.prometheus.address, "127.0.0.1:9090");
    assert_eq!(engines.alertmanager.addresses, ["127.0.0.1:9093"]);
    assert_eq!(engines.blackbox.address, "127.0.0.1:9115");
    let engines = fleet(
        "[fleet.nodes]\na = \"10.1.0.1\"\n[prometheus]\nversion = 3\nretention = \"90d\"\nscrape_files = \"/etc/p/x.yml\"\n\
         [alertmanager]\naddress = [\"a:9093\", \"[::1]:9093\"]\nversion = \"v0.28.1\"\nsecrets_dir = \"/run/s/\"\n\
         [exporters]\nblackbox = \"b:9115\"\n[grafana]\ndatasource = \"abc\"\n",
    )
    .engines;
    assert_eq!(engines.prometheus.version.unwrap().to_string(), "3.0");
    assert_eq!(engines.alertmanager.version.unwrap().to_string(), "0.28");
    assert_eq!(engines.alertmanager.addresses, ["a:9093", "[::1]:9093"]);
    assert_eq!(engines.alertmanager.secrets_dir, "/run/s");
    assert_eq!(engines.grafana.datasource.as_deref(), Some("abc"));
}

#[test]
fn links_lose_their_slash_and_keep_their_places() {
    let logs = "https://kibana.example.org/app/discover#/?_a=(query:'fleet:{fleet} and node:{node}')"
        .replace(' ', "%20");
    let lines = format!(
        "[links]\ngrafana = \"https://g.example.org/\"\nlogs = \"{logs}\"\n[[fleet.node]]\nname = \"a\"\naddress = \"a\"\n"
    );
    let head = "[[fleet]]\nname = \"a\"\nprofile = \"lifeboat\"\n[fleet.nodes]\na = \"a\"\n";
    let inventory = read(&format!("{head}{}", lines.split("[[fleet.node]]").next().unwrap()));
    assert_eq!(inventory.links.grafana.as_deref(), Some("https://g.example.org"));
    assert_eq!(inventory.links.logs.as_deref(), Some(logs.as_str()));
}

#[test]
fn each_alert_stands_or_is_missed_for_one_reason() {
    for lines in ["", "version = \"v1\"\n", "endpoints = { lifeboat = false }\n"] {
        let inventory = fleet(&format!("{lines}[fleet.nodes]\na = \"10.1.0.1\"\n"));
        let fleet = &inventory.fleets[0];
        let gaps = inventory.gaps(fleet);
        let missed = gaps.iter().flat_map(|gap| gap.alerts.clone());
        let stands = inventory.watched(fleet).map(|alert| alert.name.clone());
        let mut told: Vec<String> = stands.chain(missed).collect();
        told.sort();
        // The way that alerts take is no fleet's, and here Consul is asked for none.
        let is_own = |alert: &&Alert| alert.scope != Scope::Path && alert.name != "NodesTooFew";
        let own = inventory.catalogue.alerts.iter().filter(is_own);
        let mut all: Vec<String> = own.map(|alert| alert.name.clone()).collect();
        all.sort();
        assert_eq!(told, all, "{lines}");
        assert!(gaps.iter().all(|gap| !gap.reason.is_empty() && !gap.remedy.is_empty()), "{gaps:#?}");
        let database = gaps.iter().find(|gap| gap.alerts.contains(&"DatabaseDown".to_owned()));
        let remedy = database.map(|gap| gap.remedy.as_str());
        assert_eq!(remedy, Some("add \"postgres\" to `profile`, and postgres = true to [fleet.endpoints]"));
        let is_drift_missed = gaps.iter().any(|gap| gap.alerts.contains(&"VersionDrift".to_owned()));
        assert_eq!(is_drift_missed, !lines.contains("version"), "{gaps:#?}");
    }
}

#[test]
fn what_compares_nodes_stands_where_there_are_several() {
    let of = |nodes: &str| {
        read(&format!("[[fleet]]\nname = \"a\"\nprofile = \"logos-delivery\"\n[fleet.nodes]\n{nodes}"))
    };
    let gap_of = |inventory: &Inventory| {
        let gaps = inventory.gaps(&inventory.fleets[0]).into_iter();
        let mut of_alert = gaps.filter(|gap| gap.alerts.contains(&"MessageRateCollapsed".to_owned()));
        of_alert.next().map(|gap| gap.reason)
    };
    let alone = of("a = \"10.1.0.1\"\n");
    let reason = gap_of(&alone);
    assert!(reason.as_deref().is_some_and(|reason| reason.starts_with("there is one node")), "{reason:?}");
    assert!(alone.watched(&alone.fleets[0]).any(|alert| alert.name == "FleetMessagesStopped"));
    assert_eq!(gap_of(&of("a = \"10.1.0.1\"\nb = \"10.1.0.2\"\n")), None);
}

#[test]
fn of_consuls_nodes_it_says_how_many_or_is_told_to() {
    let of = |least: &str| {
        let consul = "[fleet.consul]\nservices = [\"node\"]\n";
        read(&format!("[[fleet]]\nname = \"a\"\nprofile = \"lifeboat\"\n{least}{consul}"))
    };
    let stands = |inventory: &Inventory| {
        inventory.watched(&inventory.fleets[0]).any(|alert| alert.name == "NodesTooFew")
    };
    assert!(stands(&of("nodes_min = 2\n")));
    let unsaid = of("");
    assert!(!stands(&unsaid));
    let gaps = unsaid.gaps(&unsaid.fleets[0]);
    assert!(
        gaps.iter().any(|gap| gap.alerts == ["NodesTooFew"] && gap.remedy.contains("nodes_min")),
        "{gaps:#?}"
    );
}
