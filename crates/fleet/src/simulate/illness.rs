//! What makes an alert fire, as its test has it.

use super::node::{Manner, SimulatedNode, Told};
use crate::budget::Latency;
use crate::catalogue::alert_test::Reading;
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
    // Of several illnesses the first that the fleet can have.
    let illnesses = fitted.as_ref().unwrap_or(alert).test.illnesses(has);
    let Some((_, test)) = illnesses.first() else {
        return Err(format!("fleet {} lacks the signals of {}", node.fleet, alert.name));
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
            None => node.tell(name, Told::Absent, now)?,
        }
    }
    for endpoint in &test.down {
        node.behave(Some(endpoint.as_str()).filter(|endpoint| *endpoint != "*"), Manner::Down)?;
    }
    node.relabel(&test.relabelled);
    Ok(())
}

/// How many seconds a trend goes on: until it has been one for as long as its alert may take.
pub(super) fn course(node: &SimulatedNode, alert: &Alert, inventory: &Inventory, accelerate: u64) -> f64 {
    let fleet = inventory.fleets.iter().find(|fleet| fleet.name == node.fleet);
    let latency = fleet.map(|fleet| Latency::of(alert, fleet, &inventory.intervals)).unwrap_or_default();
    let whole =
        Duration::from_seconds(60).plus(alert.test.holds_after).plus(latency.window).plus(latency.hold);
    whole.divided(accelerate).seconds()
}
