//! What is allowed, and yet likely not what was meant: nobody is told, or too late.

use crate::budget::{DEATH_LATENCY_MAX, LATENCY_MAX, Latency};
use crate::catalogue::Severity;
use crate::duration::Duration;
use crate::inventory::form::Paper;
use crate::inventory::{Channel, Intervals, Inventory, Place};

pub(super) fn give(inventory: &Inventory, paper: Paper<'_>) {
    of_destinations(inventory, paper);
    of_intervals(inventory, paper);
    // Without a message there is nothing to open it from.
    if inventory.links.runbooks.is_none() && !inventory.destinations.is_empty() {
        let what = "alerts name their runbook as runbooks/NAME.md, which nobody can open from a message";
        let remedy =
            "add runbooks = \"https://…\" to [links]: where the rendered folder runbooks can be read";
        paper.hint(None, what, remedy);
    }
    for fleet in &inventory.fleets {
        if fleet.consul.is_some() && fleet.nodes_min == 0 {
            let what = format!("fleet {:?} does not say how many nodes it has", fleet.name);
            paper.hint(None, what, "add nodes_min: else nobody misses a node that Consul has forgotten");
        }
        // All that are listed are expected, and no others.
        let listed = fleet.nodes.len() as u64;
        if fleet.consul.is_none() && fleet.nodes_min > listed {
            let (name, least) = (&fleet.name, fleet.nodes_min);
            let what = format!(
                "fleet {name:?} says nodes_min = {least} and lists {listed}: nobody misses the others"
            );
            paper.hint(
                None,
                what,
                "list all nodes: nodes_min is asked where Consul knows them, and nowhere else",
            );
        }
    }
}

fn of_destinations(inventory: &Inventory, paper: Paper<'_>) {
    for destination in
        inventory.destinations.iter().filter(|_| inventory.engines.alertmanager.version.is_none())
    {
        // Debian 12 has 0.25, which reads neither from a file.
        if matches!(
            destination.channel,
            Channel::Telegram { .. } | Channel::Webhook { url: Place::Secret(_), .. }
        ) {
            let what = format!("destination {:?} asks for Alertmanager 0.26 or later", destination.name);
            paper.hint(None, what, "add the one that runs, as version = \"0.28\" to [alertmanager]");
        }
    }
    let told: Vec<_> = inventory.destinations.iter().filter(|destination| !destination.is_watchdog).collect();
    if told.is_empty() {
        let remedy = "add [[destination]] with type = \"telegram\", \"slack\", \"pagerduty\", \"email\" or \"webhook\"";
        return paper.hint(None, "nobody is told of an alert", remedy);
    }
    for fleet in &inventory.fleets {
        for owner in fleet.owners() {
            let missed = [Severity::P0, Severity::P1].into_iter().filter(|severity| {
                !told.iter().any(|destination| destination.gets(*severity, &fleet.name, owner))
            });
            let missed: Vec<String> = missed.map(|severity| severity.to_string()).collect();
            if !missed.is_empty() {
                let missed = missed.join(" and ");
                let what =
                    format!("alerts {missed} of fleet {:?} with owner {owner:?} reach nobody", fleet.name);
                paper.hint(None, what, "add a [[destination]] that gets them, or widen the filters of one");
            }
        }
    }
    if !inventory.destinations.iter().any(|destination| destination.is_watchdog) {
        let what = "nobody notices when Prometheus or Alertmanager themselves are down";
        let remedy = "add a [[destination]] with type = \"webhook\" and is_watchdog = true at a service that alarms when it hears nothing";
        paper.hint(None, what, remedy);
    }
}

fn of_intervals(inventory: &Inventory, paper: Paper<'_>) {
    let intervals = &inventory.intervals;
    if intervals.evaluation < intervals.scrape {
        let what = "rules are evaluated more often than nodes are scraped, which tells nothing sooner";
        paper.hint(None, what, "let intervals.evaluation be intervals.scrape or more");
    }
    // At ours every alert keeps the promise: a test computes each.
    if is_as_shipped(intervals) {
        return;
    }
    let latencies = inventory.fleets.iter().flat_map(|fleet| {
        let alerts = inventory.watched(fleet);
        alerts.map(|alert| (Latency::of(alert, fleet, intervals).whole(), alert.name.as_str()))
    });
    let latencies: Vec<(Duration, &str)> = latencies.collect();
    let remedy = "shorten scrape, evaluation or group_interval of [intervals]";
    let death =
        latencies.iter().filter(|(latency, name)| *name == "NodeDied" && *latency > DEATH_LATENCY_MAX);
    if let Some((latency, _)) = death.max() {
        paper.hint(None, format!("a death is told after up to {latency}; a minute is possible"), remedy);
    }
    if let Some((latency, alert)) = latencies.iter().max().filter(|(latency, _)| *latency > LATENCY_MAX) {
        let what = format!("{alert} is told after up to {latency}, which is more than five minutes");
        paper.hint(None, what, remedy);
    }
}

fn is_as_shipped(intervals: &Intervals) -> bool {
    let shipped = Intervals::default();
    let parts = |of: &Intervals| [of.scrape, of.evaluation, of.group_wait, of.group_interval];
    parts(intervals).iter().zip(parts(&shipped)).all(|(own, shipped)| *own <= shipped)
}
