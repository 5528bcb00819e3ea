//! Tests of a fleet's rules, for `promtool test rules`: of each alert that it fires in time and not before, stays silent in
//! health, at start-up and while nodes are updated, says what it should, and clears.

mod entry;
mod says;
mod timeline;

use std::collections::BTreeSet;

use super::tree::Tree;
use super::{rules, yaml};
use crate::catalogue::alert_test::{Phase, Readings, Scenario};
use crate::catalogue::{Alert, Severity};
use crate::duration::Duration;
use crate::inventory::{Fleet, Inventory};
use entry::{Entry, File, Plot};

/// Nodes of a fleet whose signals are told; of all others only that they answer.
const NODES_TOLD: usize = 3;

/// How long a node is well before it falls ill, and how long a course of health is.
const WARM: Duration = Duration::from_seconds(600);

pub(super) fn render(inventory: &Inventory, tree: &mut Tree) -> Result<(), String> {
    for fleet in &inventory.fleets {
        add(inventory, fleet, tree)?;
    }
    match rules::path_of(inventory)? {
        Some(path) => add(inventory, &path, tree),
        None => Ok(()),
    }
}

fn add(inventory: &Inventory, fleet: &Fleet, tree: &mut Tree) -> Result<(), String> {
    let mut tests = Vec::new();
    for alert in rules::alerts_of(&inventory.catalogue, fleet) {
        let plot = Plot::of(inventory, fleet, Some(alert));
        for generation in generations(&plot.signals, fleet) {
            tests.extend(of_alert(&plot, alert, generation)?);
        }
    }
    let plot = Plot::of(inventory, fleet, None);
    for generation in generations(&plot.signals, fleet) {
        for scenario in courses_of_health() {
            tests.push(plot.silent(&scenario, generation, scenario.name == "health"));
        }
    }
    let file = File {
        rule_files: vec![format!("../rules/{}.rules.yml", fleet.name)],
        evaluation_interval: inventory.intervals.evaluation,
        tests,
    };
    tree.add(format!("prometheus/tests/{}.tests.yml", fleet.name), yaml::file(&file)?);
    Ok(())
}

/// The generations of names that these signals have; one without a name where they have none.
fn generations<'a>(signals: &BTreeSet<&str>, fleet: &'a Fleet) -> Vec<Option<&'a str>> {
    let of = fleet.speech.signals.iter().filter(|(name, _)| signals.contains(name.as_str()));
    let series = of.flat_map(|(_, signal)| &signal.series);
    let names: BTreeSet<&str> = series.filter_map(|series| series.generation.as_deref()).collect();
    if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() }
}

fn of_alert(plot: &Plot<'_>, alert: &Alert, generation: Option<&str>) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    // An alert that always fires has no course: that it does is a test of the whole path.
    if alert.severity == Severity::None {
        return Ok(vec![plot.always(alert)?]);
    }
    let well = |lasts| Phase { lasts, ..Phase::default() };
    let test = &alert.test;
    let sick = Phase {
        lasts: Duration::from_seconds(60).plus(plot.latest(alert)),
        is: test.sick.clone(),
        others: if test.everywhere { test.sick.clone() } else { Readings::default() },
        absent: test.absent.clone(),
        down: test.down.clone(),
        labels: test.relabelled.clone(),
        restarted: false,
    };
    let clears = test.clears_within.unwrap_or_else(|| plot.clears(alert));
    let phases = vec![well(test.warm.unwrap_or(WARM)), sick, well(clears.plus(Duration::from_seconds(60)))];
    let main = Scenario { name: "fires in time, says what it should, clears".into(), phases };
    entries.push(plot.fires_and_clears(alert, &main, clears, generation)?);
    for scenario in &test.fires {
        entries.push(plot.fires(alert, scenario, generation));
    }
    for scenario in &test.quiet {
        entries.push(plot.silent(scenario, generation, false));
    }
    Ok(entries)
}

/// Courses in which no alert has anything to say.
fn courses_of_health() -> Vec<Scenario> {
    let of = |name: &str, phases: Vec<Phase>| Scenario { name: name.into(), phases };
    let well = |seconds| Phase { lasts: Duration::from_seconds(seconds), ..Phase::default() };
    let all = vec!["*".to_owned()];
    let unknown = Phase { absent: all.clone(), ..well(45) };
    let stopped = Phase { down: all, ..well(45) };
    let fresh = Phase { restarted: true, ..well(600) };
    vec![
        of("health", vec![well(1800)]),
        of("start-up: no sample, then the first", vec![unknown.clone(), well(600)]),
        of("a node that is updated", vec![well(600), stopped.clone(), fresh.clone()]),
        of(
            "a scrape that is missed",
            vec![well(600), Phase { lasts: Duration::from_seconds(15), ..stopped }, well(300)],
        ),
    ]
}
