//! How long it takes at most from a fault to its notification, computed from what is rendered.

use crate::catalogue::Alert;
use crate::duration::Duration;
use crate::inventory::{Fleet, Intervals, Inventory};
use crate::render::{expression, rules};

/// The promise: an alert is with whoever is on call within five minutes of its cause.
pub const LATENCY_MAX: Duration = Duration::from_seconds(300);

/// Of a death.
pub const DEATH_LATENCY_MAX: Duration = Duration::from_seconds(60);

/// The worst case of one alert, part by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Until Prometheus asks the node the next time, and has its answer.
    pub scrape: Duration,
    /// Until the rule's window holds enough of it; of a trend this is not counted, it takes hours by its nature.
    pub window: Duration,
    /// Until the rule is evaluated the next time.
    pub evaluation: Duration,
    /// For which it has to hold, up to the evaluation that finds that it did.
    pub hold: Duration,
    /// Until Alertmanager tells of it.
    pub notification: Duration,
}

impl Latency {
    /// Of an alert of a fleet.
    #[must_use]
    pub fn of(alert: &Alert, fleet: &Fleet, intervals: &Intervals) -> Self {
        let evaluation = if alert.trend { rules::TREND_INTERVAL } else { intervals.evaluation };
        let step = evaluation.ms.max(1);
        let window = match alert.fill {
            // What asks a rate that is recorded has that rate's window.
            Some(fill) if alert.expr.contains(":rate2m{") => fill.max(fleet.rate_window),
            Some(fill) => fill,
            None if alert.trend => Duration::default(),
            None => window_of(alert, fleet),
        };
        // A node that does not answer is known by the timeout.
        let expr = alert.expr.replace("_up{", "{");
        let asks_whether_up =
            ["up{", "node:alive:bool", "fleet:nodes_", "node:health_"].iter().any(|name| expr.contains(name));
        let timeout =
            if asks_whether_up { Duration { ms: intervals.scrape.ms * 2 / 3 } } else { Duration::default() };
        Self {
            scrape: intervals.scrape.plus(timeout),
            window,
            evaluation,
            hold: Duration { ms: alert.hold.ms.div_ceil(step) * step },
            notification: intervals.group_wait.max(intervals.group_interval),
        }
    }

    /// All of it.
    #[must_use]
    pub const fn whole(self) -> Duration {
        self.scrape.plus(self.window).plus(self.evaluation).plus(self.hold).plus(self.notification)
    }
}

/// The worst case of every alert that an inventory's fleets have: the greatest of all fleets, in the order of the catalogue.
///
/// # Errors
/// What of the profiles or the catalogue cannot be made into a rule, in one line.
pub fn latencies(inventory: &Inventory) -> Result<Vec<(&Alert, Latency)>, String> {
    let path = rules::path_of(inventory)?;
    let mut latencies: Vec<(&Alert, Latency)> = Vec::new();
    for alert in &inventory.catalogue.alerts {
        let has =
            |fleet: &&Fleet| rules::alerts_of(&inventory.catalogue, fleet).any(|had| had.name == alert.name);
        let fleets = inventory.fleets.iter().chain(path.as_ref()).filter(has);
        let of = fleets.map(|fleet| Latency::of(alert, fleet, &inventory.intervals));
        if let Some(greatest) = of.max_by_key(|latency| latency.whole()) {
            latencies.push((alert, greatest));
        }
    }
    Ok(latencies)
}

/// The longest window of an alert's expression.
#[must_use]
pub(crate) fn window_of(alert: &Alert, fleet: &Fleet) -> Duration {
    let Ok(query) = expression::of_rule(&alert.expr, fleet, 1) else { return Duration::default() };
    let windows = query.split('[').skip(1).filter_map(|rest| rest.split([']', ':']).next()?.parse().ok());
    windows.max().unwrap_or_default()
}
