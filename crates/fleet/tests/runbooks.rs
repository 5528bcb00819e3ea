//! The runbooks of `docs/runbooks`: one for each alert, all of one shape, and nothing in them that leads nowhere.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_fleet::catalogue::Catalogue;
use lifeboat_fleet::profile::Book;

const SECTIONS: [&str; 6] =
    ["## Meaning", "## Impact", "## Diagnosis", "## Remedy", "## Escalation", "## When it clears"];

/// How soon somebody answers, and until when it is resolved.
const TARGETS: [(&str, &str); 4] = [
    ("P0", "answer within 15 min, resolved within 2 h"),
    ("P1", "answer within 1 h, resolved within 4 h"),
    ("P2", "answer within 4 h, resolved within 24 h"),
    ("P3", "answer within 24 h, resolved within 1 week"),
];

/// Nobody reads more at night, and fewer say nothing.
const LINES: std::ops::RangeInclusive<usize> = 40..=85;

/// Metrics that runbooks ask and no signal needs, as nodes and exporters name them.
const OTHER_METRICS: &[&str] = &[
    "libp2p_gossipsub_duplicate_total",
    "libp2p_gossipsub_healthy_peers_topics",
    "libp2p_gossipsub_low_peers_topics",
    "libp2p_open_streams",
    "logos_delivery_archive_messages_per_shard",
    "logos_delivery_connected_peers",
    "logos_delivery_discv5_discovered_per_shard",
    "logos_delivery_dnsdisc_errors_total",
    "logos_delivery_event_loop_load",
    "logos_delivery_lightpush_errors_total",
    "logos_delivery_peer_store_size",
    "logos_delivery_peers_dials_total",
    "logos_delivery_query_time_secs",
    "logos_delivery_rln_spam_messages_total_total",
    "logos_delivery_store_errors_total",
    "logos_delivery_store_time_seconds",
    "nim_gc_heap_instance_occupied_bytes",
    "nim_gc_mem_bytes",
    "node_disk_write_time_seconds_total",
    "node_disk_writes_completed_total",
    "node_pressure_io_waiting_seconds_total",
];

/// How metrics begin that a query may name.
const BEGINNINGS: [&str; 14] = [
    "lifeboat_",
    "process_",
    "libp2p_",
    "waku_",
    "logos_",
    "node_",
    "pg_",
    "probe_",
    "cluster_",
    "nim_",
    "prometheus_",
    "alertmanager_",
    "fleet:",
    "node:",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks")
}

fn text_of(page: &str) -> String {
    fs::read_to_string(folder().join(page)).unwrap()
}

/// Text by name, without the index.
fn runbooks() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let texts = files.map(|path| (name(&path), fs::read_to_string(&path).unwrap()));
    texts.filter(|(name, _)| name != "README").collect()
}

/// What stands in fences of a language, line by line.
fn fenced<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(of) => inside = inside.is_none().then_some(of),
            None if inside == Some(language) => lines.push(line.trim()),
            None => {}
        }
    }
    lines
}

fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let catalogue = Catalogue::ours().unwrap();
    let alerts: BTreeSet<String> = catalogue.alerts.iter().map(|alert| alert.name.clone()).collect();
    let runbooks: BTreeSet<String> = runbooks().into_keys().collect();
    assert_eq!(alerts.difference(&runbooks).collect::<Vec<_>>(), Vec::<&String>::new(), "no runbook");
    assert_eq!(runbooks.difference(&alerts).collect::<Vec<_>>(), Vec::<&String>::new(), "no alert");
}

#[test]
fn runbooks_have_one_shape() {
    let mut wrong = Vec::new();
    for (name, text) in runbooks() {
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        if headings != SECTIONS {
            wrong.push(format!("{name}: its sections are {headings:?}"));
        }
        if !text.starts_with(&format!("# {name}\n\n**")) {
            wrong.push(format!("{name}: begin with `# {name}` and the severity"));
        }
        let lines = text.lines().count();
        if !LINES.contains(&lines) {
            wrong.push(format!("{name}: {lines} lines"));
        }
        if fenced(&text, "sh").is_empty() || fenced(&text, "sh").contains(&"") {
            wrong.push(format!("{name}: no command, or an empty line among commands"));
        }
        if !text.contains("\nDo not ") {
            wrong.push(format!("{name}: say what not to do"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn severity_and_panel_are_the_alerts() {
    let catalogue = Catalogue::ours().unwrap();
    let runbooks = runbooks();
    let mut wrong = Vec::new();
    for alert in &catalogue.alerts {
        let Some(text) = runbooks.get(&alert.name) else { continue };
        let severity = format!("{:?}", alert.severity); // `None` of the dead man's switch has no targets.
        let targets = TARGETS.iter().find(|(name, _)| *name == severity);
        let head = match targets {
            Some((_, targets)) => format!("**{severity}** · {targets}. "),
            None => "**No severity** · ".into(),
        };
        if !text.contains(&format!("\n{head}")) {
            wrong.push(format!("{}: it has to say {head:?}", alert.name));
        }
        if !text.contains(&format!("\nPanel: `{}`.\n", alert.panel)) {
            wrong.push(format!("{}: its panel is {}", alert.name, alert.panel));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_lists_all_by_severity() {
    let index = text_of("README.md");
    let rows = index.lines().filter_map(|line| line.strip_prefix("| [")?.split_once("]("));
    let rows = rows.map(|(name, rest)| (rest.split(" | ").nth(1).unwrap().to_owned(), name.to_owned()));
    let severity = |text: &str| match text.split("**").nth(1).unwrap() {
        "No severity" => "none".to_owned(),
        severity => severity.to_owned(),
    };
    let mut wanted: Vec<_> = runbooks().into_iter().map(|(name, text)| (severity(&text), name)).collect();
    wanted.sort();
    assert_eq!(rows.collect::<Vec<_>>(), wanted);
}

#[test]
fn links_lead_somewhere() {
    let mut texts = runbooks();
    texts.insert("README".into(), text_of("README.md"));
    let broken = texts.iter().flat_map(|(name, text)| {
        let gone = links(text).into_iter().filter(|target| !folder().join(target).is_file());
        gone.map(move |target| format!("{name}: {target}"))
    });
    assert_eq!(broken.collect::<Vec<_>>(), Vec::<String>::new());
}

/// What an expression for names stands for: `waku_a` and `logos_delivery_a` for `(waku|logos_delivery)_a`.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((head, (words, tail))) =
        pattern.split_once('(').and_then(|(head, rest)| Some((head, rest.split_once(')')?)))
    else {
        return pattern.split('|').map(str::to_owned).collect();
    };
    let (words, tail) = match tail.strip_prefix('?') {
        Some(tail) => (format!("{words}|"), tail),
        None => (words.to_owned(), tail),
    };
    words.split('|').flat_map(|word| alternatives(&format!("{head}{word}{tail}"))).collect()
}

/// The metrics that a query names, each as its alternatives.
fn metrics(query: &str) -> Vec<Vec<String>> {
    let patterns = query.split("__name__=~\"").skip(1);
    let mut found: Vec<_> = patterns.map(|rest| alternatives(rest.split('"').next().unwrap())).collect();
    let unquoted: String = query.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = unquoted.split(|letter: char| !is_word(letter));
    let named = words.filter(|word| BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)));
    found.extend(named.map(|word| vec![word.to_owned()]));
    found
}

#[test]
fn names_are_taken_out_of_queries() {
    assert_eq!(alternatives("(a|b)_c_(v3_)?d"), ["a_c_v3_d", "a_c_d", "b_c_v3_d", "b_c_d"]);
    let query = r#"sum by (node) (rate(libp2p_x{a="node_y"}[5m])) / {__name__=~"(waku|logos_delivery)_z"}"#;
    assert_eq!(metrics(query), [vec!["waku_z", "logos_delivery_z"], vec!["libp2p_x"]]);
}

/// Every metric that a profile tells of.
fn told() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = OTHER_METRICS.iter().map(|name| (*name).to_owned()).collect();
    let book = Book::ours().unwrap();
    for signal in book.profiles().flat_map(|profile| profile.signals.values()) {
        for series in &signal.series {
            known.extend(["", "_bucket", "_sum", "_count"].map(|end| format!("{}{end}", series.name)));
        }
    }
    known
}

#[test]
fn queries_can_be_pasted() {
    let mut wrong = Vec::new();
    for (name, text) in runbooks() {
        let queries = fenced(&text, "promql").into_iter();
        let parsed = queries.map(|query| (query, promql_parser::parser::parse(query)));
        wrong
            .extend(parsed.filter_map(|(query, parsed)| Some(format!("{name}: {query}: {}", parsed.err()?))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn queries_name_metrics_that_there_are() {
    let known = told();
    let documented = text_of("../metrics.md") + &text_of("../logos-core.md");
    let is_known = |name: &String| {
        let is_ours =
            ["lifeboat_", "process_", "logos_module_"].iter().any(|beginning| name.starts_with(beginning));
        known.contains(name) || name.contains(':') || is_ours && documented.contains(name.as_str())
    };
    let mut unknown = BTreeSet::new();
    for (name, text) in runbooks() {
        for query in fenced(&text, "promql") {
            let gone = metrics(query).into_iter().filter(|names| !names.iter().any(is_known));
            unknown.extend(gone.map(|names| format!("{} ({name})", names.join(" or "))));
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.into_iter().collect::<Vec<_>>().join("\n"));
}
