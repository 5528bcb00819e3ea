//! Tests of a fleet's rules, for `promtool test rules`: of each alert that it fires in time and not before, stays silent in
//! health, at start-up and while nodes are updated, says what it should, and clears.

mod entry;
mod says;
mod timeline;

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Tree;
use super::{rules, yaml};
use crate::catalogue::alert_test::{Phase, Scenario};
use crate::catalogue::{Alert, Scope, Severity};
use crate::duration::Duration;
use crate::inventory::{Fleet, Intervals, Inventory};
use entry::{Entry, File, Plot};

/// Nodes of a fleet whose signals are told; of all others only that they answer.
const NODES_TOLD: usize = 3;

/// How long a node is well before it falls ill.
const WARM: Duration = Duration::from_seconds(300);

/// How long where only the alert's text matters.
const BRIEF: Duration = Duration::from_seconds(60);

/// The longest course that is told scrape by scrape.
const SHORT_MAX: Duration = Duration::from_seconds(2_100);

/// The longest between two scrapes of a course: its phases are quarters of a minute. Where scrapes are further apart the
/// windows of rules are wider, and the courses the same.
const STEP_MAX: Duration = Duration::from_seconds(15);

/// Between two scrapes, and two evaluations, of longer ones.
const STEP_OF_HOURS: Duration = Duration::from_seconds(60);

/// The longest course that is told a minute at a time.
const LONG_MAX: Duration = Duration::from_seconds(12 * 3_600);

/// Between two evaluations of longer ones: a day has many minutes.
const STEP_OF_DAYS: Duration = Duration::from_seconds(300);

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
    // Hours are told a minute at a time: promtool evaluates every rule at every step.
    let intervals = Intervals { scrape: STEP_OF_HOURS, evaluation: STEP_OF_HOURS, ..inventory.intervals };
    let of_hours = Inventory { intervals, ..inventory.clone() };
    // What is scraped must still fill a rate's window.
    let intervals = Intervals { scrape: STEP_OF_HOURS, evaluation: STEP_OF_DAYS, ..inventory.intervals };
    let of_days = Inventory { intervals, ..inventory.clone() };
    let scrape = inventory.intervals.scrape.min(STEP_MAX);
    let brief = &Inventory { intervals: Intervals { scrape, ..inventory.intervals }, ..inventory.clone() };
    let sets = [
        (brief, Set::Short, "", ""),
        (&of_hours, Set::Long, ".hours", ""),
        (&of_days, Set::Days, ".days", ""),
        (&of_hours, Set::Trends, ".trends", ".trends"),
    ];
    for (inventory, set, name, rules) in sets {
        let file = File {
            rule_files: vec![format!("../rules/{}{rules}.rules.yml", fleet.name)],
            evaluation_interval: inventory.intervals.evaluation,
            tests: entries(inventory, fleet, set)?,
        };
        if !file.tests.is_empty() {
            tree.add(format!("prometheus/tests/{}{name}.tests.yml", fleet.name), yaml::file(&file)?);
        }
    }
    Ok(())
}

/// What stands in one file of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Short,
    Long,
    Days,
    Trends,
}

impl Set {
    /// Where a course stands, unless it is a trend's.
    fn of(scenario: &Scenario) -> Self {
        match entry::length(scenario) {
            length if length > LONG_MAX => Self::Days,
            length if length > SHORT_MAX => Self::Long,
            _ => Self::Short,
        }
    }
}

fn entries(inventory: &Inventory, fleet: &Fleet, set: Set) -> Result<Vec<Entry>, String> {
    let mut own = Vec::new();
    // Courses of one generation are played at once, each by a node of its own, which is many times faster.
    let mut shared: BTreeMap<Option<&str>, Entry> = BTreeMap::new();
    let is_meant = |scenario: &Scenario| set == Set::Trends || Set::of(scenario) == set;
    let alerts = rules::alerts_of(&inventory.catalogue, fleet);
    for alert in alerts.filter(|alert| alert.trend == (set == Set::Trends)) {
        let has_own_text = !inventory.catalogue.is_moved(alert, &fleet.thresholds);
        let fitted = inventory.catalogue.fitted(alert, &fleet.thresholds);
        let mut actors = 0..;
        for (branch, test) in fitted.test.illnesses(|signal| fleet.speech.signals.contains_key(signal)) {
            let alert = &Alert { test, ..fitted.clone() };
            let plot = Plot::of(inventory, fleet, Some(alert));
            let acts = acts_of(&plot, alert, branch);
            let actors: Vec<u32> = actors.by_ref().take(acts.len()).collect();
            for (nth, generation) in generations(&plot.signals, fleet).into_iter().enumerate() {
                let brief = illness(&plot, alert, alert.test.warm.unwrap_or(BRIEF));
                // Its figure is known for the catalogue's thresholds alone; the words are the same for all.
                if nth == 0 && has_own_text && is_meant(&brief) {
                    own.push(says(&plot, alert, &brief, (branch, generation))?);
                }
                // That it fires and clears is shown with all names; hours of the other courses are played with one.
                let is_played = |act: &Act<'_>| {
                    let is_enough = nth > 0 && set != Set::Short && !matches!(act, Act::FiresAndClears(..));
                    is_meant(act.scenario()) && !is_enough
                };
                for (act, number) in acts.iter().zip(&actors).filter(|(act, _)| is_played(act)) {
                    if is_for_the_whole_fleet(alert, act.scenario()) {
                        let name = entry::named(&alert.name, &act.scenario().name, generation);
                        let mut entry = plot.entry(name, act.scenario(), generation);
                        act.assert(&plot, &mut entry, alert, None);
                        own.push(entry);
                        continue;
                    }
                    let entry = shared.entry(generation).or_insert_with(|| {
                        let name = entry::named("courses", "each by a node of its own", generation);
                        Entry::new(name, inventory.intervals.scrape)
                    });
                    let actor = format!("{}-{number}", alert.name);
                    plot.add_actor(entry, &actor, act.scenario(), generation);
                    act.assert(&plot, entry, alert, Some(&actor));
                }
            }
        }
    }
    if set == Set::Short {
        let plot = Plot::of(inventory, fleet, None);
        // A rate is low at first, which may be less than a threshold that somebody chose: pending alerts are no harm.
        let is_own = inventory.catalogue.is_own(&fleet.thresholds);
        for generation in generations(&plot.signals, fleet) {
            for scenario in courses_of_health() {
                own.push(plot.all_silent(&scenario, generation, is_own && scenario.name == "health"));
            }
        }
    }
    own.extend(shared.into_values());
    Ok(own)
}

/// Whether a course is about more than one node, or a rule asks what there should be: then the fleet's own nodes play it.
fn is_for_the_whole_fleet(alert: &Alert, scenario: &Scenario) -> bool {
    alert.scope != Scope::Node
        || scenario.everywhere
        || scenario.phases.iter().any(|phase| !phase.others.is_empty())
        || ["fleet:", "node:health_", "node:certificate_", "expected"]
            .iter()
            .any(|name| alert.expr.contains(name))
}

/// The generations of names that these signals have; one without a name where they have none.
fn generations<'a>(signals: &BTreeSet<&str>, fleet: &'a Fleet) -> Vec<Option<&'a str>> {
    let of = fleet.speech.signals.iter().filter(|(name, _)| signals.contains(name.as_str()));
    let series = of.flat_map(|(_, signal)| &signal.series);
    let names: BTreeSet<&str> = series.filter_map(|series| series.generation.as_deref()).collect();
    if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() }
}

/// What is played for an alert, and what must come of it.
enum Act<'a> {
    FiresAndClears(Scenario, Duration),
    Fires(&'a Scenario),
    Silent(&'a Scenario),
    Clears(&'a Scenario),
}

impl Act<'_> {
    const fn scenario(&self) -> &Scenario {
        match self {
            Self::FiresAndClears(scenario, _) => scenario,
            Self::Fires(scenario) | Self::Silent(scenario) | Self::Clears(scenario) => scenario,
        }
    }

    fn assert(&self, plot: &Plot<'_>, entry: &mut Entry, alert: &Alert, actor: Option<&str>) {
        match self {
            Self::FiresAndClears(scenario, clears) => {
                plot.fires_and_clears(entry, alert, (scenario, *clears), actor);
            }
            Self::Fires(scenario) => plot.fires(entry, alert, scenario, actor),
            Self::Silent(scenario) => plot.silent(entry, alert, scenario, actor),
            Self::Clears(scenario) => plot.cleared(entry, alert, scenario, actor),
        }
    }
}

fn acts_of<'a>(plot: &Plot<'_>, alert: &'a Alert, branch: &str) -> Vec<Act<'a>> {
    // An alert that always fires has no course: what it says is all that there is.
    if alert.severity == Severity::None {
        return Vec::new();
    }
    let test = &alert.test;
    let clears = plot.clears(alert);
    let mut main = illness(plot, alert, test.warm.unwrap_or(WARM));
    main.phases.push(well(clears.plus(Duration::from_seconds(60))));
    main.name = of_branch("fires in time, and clears", branch);
    let fires = test.fires.iter().filter(|scenario| plot.can(scenario)).map(Act::Fires);
    let quiet = test.quiet.iter().filter(|scenario| plot.can(scenario)).map(Act::Silent);
    let cleared = test.clears.iter().filter(|scenario| plot.can(scenario)).map(Act::Clears);
    std::iter::once(Act::FiresAndClears(main, clears)).chain(fires).chain(quiet).chain(cleared).collect()
}

/// The alert's text, once: for that no history is needed, but for an alert that asks for one.
fn says(
    plot: &Plot<'_>,
    alert: &Alert,
    scenario: &Scenario,
    (branch, generation): (&str, Option<&str>),
) -> Result<Entry, String> {
    let name = entry::named(&alert.name, &of_branch("says what it should", branch), generation);
    let mut entry = plot.entry(name, scenario, generation);
    plot.says(&mut entry, alert, scenario)?;
    Ok(entry)
}

/// What is played, and with which of the alert's illnesses where it is not the one that is told first.
fn of_branch(what: &str, branch: &str) -> String {
    if branch.is_empty() { what.to_owned() } else { format!("{what}: {branch}") }
}

/// Well for a while, then ill for as long as the alert needs.
fn illness(plot: &Plot<'_>, alert: &Alert, warm: Duration) -> Scenario {
    let test = &alert.test;
    let sick = Phase {
        lasts: Duration::from_seconds(60).plus(plot.latest(alert)),
        is: test.sick.clone(),
        absent: test.absent.clone(),
        down: test.down.clone(),
        labels: test.relabelled.clone(),
        ..Phase::default()
    };
    Scenario { phases: vec![well(warm), sick], everywhere: test.everywhere, ..Scenario::default() }
}

fn well(lasts: Duration) -> Phase {
    Phase { lasts, ..Phase::default() }
}

/// Courses in which no alert has anything to say.
fn courses_of_health() -> Vec<Scenario> {
    let of =
        |name: &str, phases| Scenario { name: name.into(), phases, everywhere: true, ..Scenario::default() };
    let well = |seconds| well(Duration::from_seconds(seconds));
    let all = vec!["*".to_owned()];
    let unknown = Phase { absent: all.clone(), ..well(45) };
    let fresh = Phase { restarted: true, ..well(480) };
    let missed = Phase { down: all.clone(), ..well(15) };
    let updated = Phase { down: all, ..well(45) };
    vec![
        of("health", vec![well(900)]),
        of("start-up: no sample, then the first", vec![unknown, well(480)]),
        of("nodes that are updated", vec![well(300), updated, fresh]),
        of("a scrape that is missed", vec![well(300), missed, well(300)]),
    ]
}
