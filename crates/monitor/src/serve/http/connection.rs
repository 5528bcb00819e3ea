//! One client: its requests, one after the other, each within its time.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::request::{self, HEAD_BYTES_MAX, Parsed, Request};
use super::response::Response;

/// How long a head may take from its first byte, or from the start of the connection.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the client may take to read an answer.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests: longer than the usual scrape interval.
const IDLE_TIME_MAX: Duration = Duration::from_secs(75);
/// After this time a connection ends with its answer.
const TIME_MAX: Duration = Duration::from_secs(10 * 60);
const REQUESTS_MAX: u32 = 1000;
/// Who still sends while it is refused would lose our answer if we just closed: so much of that is thrown away.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    input: Vec<u8>,
    stage: Stage,
    opened: Instant,
    /// When the present stage began.
    since: Instant,
    /// When the client last took a byte of its answer.
    moved: Instant,
    /// The client will send no more; it may still wait for answers.
    has_said_all: bool,
    requests: u32,
}

#[derive(Debug)]
enum Stage {
    /// Nothing of the next request has come.
    Idle,
    /// Its head comes.
    Reading,
    /// It is there, and somebody makes the answer.
    Waiting(Request),
    /// The answer goes out.
    Writing {
        head: Vec<u8>,
        body: Arc<[u8]>,
        sent: usize,
        then: Then,
    },
    /// The client is told no more; how many bytes of its own were thrown away.
    Draining(usize),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    ReadOn,
    Drain,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, now: Instant) -> Self {
        Self {
            stream,
            input: Vec::new(),
            stage: Stage::Reading,
            opened: now,
            since: now,
            moved: now,
            has_said_all: false,
            requests: 0,
        }
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.stage {
            Stage::Idle | Stage::Reading | Stage::Draining(_) => PollFlags::IN,
            Stage::Writing { .. } => PollFlags::OUT,
            Stage::Waiting(_) | Stage::Closed => PollFlags::empty(),
        }
    }

    /// When it is over, whatever the client does. An answer that we make has limits of its own.
    pub(super) fn due(&self) -> Option<Instant> {
        let most = match self.stage {
            Stage::Idle => IDLE_TIME_MAX,
            Stage::Reading => HEAD_TIME_MAX,
            Stage::Writing { .. } => WRITE_TIME_MAX,
            Stage::Draining(_) => DRAIN_TIME_MAX,
            Stage::Waiting(_) | Stage::Closed => return None,
        };
        Some(self.since + most)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    pub(super) fn close(&mut self) {
        self.stage = Stage::Closed;
    }

    /// Since when this client may give way to others: the longest is the first. Who has just come may be about to ask,
    /// and who reads may be slow.
    pub(super) fn spare_since(&self, now: Instant) -> Option<Instant> {
        const GRACE: Duration = Duration::from_millis(100);
        const STALLED: Duration = Duration::from_secs(1);
        match self.stage {
            Stage::Idle | Stage::Draining(_) => Some(self.since),
            Stage::Reading if now.duration_since(self.since) > GRACE => Some(self.since),
            Stage::Writing { .. } if now.duration_since(self.moved) > STALLED => Some(self.moved),
            _ => None,
        }
    }

    /// The request that waits for its answer.
    pub(super) fn waiting(&self) -> Option<(&Request, Instant)> {
        match &self.stage {
            Stage::Waiting(request) => Some((request, self.since)),
            _ => None,
        }
    }

    /// Goes on as far as it can; `is_host` says whether a client may call us so.
    pub(super) fn go_on(&mut self, ready: PollFlags, now: Instant, is_host: &dyn Fn(&str) -> bool) {
        if ready.intersects(PollFlags::ERR | PollFlags::NVAL) {
            self.close();
        }
        match self.stage {
            Stage::Idle | Stage::Reading => self.read(now, is_host),
            Stage::Writing { .. } => self.write(now, is_host),
            Stage::Draining(_) => self.drain(),
            Stage::Waiting(_) if ready.contains(PollFlags::HUP) => self.close(),
            Stage::Waiting(_) | Stage::Closed => {}
        }
    }

    /// Answers the request that waits.
    pub(super) fn answer(&mut self, response: &Response, now: Instant, is_host: &dyn Fn(&str) -> bool) {
        let Stage::Waiting(request) = &self.stage else { return };
        let is_old = now.duration_since(self.opened) > TIME_MAX || self.requests >= REQUESTS_MAX;
        let keeps_alive = request.keeps_alive && !is_old;
        let body = if request.is_head { Arc::default() } else { Arc::clone(&response.body) };
        let then = if keeps_alive { Then::ReadOn } else { Then::Drain };
        self.begin(response.head(keeps_alive), body, then, now);
        self.write(now, is_host);
    }

    fn begin(&mut self, head: Vec<u8>, body: Arc<[u8]>, then: Then, now: Instant) {
        self.stage = Stage::Writing { head, body, sent: 0, then };
        (self.since, self.moved) = (now, now);
    }

    fn read(&mut self, now: Instant, is_host: &dyn Fn(&str) -> bool) {
        let mut piece = [0; 4096];
        while self.input.len() < HEAD_BYTES_MAX {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.has_said_all = true;
                    break;
                }
                Ok(count) => self.input.extend(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.close(),
            }
        }
        self.parse(now, is_host);
    }

    fn parse(&mut self, now: Instant, is_host: &dyn Fn(&str) -> bool) {
        match request::parse(&self.input, is_host) {
            Parsed::Partial if self.has_said_all => self.close(),
            Parsed::Partial => {
                if matches!(self.stage, Stage::Idle) && !self.input.is_empty() {
                    (self.stage, self.since) = (Stage::Reading, now);
                }
            }
            Parsed::Whole(request, length) => {
                self.input.drain(..length);
                self.requests += 1;
                (self.stage, self.since) = (Stage::Waiting(request), now);
            }
            Parsed::Refused(status, why) => {
                let is_head = self.input.trim_ascii_start().starts_with(b"HEAD ");
                self.input = Vec::new();
                let response = Response::text(status, why);
                let body = if is_head { Arc::default() } else { Arc::clone(&response.body) };
                self.begin(response.head(false), body, Then::Drain, now);
                self.write(now, is_host);
            }
        }
    }

    fn write(&mut self, now: Instant, is_host: &dyn Fn(&str) -> bool) {
        let Stage::Writing { head, body, sent, then } = &mut self.stage else { return };
        loop {
            let of_body = sent.saturating_sub(head.len());
            let left = head.get(*sent..).filter(|left| !left.is_empty()).or_else(|| body.get(of_body..));
            let Some(left) = left.filter(|left| !left.is_empty()) else { break };
            match self.stream.write(left) {
                Ok(count) => (*sent, self.moved) = (*sent + count, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.close(),
            }
        }
        let then = *then;
        self.since = now;
        match then {
            Then::Drain => {
                let _ = self.stream.shutdown(Shutdown::Write);
                self.stage = Stage::Draining(0);
            }
            Then::ReadOn => {
                self.stage = Stage::Idle;
                // The next request may have come with the last one.
                if self.input.is_empty() && !self.has_said_all {
                    self.input = Vec::new();
                } else {
                    self.parse(now, is_host);
                }
            }
        }
    }

    fn drain(&mut self) {
        let mut piece = [0; 4096];
        loop {
            let Stage::Draining(drained) = &mut self.stage else { return };
            match self.stream.read(&mut piece) {
                Ok(count) if count > 0 && *drained < DRAIN_BYTES_MAX => *drained += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return self.close(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_takes_nothing_of_an_answer_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let (now, soon) = (Instant::now(), Duration::from_millis(500));
        let mut connection = Connection::new(stream, now);
        // The request is there: it was sent before this side was looked at.
        let mut head = [0; 64];
        let count = connection.stream.read(&mut head).unwrap();
        connection.stream.set_nonblocking(true).unwrap();
        connection.input.extend(&head[..count]);
        connection.parse(now, &|_| true);
        let response = Response { body: vec![0; 64 << 20].into(), ..Response::text(200, "") };
        connection.answer(&response, now, &|_| true);
        assert!(matches!(connection.stage, Stage::Writing { .. }));
        assert_eq!(connection.spare_since(now + soon), None);
        assert_eq!(connection.spare_since(now + soon * 3), Some(now));
        // It reads on.
        let mut taken = vec![0; 1 << 20];
        while connection.moved == now {
            assert_ne!(client.read(&mut taken).unwrap(), 0);
            connection.go_on(PollFlags::OUT, now + soon * 3, &|_| true);
        }
        assert_eq!(connection.spare_since(now + soon * 4), None);
    }
}
