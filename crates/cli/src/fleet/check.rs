//! `lifeboat fleet check`: what an inventory says, what is watched by it, what is not and why.

use std::collections::BTreeMap;
use std::path::Path;

use anstyle::Style;
use lifeboat_fleet::budget::Latency;
use lifeboat_fleet::{Destination, Fleet, Gap, Inventory, Problem, Problems, Secret};
use serde_json::{Value, json};

use super::problems::{self, line};
use crate::output::{Failure, print, width};
use crate::show::page::{BOLD, DIM, GREEN, Page, YELLOW};

const OK: (Style, &str) = (GREEN, "ok");
const OFF: (Style, &str) = (YELLOW, "off");
const WARNING: (Style, &str) = (YELLOW, "warning");

/// Columns of a row's first word, with the blanks behind it.
const WORD: usize = 9;
/// Columns of a row's name: as many as the longest needs, within these.
const NAME_MIN: usize = 12;
const NAME_MAX: usize = 20;

pub(super) fn run(path: &Path, as_json: bool) -> Result<(), Failure> {
    match super::load_for(path, as_json)?.and_then(rendered) {
        Ok(inventory) if as_json => print(&line(&whole(&inventory))),
        Ok(inventory) => print(&page(&inventory)),
        Err(problems) if as_json => Err(problems::told_as_json(&problems)?),
        Err(problems) => Err(problems::told(&problems)),
    }
}

/// The inventory, if it can be rendered: nobody is to learn that it cannot only later.
fn rendered(inventory: Inventory) -> Result<Inventory, Problems> {
    match lifeboat_fleet::verify(&inventory) {
        Ok(()) => Ok(inventory),
        Err(what) => {
            let file = inventory.file.clone();
            Err(Problem { file, place: None, what, remedy: String::new() }.into())
        }
    }
}

fn page(inventory: &Inventory) -> String {
    let endpoints = inventory.fleets.iter().flat_map(|fleet| fleet.speech.endpoints.keys());
    let names = inventory.destinations.iter().map(|destination| &destination.name).chain(endpoints);
    let longest = names.map(String::len).max().unwrap_or_default();
    let mut page = Rows { page: Page::new(width()), name: longest.clamp(NAME_MIN, NAME_MAX) };
    for fleet in &inventory.fleets {
        let owner = format!("{}, for {}", fleet.profiles.join(", "), fleet.owner);
        page.page.section(&fleet.name, &owner);
        of_fleet(&mut page, inventory, fleet);
    }
    page.page.section("who is told", "");
    for destination in &inventory.destinations {
        page.row(OK, &destination.name, &told(destination), "");
    }
    page.page.section("by what", "");
    let engines = &inventory.engines;
    page.row(OK, "prometheus", &engines.prometheus.address, "");
    page.row(OK, "alertmanager", &engines.alertmanager.addresses.join(", "), "");
    if inventory.fleets.iter().any(|fleet| fleet.speech.endpoints.values().any(|at| at.probe.is_some())) {
        page.row(OK, "blackbox", &engines.blackbox.address, "");
    }
    if !inventory.hints.is_empty() {
        page.page.section("look again", "allowed, and yet likely not what was meant");
    }
    for hint in &inventory.hints {
        let name = hint.place.map_or(String::new(), |(line, _)| format!("line {line}"));
        page.row(WARNING, &name, &hint.what, &hint.remedy);
    }
    page.page.into_text().trim_start().to_owned()
}

fn of_fleet(page: &mut Rows, inventory: &Inventory, fleet: &Fleet) {
    page.row(OK, "nodes", &nodes(fleet), "");
    for (name, endpoint) in &fleet.speech.endpoints {
        let have = fleet.nodes.iter().filter(|node| node.endpoints.contains_key(name)).count();
        match fleet.nodes.len() {
            all if have < all => page.row(OK, name, &format!("{}; {have} of {all} nodes", endpoint.help), ""),
            _ => page.row(OK, name, &endpoint.help, ""),
        }
    }
    let mut severities: BTreeMap<String, usize> = BTreeMap::new();
    for alert in inventory.watched(fleet) {
        *severities.entry(alert.severity.to_string()).or_default() += 1;
    }
    let all: usize = severities.values().sum();
    let each: Vec<String> = severities.iter().map(|(name, count)| format!("{name} {count}")).collect();
    page.row(OK, "alerts", &format!("{all}: {}; {}", each.join(", "), soon(inventory, fleet)), "");
    for Gap { reason, remedy, alerts } in inventory.gaps(fleet) {
        let without = match alerts.as_slice() {
            [] => String::new(),
            alerts => format!("without {}: ", alerts.join(", ")),
        };
        page.row(OFF, "", &format!("{without}{reason}"), &remedy);
    }
}

/// How soon somebody is told: "a death within 50s, a fault that is there within 4m30s, trends excepted".
fn soon(inventory: &Inventory, fleet: &Fleet) -> String {
    let of = |alert| Latency::of(alert, fleet, &inventory.intervals).whole();
    let death = inventory.watched(fleet).find(|alert| alert.name == "NodeDied").map(of);
    let death = death.map_or(String::new(), |latency| format!("a death within {latency}, "));
    let faults = inventory.watched(fleet).filter(|alert| !alert.trend);
    let longest = faults.map(of).max().unwrap_or_default();
    // A trend is of what has not happened yet, and takes hours to be one.
    let has_trends = inventory.watched(fleet).any(|alert| alert.trend);
    let but = if has_trends { ", trends excepted" } else { "" };
    format!("{death}a fault that is there within {longest}{but}")
}

/// "6: do-ams3 3, gc-us-central1-a 3".
fn nodes(fleet: &Fleet) -> String {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &fleet.nodes {
        *places.entry(&node.dc).or_default() += 1;
    }
    let places: Vec<String> = places.iter().map(|(place, count)| format!("{place} {count}")).collect();
    let known = format!("{}: {}", fleet.nodes.len(), places.join(", "));
    let Some(consul) = &fleet.consul else { return known };
    let tags = if consul.tags.is_empty() { &consul.services } else { &consul.tags };
    let asked = format!("as Consul at {} knows {}", consul.server, tags.join(", "));
    let least = if fleet.nodes_min > 0 { format!(", at least {}", fleet.nodes_min) } else { String::new() };
    if fleet.nodes.is_empty() { format!("{asked}{least}") } else { format!("{known}; and {asked}{least}") }
}

/// "P0, P1 of logos.test; secret in /etc/…".
fn told(destination: &Destination) -> String {
    let word = destination.channel.word();
    let by = if destination.name == word { String::new() } else { format!("{word}: ") };
    let mut text = if destination.is_watchdog {
        format!("{by}the dead man's switch")
    } else {
        let severities: Vec<String> = destination.severities.iter().map(|one| one.to_string()).collect();
        let what = if severities.is_empty() { "every alert".into() } else { severities.join(", ") };
        let of = |names: &[String], of: &str| {
            if names.is_empty() { String::new() } else { format!(" {of} {}", names.join(", ")) }
        };
        format!("{by}{what}{}{}", of(&destination.fleets, "of"), of(&destination.owners, "for"))
    };
    for secret in destination.channel.secrets() {
        text.push_str(&match secret {
            Secret::File(path) => format!("; secret in {path}"),
            Secret::Env(name) => format!("; secret in ${name}, for `lifeboat fleet secrets`"),
        });
    }
    text
}

/// A page of rows: a word, a name, a text.
struct Rows {
    page: Page,
    /// Columns of a name.
    name: usize,
}

impl Rows {
    fn row(&mut self, (style, word): (Style, &str), name: &str, detail: &str, remedy: &str) {
        let (word, name) = (format!("{word:WORD$}"), format!("{name:width$}  ", width = self.name));
        self.page.wrapped_after(&[(style, &word), (BOLD, &name)], DIM, detail);
        if !remedy.is_empty() {
            self.page.wrapped(BOLD, &" ".repeat(WORD + self.name + 2), remedy);
        }
    }
}

fn whole(inventory: &Inventory) -> Value {
    let fleets = inventory.fleets.iter().map(|fleet| {
        let nodes = fleet.nodes.iter().map(|node| {
            json!({"name": node.name, "dc": node.dc, "role": node.role, "endpoints": node.endpoints})
        });
        let alerts = inventory.watched(fleet);
        let alerts = alerts.map(|alert| json!({"name": alert.name, "severity": alert.severity.to_string()}));
        let gaps = inventory.gaps(fleet).into_iter();
        let gaps = gaps.map(|gap| json!({"reason": gap.reason, "remedy": gap.remedy, "alerts": gap.alerts}));
        json!({
            "name": fleet.name, "owner": fleet.owner, "profiles": fleet.profiles, "version": fleet.version,
            "nodes_min": fleet.nodes_min, "has_consul": fleet.consul.is_some(),
            "nodes": nodes.collect::<Value>(), "alerts": alerts.collect::<Value>(), "gaps": gaps.collect::<Value>(),
        })
    });
    let destinations = inventory.destinations.iter().map(|destination| {
        let severities: Vec<String> = destination.severities.iter().map(|one| one.to_string()).collect();
        json!({
            "name": destination.name, "type": destination.channel.word(), "severities": severities,
            "fleets": destination.fleets, "owners": destination.owners, "is_watchdog": destination.is_watchdog,
        })
    });
    json!({
        "result": "ok", "file": inventory.file, "fleets": fleets.collect::<Value>(),
        "destinations": destinations.collect::<Value>(), "hints": problems::json(&inventory.hints),
    })
}
