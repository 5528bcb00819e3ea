//! How the numbers of a node that is well move, so that graphs live.

use crate::profile::Signal;

/// A sway of this many seconds comes back to where it began.
const PERIOD: f64 = 97.0;

/// How a healthy number moves. It stays so near that no rule takes it for an illness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sway {
    /// Not at all.
    Still,
    /// By this share of itself.
    Share(f64),
    /// By a thousandth, in whole steps.
    Size,
    /// By one, in whole steps.
    One,
}

impl Sway {
    /// How a signal moves: by its unit, since a state or a limit stands still.
    pub(super) fn of(name: &str, signal: &Signal) -> Self {
        let is_limit = name.contains("max");
        let is_many = (10.0..1000.0).contains(&signal.healthy);
        match signal.unit.as_str() {
            "cps" | "mps" | "reqps" | "Bps" => Self::Share(0.03),
            "bytes" if !is_limit => Self::Size,
            "short" if is_many && !is_limit => Self::One,
            _ => Self::Still,
        }
    }

    /// The number at this time; nodes and signals differ in their `phase`.
    pub(super) fn at(self, healthy: f64, seconds: f64, phase: u32) -> f64 {
        // Two waves, so that no node repeats itself soon.
        let angle = seconds / PERIOD * std::f64::consts::TAU + f64::from(phase % 1000);
        let point = (angle.sin() + (angle * 0.37).sin()) / 2.0;
        match self {
            Self::Still => healthy,
            Self::Share(share) => healthy * (1.0 + share * point),
            Self::Size => (healthy * (1.0 + 0.001 * point)).round(),
            Self::One => (healthy + point).round(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sway;
    use crate::hash::fnv1a;

    #[test]
    fn it_stays_near_and_is_the_same_again() {
        for second in 0..1000 {
            let at = |sway: Sway| sway.at(100.0, f64::from(second), fnv1a("a node"));
            assert!((at(Sway::Share(0.03)) - 100.0).abs() <= 3.0);
            assert!((at(Sway::Size) - 100.0).abs() <= 1.0);
            assert!((at(Sway::One) - 100.0).abs() <= 1.0);
            assert_eq!(at(Sway::Still), 100.0);
            assert_eq!(at(Sway::One), at(Sway::One));
        }
    }
}
