//! Alertmanager's configuration: who is told, how often, and what silences what.

use serde::Serialize;

use super::tree::Tree;
use super::{Options, inhibitions, matcher, message, receivers, yaml};
use crate::catalogue::Severity;
use crate::duration::Duration;
use crate::inventory::{Destination, Inventory};

/// The receiver of what no destination wants. No destination can be called so.
pub(super) const NOBODY: &str = "(nobody)";

/// The dead man's switch hears of us once a minute: Alertmanager looks at each third tick of the shorter one.
const WATCHDOG_INTERVAL: Duration = Duration::from_seconds(20);
const WATCHDOG_REPEAT: Duration = Duration::from_seconds(50);

/// The alert of the path of alerts itself.
const FAILING_DELIVERY: &str = "AlertDeliveryFailing";

#[derive(Serialize)]
struct Config {
    templates: [&'static str; 1],
    route: Route,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inhibit_rules: Vec<inhibitions::Rule>,
    receivers: Vec<receivers::Receiver>,
}

/// What is absent is as the route above has it.
#[derive(Default, Serialize)]
struct Route {
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matchers: Vec<String>,
    #[serde(rename = "continue", skip_serializing_if = "std::ops::Not::not")]
    goes_on: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_by: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_wait: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_interval: Option<Duration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route>,
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let mut receivers = vec![receivers::Receiver::nobody(NOBODY)];
    for destination in &inventory.destinations {
        receivers.push(receivers::Receiver::of(destination, &inventory.engines.alertmanager)?);
    }
    let config = Config {
        templates: ["templates/*.tmpl"],
        route: root(inventory, options),
        inhibit_rules: inhibitions::rules(&inventory.catalogue),
        receivers,
    };
    tree.add("alertmanager/alertmanager.yml", yaml::file_with_notes(&config, &notes(inventory))?);
    tree.add("alertmanager/templates/lifeboat.tmpl", message::templates());
    Ok(())
}

/// What an operator should know who reads the file.
fn notes(inventory: &Inventory) -> Vec<String> {
    let mut notes = Vec::new();
    if inventory.destinations.is_empty() {
        notes.push("NOBODY IS TOLD: the inventory names no [[destination]].".to_owned());
    } else if !inventory.destinations.iter().any(|destination| destination.is_watchdog) {
        notes.push(
            "Nobody hears it when this path itself is broken: no [[destination]] has is_watchdog = true."
                .into(),
        );
    }
    for destination in &inventory.destinations {
        if let Some(what) = receivers::asks_for_newer(&destination.channel) {
            notes.push(format!("{}: {what} asks for Alertmanager 0.26 or later.", destination.name));
        }
    }
    notes
}

fn root(inventory: &Inventory, options: Options) -> Route {
    let intervals = &inventory.intervals;
    let fast = |duration: Duration| Some(duration.divided(options.accelerate));
    let mut routes = vec![watchdog(inventory, options), failing_delivery(inventory, options)];
    routes.extend(people(inventory).map(|destination| of_destination(destination, inventory, options)));
    Route {
        receiver: Some(NOBODY.into()),
        group_by: vec!["fleet", "alertname"],
        group_wait: fast(intervals.group_wait),
        group_interval: fast(intervals.group_interval),
        repeat_interval: fast(intervals.repeat),
        routes,
        ..Route::default()
    }
}

fn people(inventory: &Inventory) -> impl Iterator<Item = &Destination> {
    inventory.destinations.iter().filter(|destination| !destination.is_watchdog)
}

/// That some receiver cannot be told goes to all of them, whatever they want otherwise: the one that fails would hear of it
/// alone.
fn failing_delivery(inventory: &Inventory, options: Options) -> Route {
    let routes = people(inventory).map(|destination| Route {
        receiver: Some(destination.name.clone()),
        goes_on: true,
        ..Route::default()
    });
    Route {
        receiver: Some(NOBODY.into()),
        matchers: vec![matcher::is("alertname", FAILING_DELIVERY)],
        repeat_interval: Some(repeat(Severity::P1, inventory.intervals.repeat).divided(options.accelerate)),
        routes: routes.collect(),
        ..Route::default()
    }
}

/// The alert that always fires goes to the dead man's switch, and nowhere else.
fn watchdog(inventory: &Inventory, options: Options) -> Route {
    let switches = inventory.destinations.iter().filter(|destination| destination.is_watchdog);
    let routes: Vec<Route> = switches
        .map(|destination| Route {
            receiver: Some(destination.name.clone()),
            goes_on: true,
            ..Route::default()
        })
        .collect();
    Route {
        receiver: Some(NOBODY.into()),
        matchers: vec![matcher::is("alertname", "Watchdog")],
        group_by: vec!["alertname"],
        group_wait: Some(Duration::default()),
        group_interval: Some(WATCHDOG_INTERVAL.divided(options.accelerate)),
        repeat_interval: Some(WATCHDOG_REPEAT.divided(options.accelerate)),
        routes,
        ..Route::default()
    }
}

fn of_destination(destination: &Destination, inventory: &Inventory, options: Options) -> Route {
    let severities: Vec<String> =
        destination.severities.iter().map(|severity| format!("{severity:?}")).collect();
    let filters = [("severity", &severities), ("fleet", &destination.fleets), ("owner", &destination.owners)];
    let matchers = filters.into_iter().filter(|(_, names)| !names.is_empty());
    let is_wanted =
        |severity| destination.severities.is_empty() || destination.severities.contains(&severity);
    let severities = [Severity::P0, Severity::P1, Severity::P2, Severity::P3].into_iter();
    let routes = severities.filter(|severity| is_wanted(*severity)).map(|severity| Route {
        matchers: vec![matcher::is("severity", &severity.to_string())],
        repeat_interval: Some(repeat(severity, inventory.intervals.repeat).divided(options.accelerate)),
        ..Route::default()
    });
    Route {
        receiver: Some(destination.name.clone()),
        matchers: matchers.map(|(label, names)| matcher::among(label, names)).collect(),
        goes_on: true,
        routes: routes.collect(),
        ..Route::default()
    }
}

/// How often somebody is told again: after the time in which an answer is due, where P2's is the inventory's `repeat`.
fn repeat(severity: Severity, of_p2: Duration) -> Duration {
    match severity {
        Severity::P0 => of_p2.divided(16),
        Severity::P1 => of_p2.divided(4),
        Severity::P3 => Duration { ms: of_p2.ms.saturating_mul(6) },
        _ => of_p2,
    }
}
