//! What the book says of profiles: the one that it shows is the one that is tested, and its table of signals is all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_fleet::catalogue::{Catalogue, Threshold};
use lifeboat_fleet::profile::Book;

/// The profile that the book shows.
pub(crate) const SHOWN: &str = "examples/fleets/gossip/profile.toml";

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Our profiles and the one that the book shows, which keeps to the same rules.
pub(crate) fn book() -> Book {
    let mut book = Book::ours().unwrap();
    book.add(SHOWN, &fs::read_to_string(of_repository(SHOWN)).unwrap()).unwrap();
    book
}

#[test]
fn the_book_shows_the_profile_that_is_tested() {
    let profile = fs::read_to_string(of_repository(SHOWN)).unwrap();
    let page = fs::read_to_string(of_repository("docs/fleet.md")).unwrap();
    assert!(page.contains(&format!("```toml\n{profile}```")), "docs/fleet.md does not show {SHOWN}");
}

/// docs/signals.md, as it should be.
fn signals() -> String {
    let mut page = String::from(
        "# Signals\n\n\
         What is known of each node, by profile: the names that alerts, panels and profiles of your own use. How they are written\n\
         stands in [fleet.md](fleet.md#profiles). Counts are over the window of the rule or panel that asks. With LIFEBOAT_BLESS=1\n\
         `cargo test -p lifeboat-fleet --test profiles` writes this page anew from `crates/fleet/profiles/`.\n",
    );
    for profile in Book::ours().unwrap().profiles() {
        let _ = write!(page, "\n## {}\n\n{}\n\n", profile.name, profile.help);
        page.push_str("| Signal | Tells | By | Unit | When well | From |\n|---|---|---|---|---|---|\n");
        for (name, signal) in &profile.signals {
            let (help, unit, healthy, from) = (&signal.help, &signal.unit, signal.healthy, &signal.endpoint);
            let by = signal.by.join(", ");
            let _ = writeln!(page, "| `{name}` | {help} | {by} | {unit} | {healthy} | `{from}` |");
        }
    }
    page
}

#[test]
fn the_books_signals_are_all_that_there_are() {
    is_as_written("docs/signals.md", &signals());
}

/// docs/thresholds.md, as it should be.
fn thresholds() -> String {
    let mut page = String::from(
        "# Thresholds\n\n\
         Figures beyond which somebody is told. A fleet has each as it stands here, unless its `[fleet.thresholds]` says another:\n\
         `peers_min = 12`. Shares are written as 0.9, not as 90 %. [fleet.md](fleet.md#alerts) says which alerts there are. With\n\
         LIFEBOAT_BLESS=1 `cargo test -p lifeboat-fleet --test profiles` writes this page anew from\n\
         `crates/fleet/catalogue/thresholds.toml`.\n\n\
         | Threshold | What it is | Unit | Default | From | To | Alerts |\n|---|---|---|---|---|---|---|\n",
    );
    let catalogue = Catalogue::ours().unwrap();
    for (name, threshold) in &catalogue.thresholds {
        let asks = format!("threshold.{name}}}");
        let alerts = catalogue.alerts.iter().filter(|alert| alert.expr.contains(&asks));
        let alerts = alerts.map(|alert| alert.name.as_str()).collect::<Vec<_>>().join(", ");
        let (least, most) = threshold.range();
        let most = if most < 1e15 { most.to_string() } else { String::new() };
        let (help, default, unit) = (&threshold.help, threshold.default, unit(threshold));
        let _ = writeln!(page, "| `{name}` | {help} | {unit} | {default} | {least} | {most} | {alerts} |");
    }
    page
}

/// A unit in words, where the catalogue has Grafana's name of it.
fn unit(threshold: &Threshold) -> &str {
    match threshold.unit.as_str() {
        "short" if threshold.whole => "whole number",
        "short" => "number",
        "percentunit" => "share",
        "s" => "seconds",
        "bytes" => "bytes",
        "cps" => "per second",
        "mps" => "messages per second",
        other => panic!("say {other} in words"),
    }
}

#[test]
fn the_books_thresholds_are_all_that_there_are() {
    is_as_written("docs/thresholds.md", &thresholds());
}

/// The page is what it should be; it is written anew where that is asked for.
fn is_as_written(page: &str, wanted: &str) {
    let path = of_repository(page);
    if std::env::var_os("LIFEBOAT_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), wanted, "write it anew with LIFEBOAT_BLESS=1");
}
