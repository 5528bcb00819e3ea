//! One pass over the spool, and what is remembered between two: which server is to be left alone, how often
//! a report was tried. The order is fewest tries first, so that one bad report holds up no other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::dsn::Dsn;
use crate::envelope::{self, Envelope};
use crate::error::Error;
use crate::post::counts::{self, Counts};
use crate::post::http::{Client, Outcome};
use crate::post::limits;
use crate::spool::{Spool, Stored};

/// A report to which a server that takes others answers 500 so often is the cause of that answer.
const SERVER_ERRORS_MAX: u32 = 10;

/// What is left after a pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// Reports that have a server and have not reached it.
    pub(super) reports: usize,
    /// When the next of them is due.
    pub(super) next: Option<Instant>,
}

/// The spool and what is known of its reports and their servers.
#[derive(Debug)]
pub(super) struct Delivery {
    spool: Spool,
    default_dsn: Option<Dsn>,
    reports: HashMap<Uuid, Report>,
    servers: HashMap<String, Server>,
}

#[derive(Debug, Default)]
struct Report {
    /// `None` where the report stays here: no server is named.
    dsn: Option<Dsn>,
    tries: u32,
    server_errors: u32,
    /// Set where the outcome is known but could not be written down yet: it is not sent again.
    verdict: Option<Verdict>,
}

#[derive(Clone, Debug)]
enum Verdict {
    Sent,
    SetAside(String),
}

#[derive(Debug, Default)]
struct Server {
    failures: u32,
    accepted: u64,
    closed_until: Option<Instant>,
}

impl Delivery {
    /// A DSN that cannot be read counts as none: the reports stay on disk.
    pub(super) fn new(spool: Spool, default_dsn: Option<&str>) -> Self {
        let default_dsn = default_dsn.and_then(|text| Dsn::parse(text).ok());
        Self { spool, default_dsn, reports: HashMap::new(), servers: HashMap::new() }
    }

    /// How many reports have a server and have not reached it.
    pub(super) fn waiting(&mut self) -> Result<usize, Error> {
        let pending = self.look()?;
        Ok(pending.iter().filter(|stored| self.server_of(stored).is_some()).count())
    }

    /// Tries every report whose server is not to be left alone.
    pub(super) fn pass(&mut self) -> Result<Waiting, Error> {
        let pending = self.look()?;
        let mut client = Client::default();
        for stored in &pending {
            self.write_down(stored);
            if self.is_open(stored) {
                self.deliver(&mut client, stored);
            }
        }
        Ok(self.what_waits(&pending))
    }

    /// The pending reports in the order in which they are to be tried; each is known from here on.
    fn look(&mut self) -> Result<Vec<Stored>, Error> {
        let mut pending = self.spool.pending()?;
        self.reports.retain(|id, _| pending.iter().any(|stored| stored.event_id == *id));
        for stored in &pending {
            if !self.reports.contains_key(&stored.event_id)
                && let Some(report) = self.first_look(stored)
            {
                self.reports.insert(stored.event_id, report);
            }
        }
        pending.sort_by_key(|stored| self.reports.get(&stored.event_id).map_or(0, |report| report.tries));
        Ok(pending)
    }

    fn first_look(&self, stored: &Stored) -> Option<Report> {
        let named = envelope::read(&stored.path)
            .and_then(|bytes| Envelope::parse(&bytes)?.dsn().map(Dsn::parse).transpose());
        match named {
            Ok(dsn) => Some(Report { dsn: dsn.or_else(|| self.default_dsn.clone()), ..Report::default() }),
            Err(error) if error.is_malformed() => {
                Some(Report { verdict: Some(Verdict::SetAside(error.to_string())), ..Report::default() })
            }
            // The disk's trouble is not the report's, and may pass: the next look reads it again.
            Err(_) => None,
        }
    }

    fn server_of(&self, stored: &Stored) -> Option<String> {
        let report = self.reports.get(&stored.event_id).filter(|report| report.verdict.is_none())?;
        report.dsn.as_ref().map(Dsn::envelope_url)
    }

    fn is_open(&self, stored: &Stored) -> bool {
        let Some(server) = self.server_of(stored) else { return false };
        let closed_until = self.servers.get(&server).and_then(|server| server.closed_until);
        closed_until.is_none_or(|until| until <= Instant::now())
    }

    fn deliver(&mut self, client: &mut Client, stored: &Stored) {
        let Some(report) = self.reports.get_mut(&stored.event_id) else { return };
        let Some(dsn) = &report.dsn else { return };
        let Ok(bytes) = envelope::read(&stored.path) else { return };
        report.tries = report.tries.saturating_add(1);
        let server = self.servers.entry(dsn.envelope_url()).or_default();
        report.verdict = match client.send(dsn, &bytes) {
            Outcome::Accepted(asked) => {
                server.accept(asked);
                Some(Verdict::Sent)
            }
            Outcome::Refused(words) => Some(Verdict::SetAside(words)),
            Outcome::Later { asked, server_error } => {
                server.close(asked);
                report.server_errors += u32::from(server_error);
                let is_cause = report.server_errors >= SERVER_ERRORS_MAX && server.accepted > 0;
                is_cause.then(|| Verdict::SetAside("the server answered 500 each time".to_owned()))
            }
        };
        self.write_down(stored);
    }

    /// Moves a report whose outcome is known; tried again at the next pass where the disk refuses.
    fn write_down(&mut self, stored: &Stored) {
        let verdict = self.reports.get(&stored.event_id).and_then(|report| report.verdict.clone());
        let (moved, more) = match verdict {
            Some(Verdict::Sent) => {
                (self.spool.mark_sent(&stored.path), Counts { sent: 1, ..Counts::default() })
            }
            Some(Verdict::SetAside(reason)) => {
                let moved = self.spool.set_aside(&stored.path, &reason);
                (moved, Counts { dropped: 1, ..Counts::default() })
            }
            None => return,
        };
        let written = moved.and_then(|()| counts::count(self.spool.state_dir(), more));
        if let Err(error) = written {
            eprintln!("lifeboat-monitor: {error}");
        }
    }

    fn what_waits(&self, pending: &[Stored]) -> Waiting {
        let mut waiting = Waiting::default();
        for server in pending.iter().filter_map(|stored| self.server_of(stored)) {
            waiting.reports += 1;
            let until = self.servers.get(&server).and_then(|server| server.closed_until);
            let due = until.unwrap_or_else(Instant::now);
            waiting.next = Some(waiting.next.map_or(due, |next| next.min(due)));
        }
        waiting
    }
}

impl Server {
    fn accept(&mut self, asked: Option<Duration>) {
        self.failures = 0;
        self.accepted += 1;
        self.closed_until = asked.map(|asked| Instant::now() + asked);
    }

    fn close(&mut self, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let backoff = limits::backoff(self.failures, random());
        self.closed_until = Some(Instant::now() + asked.unwrap_or_default().max(backoff));
    }
}

fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    // Where the kernel has no randomness yet the pause is merely short.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
