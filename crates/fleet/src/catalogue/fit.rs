//! Readings that fit a fleet's thresholds: what is well or ill by the thresholds that the catalogue has must be so by the
//! fleet's own, or the tests of its rules would fail as soon as somebody changes a figure.
//!
//! Each signal is stretched: an amount by what its thresholds grew, a share so that 0 and 1 stay what they are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::alert_test::{Ramp, Reading, Readings};
use super::{Alert, Catalogue, Threshold};
use crate::duration::Duration;

/// How a signal goes with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goes {
    /// Grows as it does.
    Amount,
    /// Is a share, and bounded by it.
    Share,
    /// Is what is left of such a share.
    Rest,
    /// Is an amount of which the growth is bounded: in health it stands still.
    Growth,
}

/// Between two events that are told a scrape at a time.
const EVENT: Duration = Duration::from_seconds(60);

/// A threshold that is not what it was: as the catalogue has it, and as the fleet has it.
type Moved = (f64, f64);

impl Catalogue {
    /// A healthy number of a signal by these thresholds.
    #[must_use]
    pub fn healthy(&self, signal: &str, number: f64, thresholds: &BTreeMap<String, f64>) -> f64 {
        let all = self.going_with(signal, thresholds);
        stretched(number, all.filter(|(_, goes, _)| *goes != Goes::Growth).map(|(_, goes, to)| (goes, to)))
    }

    /// The alert, with readings in its tests that fit these thresholds.
    #[must_use]
    pub fn fitted(&self, alert: &Alert, thresholds: &BTreeMap<String, f64>) -> Alert {
        let mut fitted = alert.clone();
        let test = &mut fitted.test;
        let phases = test.quiet.iter_mut().chain(&mut test.fires).flat_map(|scenario| &mut scenario.phases);
        let of_phases = phases.flat_map(|phase| [&mut phase.is, &mut phase.others]);
        let of_branches = test.branch.iter_mut().map(|branch| &mut branch.sick);
        for readings in of_phases.chain(of_branches).chain([&mut test.healthy, &mut test.sick]) {
            self.fit(alert, readings, thresholds);
        }
        let paced_by = test.paced_by.as_deref().unwrap_or_default();
        if let (Some(threshold), Some(own)) = (self.thresholds.get(paced_by), thresholds.get(paced_by))
            && *own > threshold.default
        {
            let events = (0..1_000_u32).take_while(|event| f64::from(*event) < *own);
            test.holds_after = events.fold(test.holds_after, |sum, _| sum.plus(EVENT));
        }
        fitted
    }

    /// Whether the alert asks a threshold that is another here.
    #[must_use]
    pub fn is_moved(&self, alert: &Alert, thresholds: &BTreeMap<String, f64>) -> bool {
        let mut moved = self.thresholds.iter().filter(|(name, of)| differs(of, thresholds.get(*name)));
        moved.any(|(name, _)| asks(alert, name))
    }

    /// Whether all of these thresholds are the catalogue's own.
    #[must_use]
    pub fn is_own(&self, thresholds: &BTreeMap<String, f64>) -> bool {
        !self.thresholds.iter().any(|(name, of)| differs(of, thresholds.get(name)))
    }

    fn fit(&self, alert: &Alert, readings: &mut Readings, thresholds: &BTreeMap<String, f64>) {
        for (signal, reading) in readings {
            let number = |number: &mut f64| *number = self.reading(alert, signal, *number, thresholds);
            match reading {
                Reading::Steady(steady) => number(steady),
                Reading::Ramp(Ramp { from, to }) => [from, to].into_iter().for_each(number),
            }
        }
    }

    fn reading(&self, alert: &Alert, signal: &str, number: f64, thresholds: &BTreeMap<String, f64>) -> f64 {
        let mut of_alert = self.going_with(signal, thresholds).filter(|(name, _, _)| asks(alert, name));
        match of_alert.next() {
            // It compares the signal with something else.
            None => number,
            Some((_, Goes::Growth, moved)) => stretched(number, std::iter::once((Goes::Amount, moved))),
            Some(_) => self.healthy(signal, number, thresholds),
        }
    }

    fn going_with<'a>(
        &'a self,
        signal: &'a str,
        thresholds: &'a BTreeMap<String, f64>,
    ) -> impl Iterator<Item = (&'a str, Goes, Moved)> {
        self.thresholds.iter().filter_map(move |(name, threshold)| {
            let goes = *threshold.bounds.get(signal)?;
            let own = thresholds.get(name).copied().unwrap_or(threshold.default);
            Some((name.as_str(), goes, (threshold.default, own)))
        })
    }
}

#[expect(clippy::float_cmp, reason = "either somebody wrote another figure, or it is the same one")]
fn differs(threshold: &Threshold, own: Option<&f64>) -> bool {
    own.is_some_and(|own| *own != threshold.default)
}

fn asks(alert: &Alert, threshold: &str) -> bool {
    alert.expr.contains(&format!("${{threshold.{threshold}}}"))
}

#[expect(clippy::float_cmp, reason = "what did not move must stay the same to the last digit")]
fn stretched(number: f64, by: impl Iterator<Item = (Goes, Moved)>) -> f64 {
    let by: Vec<_> = by.collect();
    if by.iter().all(|(_, (from, to))| from == to) {
        return number;
    }
    let mut points = vec![(0.0, 0.0), (1.0, 1.0)];
    let mut amount = number;
    let mut is_share = false;
    for (goes, (from, to)) in by {
        match goes {
            Goes::Share => points.push((from, to)),
            Goes::Rest => points.push((1.0 - from, 1.0 - to)),
            Goes::Amount | Goes::Growth if to > 0.0 => amount *= to / from,
            // Nothing at all is borne: what was borne becomes nothing.
            Goes::Amount | Goes::Growth => amount = (amount - from).max(0.0),
        }
        is_share = is_share || matches!(goes, Goes::Share | Goes::Rest);
    }
    if is_share { between(number, points) } else { amount }
}

/// On the line through these points.
fn between(number: f64, mut points: Vec<(f64, f64)>) -> f64 {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let pairs = points.iter().zip(points.iter().skip(1));
    for ((from, low), (to, high)) in pairs {
        if (*from..=*to).contains(&number) && to > from {
            return low + (number - from) / (to - from) * (high - low);
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_grow_with_their_threshold_and_shares_stay_shares() {
        let by = |number, goes, moved| stretched(number, std::iter::once((goes, moved)));
        assert_eq!(by(2.0, Goes::Amount, (5.0, 2.0)), 0.8);
        assert_eq!(by(25.0, Goes::Amount, (5.0, 50.0)), 250.0);
        assert_eq!(by(5.0, Goes::Amount, (2.0, 0.0)), 3.0);
        assert_eq!(by(1.0, Goes::Amount, (2.0, 0.0)), 0.0);
        let used = by(0.95, Goes::Share, (0.9, 0.98));
        assert!(used > 0.98 && used < 1.0, "{used}");
        let left = by(0.05, Goes::Rest, (0.9, 0.98));
        assert!(left > 0.0 && left < 0.02, "{left}");
        assert_eq!(by(0.5, Goes::Share, (0.9, 0.9)), 0.5);
    }

    #[test]
    fn an_alert_is_as_ill_by_the_fleets_own_threshold() {
        let catalogue = Catalogue::ours().unwrap();
        let fitted = |peers_min: f64, name: &str| {
            let alert = catalogue.alerts.iter().find(|alert| alert.name == name).unwrap();
            catalogue.fitted(alert, &[("peers_min".to_owned(), peers_min)].into()).test
        };
        assert_eq!(fitted(5.0, "PeersBelowMinimum").sick["peers"], Reading::Steady(2.0));
        assert_eq!(fitted(50.0, "PeersBelowMinimum").sick["peers"], Reading::Steady(20.0));
        assert_eq!(fitted(2.0, "PeersBelowMinimum").fires[0].phases[2].is["peers"], Reading::Steady(0.4));
        assert_eq!(catalogue.healthy("peers", 25.0, &[("peers_min".to_owned(), 50.0)].into()), 250.0);
        assert_eq!(fitted(50.0, "NodeDied").sick["deaths"], Reading::Steady(1.0));
    }

    #[test]
    fn every_signal_that_an_alert_compares_goes_with_its_threshold() {
        let catalogue = Catalogue::ours().unwrap();
        for (name, threshold) in &catalogue.thresholds {
            // What is computed of other alerts, and a share of what the node itself had, move with nothing.
            let is_free = ["health_score_min", "message_rate_ratio_min"].contains(&name.as_str());
            assert_eq!(threshold.bounds.is_empty(), is_free, "{name}");
            let of_alerts = catalogue.alerts.iter().filter(|alert| asks(alert, name));
            for alert in of_alerts.filter(|_| !is_free) {
                let known = alert.test.sick.keys().chain(
                    alert
                        .test
                        .fires
                        .iter()
                        .flat_map(|scenario| scenario.phases.iter().flat_map(|phase| phase.is.keys())),
                );
                let known = known.chain(alert.test.branch.iter().flat_map(|branch| branch.sick.keys()));
                let mut known = known.chain(&alert.needs);
                assert!(known.any(|signal| threshold.bounds.contains_key(signal)), "{}: {name}", alert.name);
            }
        }
    }
}
