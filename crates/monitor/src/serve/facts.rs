//! All that is known when a page is made.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::sample::{Ended, ProcessSample, Sample};

use super::joined::Joined;
use super::node::{About, State, View};
use super::own::Own;
use super::scrape::Seen;

/// What is known is known for so long, seconds.
const SAMPLE_AGE_MAX: f64 = 60.0;

/// How `watch` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Monitor {
    /// It answers in time.
    Answers,
    /// It does not, just now.
    Late,
    /// Nobody is there who could.
    Gone,
}

/// The facts of one moment.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f> {
    pub(super) about: &'f About,
    pub(super) pid: u32,
    pub(super) view: &'f View,
    pub(super) own: Option<&'f Own>,
    /// Modules that share its monitor.
    pub(super) joined: &'f [Joined],
    /// What `watch` said last.
    pub(super) sample: Option<&'f Sample>,
    pub(super) sample_age_seconds: Option<f64>,
    /// How `watch` is.
    pub(super) monitor: Monitor,
    /// The node's own endpoint, where one is read.
    pub(super) scraped: Option<&'f Seen>,
    pub(super) now_seconds: u64,
}

impl<'f> Facts<'f> {
    /// What one look shows; the rest is not known.
    pub(super) fn of(view: &'f View) -> Self {
        static NOBODY: About = About::unknown();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            about: &NOBODY,
            pid: 0,
            view,
            own: None,
            joined: &[],
            sample: None,
            sample_age_seconds: None,
            monitor: Monitor::Answers,
            scraped: None,
            now_seconds: now.as_secs(),
        }
    }

    /// Whether the node lives.
    pub(super) fn is_up(&self) -> bool {
        self.view.state != State::Ended
    }

    /// The sample, as long as what it says of the moment may be taken for true. What it says of the past stays true.
    pub(super) fn fresh(&self) -> Option<&'f Sample> {
        self.sample.filter(|_| self.sample_age_seconds.is_some_and(|age| age < SAMPLE_AGE_MAX))
    }

    /// The node's own process, while it lives.
    pub(super) fn process(&self) -> Option<&'f ProcessSample> {
        let processes = &self.fresh().filter(|_| self.is_up())?.processes;
        processes.iter().find(|process| process.module.is_none())
    }

    /// How it ended.
    pub(super) fn ended(&self) -> Option<&'f Ended> {
        self.sample.and_then(|sample| sample.ended.as_ref())
    }
}
