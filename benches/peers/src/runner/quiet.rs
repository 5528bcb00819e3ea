//! Waits for a moment in which the machine has nothing else to do, and says whether there was one.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Over this long the processors are watched; also the pause between runs, so that no death weighs on the next.
const LOOK: Duration = Duration::from_millis(50);
/// Busier than this, the machine is not quiet.
const BUSY_SHARE_MAX: f64 = 0.2;
/// For one moment.
const WAIT: Duration = Duration::from_secs(3);
/// For all of them: on a machine that is never quiet the comparison still comes to an end.
const WAIT_IN_ALL: Duration = Duration::from_secs(300);

/// How often a moment was found.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    waited: Duration,
    pub(crate) moments: u32,
    pub(crate) busy: u32,
}

impl Quiet {
    /// Returns at a quiet moment, or when it has waited long enough.
    pub(crate) fn wait(&mut self) {
        let begin = Instant::now();
        self.moments += 1;
        while is_busy() {
            if begin.elapsed() > WAIT || self.waited + begin.elapsed() > WAIT_IN_ALL {
                self.busy += 1;
                break;
            }
        }
        self.waited += begin.elapsed();
    }
}

fn is_busy() -> bool {
    let before = ticks();
    sleep(LOOK);
    let after = ticks();
    let [all, idle] = [after.0.saturating_sub(before.0), after.1.saturating_sub(before.1)];
    all.saturating_sub(idle) as f64 > all as f64 * BUSY_SHARE_MAX
}

/// All ticks of all processors, and those without work. See
/// <https://man7.org/linux/man-pages/man5/proc_stat.5.html>.
fn ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let figures: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // The last two are parts of the first two.
    let all = figures.iter().take(8).sum();
    (all, figures.iter().skip(3).take(2).sum())
}
