//! How many handled errors and caught panics become reports: whoever provokes them shall fill no disk and delay no death.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Of one kind, at one place: so many at once, and one more each time this has gone by.
const KIND: Rate = Rate { burst: 8, every: Duration::from_secs(60) };
/// Of all kinds together.
const ALL: Rate = Rate { burst: 40, every: Duration::from_secs(15) };
/// Kinds that are told apart; those beyond share one budget.
const KINDS_MAX: usize = 128;

#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// The budget of one node.
pub(crate) struct Budget {
    all: Bucket,
    kinds: HashMap<u64, Bucket>,
    suppressed: u64,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { all: Bucket::full(ALL, now), kinds: HashMap::new(), suppressed: 0 }
    }

    /// Whether one of this kind may be reported now: how many were not since the last that was.
    pub(crate) fn take(&mut self, kind: u64, now: Instant) -> Option<u64> {
        let kind = if self.kinds.len() < KINDS_MAX || self.kinds.contains_key(&kind) { kind } else { 0 };
        let bucket = self.kinds.entry(kind).or_insert_with(|| Bucket::full(KIND, now));
        if bucket.has(now) && self.all.has(now) {
            bucket.left -= 1;
            self.all.left -= 1;
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed += 1;
        None
    }

    /// One that could not be kept for another reason.
    pub(crate) fn put_back(&mut self, suppressed: u64) {
        self.suppressed += suppressed + 1;
    }
}

struct Bucket {
    rate: Rate,
    left: u32,
    since: Instant,
}

impl Bucket {
    const fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, left: rate.burst, since: now }
    }

    /// Whether anything is left, with what has come since.
    fn has(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since);
        let come = u32::try_from(elapsed.as_nanos() / self.rate.every.as_nanos().max(1)).unwrap_or(u32::MAX);
        if come > 0 {
            self.left = self.left.saturating_add(come).min(self.rate.burst);
            self.since += self.rate.every.saturating_mul(come);
        }
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_leaves_room_for_others() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let reported =
            |budget: &mut Budget, kind, now| (0..1000).filter(|_| budget.take(kind, now).is_some()).count();
        assert_eq!(reported(&mut budget, 1, start), 8);
        assert_eq!(budget.take(2, start), Some(992), "it says how many there were");
        assert_eq!(budget.take(2, start), Some(0));
        assert_eq!(reported(&mut budget, 1, start + Duration::from_secs(59)), 0);
        assert_eq!(reported(&mut budget, 1, start + Duration::from_secs(181)), 3);
    }

    #[test]
    fn a_flood_of_all_kinds_has_an_end() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert_eq!((1..10_000).filter(|kind| budget.take(*kind, start).is_some()).count(), 40);
        let hour = start + Duration::from_secs(3600);
        assert_eq!((1..10_000).filter(|kind| budget.take(*kind, hour).is_some()).count(), 40);
        assert!(budget.kinds.len() <= KINDS_MAX + 1);
    }
}
