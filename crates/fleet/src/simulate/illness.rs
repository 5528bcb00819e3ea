//! What makes an alert fire, as its test has it.

use super::node::{Manner, SimulatedNode, Told};
use crate::budget::Latency;
use crate::catalogue::alert_test::{AlertTest, Reading};
use crate::catalogue::{Alert, Catalogue};
use crate::duration::Duration;
use crate::inventory::Inventory;
use crate::problem::unknown;

/// The alert of that name.
///
/// # Errors
/// That there is none, and what was likely meant.
pub(super) fn find<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Alert, String> {
    let alert = catalogue.alerts.iter().find(|alert| alert.name == name);
    alert.ok_or_else(|| unknown("alert", name, catalogue.alerts.iter().map(|alert| alert.name.as_str())))
}

/// Makes a node as ill as the alert's test says; what changes steadily does so for so many seconds.
///
/// # Errors
/// Where the node has not what it needs for that.
pub(super) fn befall(
    node: &mut SimulatedNode,
    alert: &Alert,
    inventory: &Inventory,
    (seconds, now): (f64, f64),
) -> Result<(), String> {
    let fleet = inventory.fleets.iter().find(|fleet| fleet.name == node.fleet);
    let fitted = fleet.map(|fleet| inventory.catalogue.fitted(alert, &fleet.thresholds));
    let has = |signal: &str| fleet.is_none_or(|fleet| fleet.speech.signals.contains_key(signal));
    let illnesses = fitted.as_ref().unwrap_or(alert).test.illnesses(has);
    // Of several illnesses the first that the fleet can have, and this node of it.
    let can = illnesses.iter().find(|(_, test)| lacking(node, test).is_none());
    let Some((_, test)) = can else {
        let endpoint = illnesses.first().and_then(|(_, test)| lacking(node, test));
        return Err(match endpoint {
            Some(endpoint) => {
                format!("{} cannot have {}: it has no endpoint `{endpoint}`", node.name, alert.name)
            }
            None => format!("fleet {} lacks the signals of {}", node.fleet, alert.name),
        });
    };
    for (signal, reading) in &test.sick {
        let told = match reading {
            Reading::Steady(number) => Told::Steady(*number),
            Reading::Ramp(ramp) => Told::Ramp { from: ramp.from, to: ramp.to, since: now, seconds },
        };
        node.tell(signal, told, now)?;
    }
    for name in &test.absent {
        // An endpoint that discovery has lost is one that nobody asks: here it does not answer.
        match name.strip_prefix("job:") {
            Some(endpoint) => node.behave(Some(endpoint), Manner::Down)?,
            None if name == "*" => node.behave(None, Manner::Down)?,
            None if node.lacks(name).is_some() => {}
            None => node.tell(name, Told::Absent, now)?,
        }
    }
    for endpoint in &test.down {
        node.behave(Some(endpoint.as_str()).filter(|endpoint| *endpoint != "*"), Manner::Down)?;
    }
    node.relabel(&test.relabelled);
    Ok(())
}

/// The first endpoint that an illness shows at and that the node has not: nobody would see it.
fn lacking<'a>(node: &'a SimulatedNode, test: &'a AlertTest) -> Option<&'a str> {
    // What is to be gone is gone where the endpoint is; that alone makes nobody ill.
    let is_absence = test.sick.is_empty() && test.down.is_empty();
    let gone = test.absent.iter().filter(|_| is_absence);
    let signals = test.sick.keys().chain(gone).filter_map(|signal| node.lacks(signal));
    let jobs = test.absent.iter().filter_map(|name| name.strip_prefix("job:"));
    let asked = test.down.iter().map(String::as_str).filter(|name| *name != "*").chain(jobs);
    let lacking = asked.filter(|name| !node.endpoints.contains_key(*name));
    signals.chain(lacking).next()
}

/// How many seconds a trend goes on: until it has been one for as long as its alert may take.
pub(super) fn course(node: &SimulatedNode, alert: &Alert, inventory: &Inventory, accelerate: u64) -> f64 {
    let fleet = inventory.fleets.iter().find(|fleet| fleet.name == node.fleet);
    let latency = fleet.map(|fleet| Latency::of(alert, fleet, &inventory.intervals)).unwrap_or_default();
    let whole =
        Duration::from_seconds(60).plus(alert.test.holds_after).plus(latency.window).plus(latency.hold);
    whole.divided(accelerate).seconds()
}
