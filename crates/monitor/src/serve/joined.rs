//! Modules that share the node's monitor: what each counts stands on the node's page, with its name as a label.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::watch::kin::has_ended;

use super::own::Own;

/// More than a host has; each holds a mapping.
const JOINED_MAX: usize = 64;

/// One of them.
pub(super) struct Joined {
    /// Its label as it is exposed.
    labels: Vec<u8>,
    own: Own,
    pidfd: OwnedFd,
}

impl Joined {
    /// What it counts into, and its label.
    pub(super) const fn source(&self) -> (&Own, &[u8]) {
        (&self.own, self.labels.as_slice())
    }
}

/// Takes one in. A second of the same name is the first one's next process.
pub(super) fn add(all: &mut Vec<Joined>, module: &str, pidfd: OwnedFd, metrics: OwnedFd) {
    forget_ended(all);
    // The name is one that `watch` has checked: nothing in it needs to be escaped.
    let labels = format!("module=\"{module}\"").into_bytes();
    all.retain(|joined| joined.labels != labels);
    if let Some(own) = Own::new(File::from(metrics)).filter(|_| all.len() < JOINED_MAX) {
        all.push(Joined { labels, own, pidfd });
    }
}

/// Lets those go whose process has ended: a dead module's series must not look alive.
pub(super) fn forget_ended(all: &mut Vec<Joined>) {
    all.retain(|joined| !has_ended(&joined.pidfd, Duration::ZERO));
}
