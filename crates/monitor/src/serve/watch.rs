//! The way to `watch`: questions and answers, neither of which may keep us waiting.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::MetricValue;
use crate::sample::Sample;
use crate::talk::{self, Answer, Question};

use super::facts::Monitor;
use super::joined::{self, Joined};

/// How long somebody who asks us waits for what `watch` says; then its last word must do.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);
/// A sample is good for so long.
pub(super) const FRESH: Duration = Duration::from_millis(250);

/// What is known by `watch`.
pub(super) struct Watch {
    stream: Option<UnixStream>,
    coming: Vec<u8>,
    going: Vec<u8>,
    /// Since when an answer is due.
    asked: Option<Instant>,
    last: Option<(Box<Sample>, Instant)>,
    /// Descriptors that came with what was said, in their order.
    descriptors: VecDeque<OwnedFd>,
    joined: Vec<Joined>,
}

impl Watch {
    pub(super) fn new(stream: UnixStream) -> Self {
        let stream = stream.set_nonblocking(true).ok().map(|()| stream);
        Self {
            stream,
            coming: Vec::new(),
            going: Vec::new(),
            asked: None,
            last: None,
            descriptors: VecDeque::new(),
            joined: Vec::new(),
        }
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let out = if self.going.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        self.stream.as_ref().map(|stream| (stream.as_fd(), PollFlags::IN | out))
    }

    /// The last sample, and when it came.
    pub(super) fn last(&self) -> Option<(&Sample, Instant)> {
        self.last.as_ref().map(|(sample, at)| (&**sample, *at))
    }

    /// Asks for a sample where the last one is old; whether somebody who began to wait at this moment need not wait any
    /// longer.
    pub(super) fn ask(&mut self, waits_since: Instant, now: Instant) -> bool {
        let is_fresh = self
            .last
            .as_ref()
            .is_some_and(|(sample, at)| now.duration_since(*at) < FRESH || sample.ended.is_some());
        if is_fresh || self.stream.is_none() {
            return true;
        }
        match self.asked {
            None => {
                self.asked = Some(now);
                self.say(&Question::Sample);
                self.stream.is_none()
            }
            // One that has not answered others in time is not waited for again.
            Some(asked) => now.duration_since(asked.min(waits_since)) >= PATIENCE,
        }
    }

    /// How it is.
    pub(super) fn state(&self, now: Instant) -> Monitor {
        match self.asked.filter(|asked| now.duration_since(*asked) >= PATIENCE) {
            _ if self.stream.is_none() => Monitor::Gone,
            Some(_) => Monitor::Late,
            None => Monitor::Answers,
        }
    }

    /// Lets modules go that have ended.
    pub(super) fn forget_ended(&mut self) {
        joined::forget_ended(&mut self.joined);
    }

    /// Modules that share the node's monitor.
    pub(super) fn joined(&self) -> &[Joined] {
        &self.joined
    }

    /// When the patience of those who wait is over.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.asked.map(|asked| asked + PATIENCE).filter(|due| *due > now)
    }

    /// Hands over what the node's own endpoint showed; dropped where the last has not gone yet.
    pub(super) fn hand_over(&mut self, values: Vec<MetricValue>) {
        if self.going.is_empty() {
            self.say(&Question::Scraped(values));
        }
    }

    fn say(&mut self, question: &Question) {
        if let Ok(bytes) = talk::frame(question) {
            self.going.extend(bytes);
            self.write();
        }
    }

    /// Goes on as far as it can.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.write();
        self.read();
        while let Some(answer) = talk::take(&mut self.coming) {
            match answer {
                Ok(Answer::Sample(sample)) => {
                    self.forget_ended();
                    (self.last, self.asked) = (Some((sample, now)), None);
                }
                Ok(Answer::Joined(module)) => {
                    let (pidfd, metrics) = (self.descriptors.pop_front(), self.descriptors.pop_front());
                    if let Some((pidfd, metrics)) = pidfd.zip(metrics) {
                        joined::add(&mut self.joined, &module, pidfd, metrics);
                    }
                }
                Err(_) => self.stream = None,
            }
        }
        if self.coming.is_empty() {
            self.coming = Vec::new();
        }
    }

    fn read(&mut self) {
        let mut piece = [0; 4096];
        while let Some(stream) = &mut self.stream {
            match talk::read_with(stream, &mut piece, &mut self.descriptors) {
                Ok(count @ 1..) => self.coming.extend(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It has gone; what it said last is still to be read.
                Ok(_) | Err(_) => self.stream = None,
            }
        }
    }

    fn write(&mut self) {
        while let Some(stream) = self.stream.as_mut().filter(|_| !self.going.is_empty()) {
            match stream.write(&self.going) {
                Ok(count) => drop(self.going.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Its last words may still lie there: reading finds the end.
                Err(_) => self.going.clear(),
            }
        }
    }
}
