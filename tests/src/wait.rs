//! Waits where no event tells: by looking again and again.

use std::time::{Duration, Instant};

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks.
const NAP: Duration = Duration::from_millis(5);

/// Looks until it is so.
///
/// # Panics
/// When it is not within a minute; the sentence says what was awaited.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, TIMEOUT, || is_so().then_some(()));
}

/// Looks until there is something, and answers that; `patience` only bounds a test that hangs.
///
/// # Panics
/// When there is nothing in that time.
pub fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "in vain waited until {what}");
        std::thread::sleep(NAP);
    }
}
