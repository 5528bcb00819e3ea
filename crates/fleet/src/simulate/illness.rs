//! What makes an alert fire, as its test has it.

use super::node::{Manner, SimulatedNode, Told};
use super::world::{manner, tell, unknown};
use crate::catalogue::{Alert, Catalogue};

/// The alert of that name.
///
/// # Errors
/// That there is none, and what was likely meant.
pub(super) fn find<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a Alert, String> {
    let alert = catalogue.alerts.iter().find(|alert| alert.name == name);
    alert.ok_or_else(|| unknown("alert", name, catalogue.alerts.iter().map(|alert| alert.name.as_str())))
}

/// Makes a node as ill as the alert's test says.
///
/// # Errors
/// Where the node has not what it needs for that.
pub(super) fn befall(
    node: &mut SimulatedNode,
    alert: &Alert,
    accelerate: u64,
    now: f64,
) -> Result<(), String> {
    let _ = accelerate;
    for (signal, number) in &alert.test.sick {
        tell(node, signal, Told::Steady(*number), now)?;
    }
    for name in &alert.test.absent {
        match name.strip_prefix("job:") {
            Some(endpoint) => manner(node, Some(endpoint), Manner::Down)?,
            None => tell(node, name, Told::Absent, now)?,
        }
    }
    Ok(())
}
