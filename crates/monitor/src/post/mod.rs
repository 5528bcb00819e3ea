//! Delivers what lies in the spool: one process for each state directory, which may trace nobody.
//!
//! It may be killed at any moment: a report leaves the spool only once a server took or refused it, and a
//! server that sees the same event id twice counts it once. SIGTERM therefore simply ends it.

mod config;
mod counts;
mod delivery;
mod http;
mod limits;
mod sandbox;
mod wake;

use std::time::Duration;

pub use config::{Config, DSN_VARIABLE};
pub(crate) use counts::{Counts, counts};
pub use sandbox::{Confinement, confine};

use crate::error::Error;
use crate::lock::{Lock, Role};
use crate::rest;
use crate::spool::Spool;
use delivery::{Delivery, Waiting};
use wake::Wake;

/// There is one post for each state directory.
const LOCK: &str = "post.lock";
/// How long reports for an unreachable server are tried after the last process that is served has ended.
const LINGER: Duration = Duration::from_secs(60 * 60);

/// Delivers until nobody is left to serve and nothing is left to send. Where another post already works in
/// this state directory it leaves at once, or asks the other to leave (`Config::take_over`).
///
/// # Errors
/// When the state directory cannot be used.
pub fn run(config: Config) -> Result<(), Error> {
    wake::default_signals();
    let spool = Spool::open(&config.state_dir)?;
    let path = config.state_dir.join(LOCK);
    let Some(lock) = Lock::acquire(path, Role::Post, config.take_over)? else { return Ok(()) };
    let mut wake = Wake::new(&spool, config.serves)?;
    confine(&config.state_dir)?;
    let mut delivery = Delivery::new(spool, config.dsn.as_deref());
    loop {
        serve(&mut delivery, &mut wake)?;
        // A report stored a moment ago came with a post that saw this lock and left: look once more without it.
        lock.release()?;
        if delivery.waiting()? == 0 || wake.lingered() >= LINGER || !lock.try_again()? {
            return Ok(());
        }
    }
}

fn serve(delivery: &mut Delivery, wake: &mut Wake) -> Result<(), Error> {
    loop {
        let waiting = delivery.pass()?;
        if may_leave(&waiting, wake.all_ended(), wake.lingered()) {
            return Ok(());
        }
        rest::give_back();
        wake.wait(waiting.next)?;
    }
}

fn may_leave(waiting: &Waiting, all_ended: bool, lingered: Duration) -> bool {
    all_ended && (waiting.reports == 0 || lingered >= LINGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_while_somebody_lives_or_something_waits_but_not_for_ever() {
        let waiting = |reports| Waiting { reports, next: None };
        let cases = [
            (0, false, 0, false),
            (3, false, 0, false),
            (0, true, 0, true),
            (3, true, 10, false),
            (3, true, 3600, true),
        ];
        for (reports, ended, seconds, leaves) in cases {
            let answer = may_leave(&waiting(reports), ended, Duration::from_secs(seconds));
            assert_eq!(answer, leaves, "{reports} {ended} {seconds}");
        }
    }
}
