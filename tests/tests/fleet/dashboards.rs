//! Every dashboard shows what there is: each query of each panel, variable and mark, as Grafana sends it, is answered by a
//! Prometheus that scrapes a simulated fleet, for each profile, both generations of names and both of Prometheus.
//!
//! 1. two nodes of each profile, one with old names and one with new; one fleet with all profiles
//! 2. faults, and figures that nobody has by chance, are told to the first node of that
//! 3. each profile's own dashboards ask: no error, no empty answer, both nodes in it
//! 4. a fleet of which one node has no monitor is shown whole
//! 5. the figures are those that were told, or that the node counted itself

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lifeboat_tests::engines::{Generation, Loopback, Prometheus, QUICK, Sample};
use lifeboat_tests::http::{escaped, post};
use lifeboat_tests::{Run, Scratch, delivered, repository, wait_for};
use serde_json::Value;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(90);
/// Every window is so much shorter: a scrape each second, an hour in four minutes.
const ACCELERATE: &str = "15";
/// What Grafana makes of `$__rate_interval` at a scrape each second: four scrapes, and more where a point stands for more.
const RATE_INTERVAL: &str = "8s";

/// Profiles, and the endpoints of each that an inventory has to ask for.
const PROFILES: [(&str, &str); 8] = [
    ("cluster", ""),
    ("host", ""),
    ("libp2p-generic", ""),
    ("lifeboat", ""),
    ("logos-core-modules", ""),
    ("logos-delivery", "rest = true, tls = true"),
    ("postgres", "postgres = true"),
    ("probes", "rest = true, tls = true"),
];

/// What is told to the first node of the fleet with all profiles. What several signals tell together is told once.
const TOLD: [(&str, f64); 26] = [
    ("archive_messages", 7_654_321.0),
    ("bandwidth_in", 123_456.0),
    ("certificate_seconds_left", 777_600.0),
    ("connection_churn", 2.5),
    ("container_memory_bytes", 345_678_901.0),
    ("database_check_ok", 0.0),
    ("database_size_bytes", 5_368_709_120.0),
    ("deaths", 3.0),
    ("delivery_failures_ratio", 0.25),
    ("disk_available_ratio", 0.31),
    ("discovered_peers", 19.0),
    ("health_score", 63.0),
    ("health_state", 2.0),
    ("host_cpu_steal_ratio", 0.21),
    ("is_leader", 1.0),
    ("mesh_peers", 4.0),
    ("message_rate", 42.0),
    ("messages_out", 33.0),
    ("module_memory_bytes", 98_765_432.0),
    ("peers", 3.0),
    ("postgres_connections_ratio", 0.55),
    ("process_cpu_ratio", 0.77),
    ("process_memory_bytes", 234_567_890.0),
    ("process_open_fds", 321.0),
    ("shard_peers", 2.0),
    ("store_query_seconds", 0.6),
];

/// Figures of panels: dashboard, panel, the legend's text, the least and the greatest that it may be.
const FIGURES: [(&str, &str, &str, f64, f64); 31] = [
    ("node", "Up", "all-1", 1.0, 1.0),
    ("node", "Messages in and out", "all-1 in", 40.0, 44.0),
    ("node", "Messages in and out", "all-1 out", 31.5, 34.5),
    ("node", "Failures", "all-1 not passed on", 0.24, 0.26),
    ("node", "Peers", "all-1", 3.0, 3.0),
    ("node", "Peers", "all-1 mesh", 4.0, 4.0),
    ("node", "Peers by shard", "all shard 0", 2.0, 2.0),
    ("node", "Connections opened", "all-1", 2.4, 2.6),
    ("node", "Discovered nodes", "all-1 seen", 19.0, 19.0),
    ("node", "Processor", "all-1", 0.74, 0.80),
    ("node", "Memory", "all-1", 234_567_890.0, 234_567_890.0),
    ("node", "Memory", "all-1 group", 345_678_901.0, 345_678_901.0),
    ("node", "Stolen and throttled", "all-1 stolen", 0.20, 0.22),
    ("node", "Bandwidth", "all-1 in", 119_000.0, 128_000.0),
    ("node", "Disk available", "all-1 /", 0.31, 0.31),
    ("node", "File descriptors", "all-1 open", 321.0, 321.0),
    ("node", "Database latency", "all-1 query", 0.5, 0.75),
    ("node", "Health score", "all-1 by its monitor", 63.0, 63.0),
    ("node", "Components", "all-1 store", 2.0, 2.0),
    ("node", "Leader", "all-1", 1.0, 1.0),
    ("fleet", "Nodes up", "up", 2.0, 2.0),
    ("fleet", "Nodes up", "missing", 0.0, 0.0),
    ("fleet", "Databases whole", "corrupt", 1.0, 1.0),
    ("fleet", "Peers of the loneliest node", "all fewest", 3.0, 3.0),
    ("fleet", "Disk available on the fullest host", "all", 0.31, 0.31),
    ("fleet", "Certificates", "all-1", 777_300.0, 777_600.0),
    ("modules", "Memory", "all-1 delivery_module", 98_765_432.0, 98_765_432.0),
    ("database", "Messages in the archive", "all-1", 7_654_321.0, 7_654_321.0),
    ("database", "Whole", "all-1 store.sqlite3", 0.0, 0.0),
    ("database", "Connections", "all-1 localhost:5432", 0.55, 0.55),
    ("database", "Latency", "all-1 query", 0.5, 0.75),
];

/// Of a fleet of which one node has no monitor: what shows both nodes all the same.
const OF_BOTH: [(&str, &str); 6] = [
    ("fleet", "Nodes"),
    ("node", "Up"),
    ("node", "Uptime"),
    ("node", "Processor"),
    ("node", "Memory"),
    ("node", "Health score"),
];

/// Panels that are empty where nothing is wrong: asked in the fleet in which something is.
const EMPTY_WHEN_WELL: [&str; 2] = ["Alerts that fire", "Deaths in the last day by node"];

/// Names of before the old ones, which queries still ask for and simulated nodes no longer tell.
const OLDER: [&str; 2] = ["waku_archive_errors", "waku_discv5_errors"];

#[test]
fn every_query_of_every_dashboard_is_answered_and_true() {
    let files = std::fs::read_dir(repository("crates/fleet/profiles")).unwrap().flatten();
    let has = |name: &str| PROFILES.iter().any(|(profile, _)| format!("{profile}.toml") == name);
    let left: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    // Signals of the engines themselves are of no fleet.
    let left: Vec<_> = left.iter().filter(|name| !has(name) && *name != "alert-path.toml").collect();
    assert!(left.is_empty(), "no dashboards are asked for {left:?}");

    let (scratch, hosts) = (Scratch::new("dashboards"), Loopback::new());
    let inventory = scratch.write("whole.toml", inventory(&fleets(hosts), hosts));
    render(&scratch, "whole");
    let control = hosts.address(4, 9999);
    let simulate = Run::new(delivered("bin/lifeboat")).args(["fleet", "simulate"]).arg(&inventory);
    let simulate = simulate.args(["--accelerate", ACCELERATE, "--blackbox", "--control", &control]);
    let mut simulated = simulate.spawn();
    simulated.wait_for("simulating");
    let config = scratch.join("whole/prometheus/prometheus.yml");
    let engines = [(Generation::Two, 1), (Generation::Three, 2)].map(|(generation, host)| {
        Prometheus::start_with(generation, &config, &hosts.address(host, 9090), &QUICK)
    });
    for engine in &engines {
        // Each target has been scraped, so that what is told now is seen to change.
        engine.wait_for("min(count_over_time(up{node=~\".+\"}[10s])) >= 3");
        engine.wait_for("min(up{node=~\".+\"}) == 1");
    }
    for (signal, number) in TOLD {
        tell(&control, &format!("set all-1 {signal} {number}"));
    }
    for (fleet, toml) in fleets(hosts) {
        scratch.write(&format!("{fleet}.toml"), self::inventory(&[(fleet.clone(), toml)], hosts));
        render(&scratch, &fleet);
    }
    let mut faults = String::new();
    for engine in &engines {
        // An alert fires once its hold is over, and by then rates are of what was told alone.
        engine.wait_for("ALERTS{alertstate=\"firing\",node=\"all-1\",alertname=\"PeersBelowMinimum\"}");
        engine.wait_for("min_over_time(libp2p_peers{node=\"all-1\"}[12s]) == 3 == max_over_time(libp2p_peers{node=\"all-1\"}[12s])");
        for (fleet, _) in fleets(hosts).into_iter().filter(|(fleet, _)| fleet != "half") {
            faults += &asked(engine, &scratch.join(&fleet).join("grafana/dashboards"), &fleet);
        }
        // Fleets that speak differently, in one picture.
        faults += &asked(engine, &scratch.join("whole/grafana/dashboards"), ".+");
        faults += &half(engine, &scratch.join("half/grafana/dashboards"));
        faults += &figures(engine, &scratch.join("all/grafana/dashboards"));
        counted(engine, &scratch.join("all/grafana/dashboards"), &control);
    }
    assert!(faults.is_empty(), "{faults}");
}

/// Each fleet's name, and how an inventory has it.
fn fleets(hosts: Loopback) -> Vec<(String, String)> {
    let names: Vec<String> = PROFILES.iter().map(|(profile, _)| format!("{profile:?}")).collect();
    let all = ("all", names.join(", "), "postgres = true, rest = true, tls = true");
    let each = PROFILES.iter().map(|(profile, endpoints)| (*profile, format!("{profile:?}"), *endpoints));
    let half = ("half", "\"logos-delivery\"".to_owned(), "");
    let mut host = 10;
    let fleet = |(name, profiles, endpoints): (&str, String, &str)| {
        let mut toml =
            format!("[[fleet]]\nname = {name:?}\nprofile = [{profiles}]\nendpoints = {{ {endpoints} }}\n");
        for node in 1..=2 {
            let address = hosts.host(host);
            write!(
                toml,
                "[[fleet.node]]\nname = \"{name}-{node}\"\naddress = {address:?}\ndc = \"dc-{node}\"\n"
            )
            .unwrap();
            if name == "half" && node == 2 {
                toml += "endpoints = { lifeboat = false }\n";
            }
            host += 1;
        }
        (name.to_owned(), toml)
    };
    [all].into_iter().chain(each).chain([half]).map(fleet).collect()
}

fn inventory(fleets: &[(String, String)], hosts: Loopback) -> String {
    let head = format!("[exporters]\nblackbox = {:?}\n\n", hosts.address(3, 9115));
    fleets.iter().fold(head, |text, (_, fleet)| text + fleet)
}

/// Renders `NAME.toml` into the folder `NAME`.
fn render(scratch: &Scratch, name: &str) {
    let run = Run::new(delivered("bin/lifeboat")).args(["fleet", "render"]);
    let run = run.arg(scratch.join(format!("{name}.toml"))).arg("--out").arg(scratch.join(name));
    drop(run.args(["--accelerate", ACCELERATE]).finish().output());
}

fn tell(control: &str, line: &str) {
    let answer = post(control, "/", "text/plain", line);
    assert_eq!(answer.status, 200, "{line}: {}", answer.text());
}

/// As Grafana writes it with this fleet chosen, and all of its nodes.
fn substituted(text: &str, fleet: &str) -> String {
    let text = text
        .replace("$__rate_interval", RATE_INTERVAL)
        .replace("$__range", "4m")
        .replace("$__interval", "1s");
    let text =
        text.replace("$fleet", fleet).replace("$dc", ".*").replace("$node", &format!("{fleet}-1|{fleet}-2"));
    assert!(!text.contains('$'), "a variable that Grafana has not: {text}");
    text
}

fn dashboards(folder: &Path) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let mut all: Vec<(String, Value)> = files
        .map(|file| {
            let name =
                file.path().file_stem().unwrap().to_str().unwrap().trim_start_matches("lifeboat-").to_owned();
            (name, serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Asks all that one fleet's dashboards ask; what is wrong, a line each.
fn asked(engine: &Prometheus, folder: &Path, fleet: &str) -> String {
    let mut faults = String::new();
    let mut count = 0;
    let known = engine.get("/api/v1/label/__name__/values").json();
    let known: BTreeSet<&str> = list(&known, "/data").iter().filter_map(Value::as_str).collect();
    for (name, dashboard) in dashboards(folder) {
        for variable in list(&dashboard, "/templating/list").iter().filter(|one| one["type"] == "query") {
            let values = values_of(engine, variable["query"]["query"].as_str().unwrap(), fleet);
            if values.is_empty() {
                writeln!(faults, "{fleet}: {name}: variable {} is empty", variable["name"]).unwrap();
            }
        }
        for mark in list(&dashboard, "/annotations/list") {
            faults += &answered(
                engine,
                fleet,
                &name,
                mark["name"].as_str().unwrap(),
                mark["expr"].as_str().unwrap(),
            );
        }
        for panel in list(&dashboard, "/panels") {
            let title = panel["title"].as_str().unwrap();
            for target in list(panel, "/targets") {
                count += 1;
                let expr = target["expr"].as_str().unwrap();
                let is_told = |metric: &&str| known.contains(metric) || OLDER.contains(metric);
                for metric in metrics_in(expr).into_iter().filter(|metric| !is_told(metric)) {
                    writeln!(faults, "{fleet}: {name}: {title}: nobody has {metric}").unwrap();
                }
                if ["all", ".+"].contains(&fleet) || !EMPTY_WHEN_WELL.contains(&title) {
                    faults += &answered(engine, fleet, &name, title, expr);
                }
            }
        }
    }
    assert!(count > 0, "{fleet} has no dashboards");
    faults
}

/// The panels of a rendered folder, as `dashboard: title`, that show something of a fleet of real nodes, whatever their names.
///
/// # Panics
/// When a query is refused.
pub(crate) fn panels_that_show(engine: &Prometheus, folder: &Path, fleet: &str) -> BTreeSet<String> {
    let mut show = BTreeSet::new();
    for (name, dashboard) in dashboards(folder) {
        for panel in list(&dashboard, "/panels") {
            for target in list(panel, "/targets") {
                let expr = target["expr"].as_str().unwrap().replace("$node", ".*");
                if !engine.query(&substituted(&expr, fleet)).is_empty() {
                    show.insert(format!("{name}: {}", panel["title"].as_str().unwrap()));
                }
            }
        }
    }
    show
}

/// The metrics that a query names: what stands before a brace.
fn metrics_in(expr: &str) -> Vec<&str> {
    let before = expr.match_indices('{').filter_map(|(at, _)| expr.get(..at));
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_:".contains(letter);
    let names = before.map(|text| text.rsplit(|letter| !is_part(letter)).next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).collect()
}

/// A query has answers over the last seconds, and of each of the fleet's nodes where it tells nodes apart.
fn answered(engine: &Prometheus, fleet: &str, dashboard: &str, title: &str, expr: &str) -> String {
    let query = substituted(expr, fleet);
    let place = format!("{fleet}: {dashboard}: {title}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let path = format!("/api/v1/query_range?step=1&start={}&end={now}&query=", now - 2);
    let said = engine.get(&(path + &escaped(&query))).json();
    let found = list(&said, "/data/result");
    if said["status"] != "success" || found.is_empty() {
        return format!("{place}: {said}: {query}\n");
    }
    let numbers =
        found.iter().flat_map(|series| list(series, "/values")).filter_map(|point| point[1].as_str());
    let strange = numbers.filter_map(|text| text.parse::<f64>().ok()).any(|number| !number.is_finite());
    let nodes: BTreeSet<&str> = found.iter().filter_map(|series| series["metric"]["node"].as_str()).collect();
    let wants_both = !nodes.is_empty() && !EMPTY_WHEN_WELL.contains(&title);
    if strange || (wants_both && nodes.len() < 2) {
        return format!("{place}: {nodes:?}: {said}: {query}\n");
    }
    String::new()
}

/// `label_values(SERIES, LABEL)`, as Grafana asks for it.
fn values_of(engine: &Prometheus, text: &str, fleet: &str) -> Vec<Value> {
    let text = substituted(text, fleet);
    let inner = text.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (series, label) = inner.rsplit_once(", ").unwrap();
    let said = engine.get(&format!("/api/v1/label/{label}/values?match[]={}", escaped(series))).json();
    list(&said, "/data").to_vec()
}

/// A node without a monitor is neither missing nor left out.
fn half(engine: &Prometheus, folder: &Path) -> String {
    let dashboards = dashboards(folder);
    let mut faults = String::new();
    let asked = |name: &str, title: &str| {
        let (_, dashboard) = dashboards.iter().find(|(found, _)| found == name).unwrap();
        let panel = list(dashboard, "/panels").iter().find(|panel| panel["title"] == title).unwrap();
        let exprs = list(panel, "/targets").iter().map(|one| one["expr"].as_str().unwrap().to_owned());
        exprs.collect::<Vec<String>>()
    };
    let counts = asked("fleet", "Nodes up");
    let counts: Vec<f64> = counts
        .iter()
        .flat_map(|expr| engine.query(&substituted(expr, "half")))
        .map(|one| one.value)
        .collect();
    if counts != [2.0, 0.0] {
        writeln!(faults, "half: up and missing are {counts:?}").unwrap();
    }
    for (name, title) in OF_BOTH {
        let found = engine.query(&substituted(asked(name, title).first().unwrap(), "half"));
        let nodes: BTreeSet<&str> = found.iter().map(|sample| sample.label("node")).collect();
        if nodes != BTreeSet::from(["half-1", "half-2"]) {
            writeln!(faults, "half: {name}: {title} shows {nodes:?}").unwrap();
        }
    }
    faults
}

/// The panels' figures are those that were told.
fn figures(engine: &Prometheus, folder: &Path) -> String {
    let dashboards = dashboards(folder);
    let mut faults = String::new();
    for (name, title, legend, least, greatest) in FIGURES {
        let shown = figure(engine, &dashboards, (name, title), legend);
        if !shown.is_some_and(|figure| (least..=greatest).contains(&figure)) {
            writeln!(faults, "{name}: {title}: {legend} is {shown:?}, not {least} to {greatest}").unwrap();
        }
    }
    faults
}

/// What a panel shows by this legend.
fn figure(engine: &Prometheus, all: &[(String, Value)], panel: (&str, &str), legend: &str) -> Option<f64> {
    let (name, title) = panel;
    let (_, dashboard) = all.iter().find(|(found, _)| found == name).unwrap();
    let mut panels = list(dashboard, "/panels").iter();
    let panel = panels.find(|panel| panel["title"] == title && panel["type"] != "row");
    let panel = panel.unwrap_or_else(|| panic!("no panel {name}: {title}"));
    list(panel, "/targets").iter().find_map(|target| {
        let found = engine.query(&substituted(target["expr"].as_str().unwrap(), "all"));
        let template = target["legendFormat"].as_str().unwrap();
        found.iter().find(|sample| legend_of(template, sample) == legend).map(|sample| sample.value)
    })
}

fn legend_of(template: &str, sample: &Sample) -> String {
    template.split("{{").fold(String::new(), |text, part| match part.split_once("}}") {
        Some((label, rest)) => text + sample.label(label) + rest,
        None => text + part,
    })
}

/// Deaths as a panel counts them are those that the node counted.
fn counted(engine: &Prometheus, folder: &Path, control: &str) {
    let dashboards = dashboards(folder);
    // Both sides go on counting: they agree as soon as the last deaths are scraped.
    wait_for("deaths agree", PATIENCE, || {
        let told = post(control, "/", "text/plain", "tell all-1").json();
        let mut samples = list(&told, "/endpoints/lifeboat/samples").iter();
        let is_it = |sample: &&Value| {
            sample["name"] == "lifeboat_deaths_total" && sample["labels"]["cause"] == "signal"
        };
        let counted = samples.find(is_it)?["value"].as_f64()?;
        let place = ("deaths", "Deaths in the last hour by cause");
        let shown = figure(engine, &dashboards, place, "all signal")?;
        // An increase reaches as far as its window, beyond the first scrape and the last.
        (counted > 0.0 && (counted..=counted * 1.2 + 1.0).contains(&shown)).then_some(())
    });
}
