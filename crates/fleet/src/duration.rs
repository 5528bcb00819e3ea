//! Durations as Prometheus writes them: `15s`, `1m30s`, `2h`, `7d`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units, the largest first, and the milliseconds that each has.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Milliseconds.
    pub ms: u64,
}

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { ms: seconds.saturating_mul(1_000) }
    }

    /// In seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "durations of rules are small")]
    pub fn seconds(self) -> f64 {
        self.ms as f64 / 1_000.0
    }

    /// Together with another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { ms: self.ms.saturating_add(other.ms) }
    }

    /// Without another; nothing where that is longer.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self { ms: self.ms.saturating_sub(other.ms) }
    }

    /// The n-th part, at least a millisecond where there was any.
    #[must_use]
    pub fn divided(self, by: u64) -> Self {
        let least = u64::from(self.ms > 0);
        Self { ms: (self.ms / by.max(1)).max(least) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ms == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.ms;
        // Weeks and years are not used for writing: nobody reads `2w1d` as 15d.
        for (unit, of_unit) in UNITS.iter().skip(2) {
            if rest >= *of_unit {
                write!(formatter, "{}{unit}", rest / of_unit)?;
                rest %= of_unit;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no duration: write it as 15s, 1m30s, 2h or 7d");
        let mut rest = text;
        let mut ms: u64 = 0;
        let mut units = UNITS.iter();
        if rest.is_empty() {
            return Err(refused());
        }
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(refused)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            // Each unit once, the largest first, as Prometheus wants it.
            let (_, of_unit) = units.find(|(name, _)| *name == unit).ok_or_else(refused)?;
            let number: u64 = number.parse().map_err(|_| refused())?;
            ms = number.checked_mul(*of_unit).and_then(|more| ms.checked_add(more)).ok_or_else(refused)?;
            rest = tail;
        }
        Ok(Self { ms })
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
