//! The role's course: wait for whoever speaks first, answer, until nobody needs it any more.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::{Error, hygiene, rest};

use super::Config;
use super::address::Address;
use super::cache::{Cache, Kind};
use super::endpoint::Endpoint;
use super::facts::Facts;
use super::http::negotiate::{Format, takes_gzip};
use super::http::{Request, Response, Server};
use super::node::{About, Node};
use super::own::Own;
use super::pages;
use super::sandbox::{self, Ports};
use super::scrape::{Scraper, Settings};
use super::sign::Sign;
use super::signals::{Asked, Signals, lives};
use super::watch::Watch;

/// How long a death is told where no next life comes.
const LINGER: Duration = Duration::from_secs(60 * 60);
/// How often somebody who tells of a death looks whether the state directory is still there.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// After a stop that was asked for clients get what they wait for, and no more.
const LINGER_STOPPED: Duration = Duration::from_millis(200);
/// When nobody has asked for so long, memory is given back.
const REST_AFTER: Duration = Duration::from_secs(1);
/// A page of the node's own that is older than so many intervals is its page no more.
const STALE_INTERVALS: u32 = 3;

/// Serves until nobody needs it any more.
///
/// # Errors
/// Where there is nothing to serve, or too much could not be given up.
pub fn run(config: Config) -> Result<(), Error> {
    hygiene::stand_apart();
    let signals = Signals::new().map_err(|error| Error::system("cannot wait for signals", error))?;
    let mut role = Role::new(config, signals)?;
    while !role.may_leave(Instant::now()) {
        role.turn()?;
    }
    Ok(())
}

struct Role {
    signals: Signals,
    node: Node,
    about: About,
    watch: Watch,
    server: Option<Server>,
    scraper: Option<Scraper>,
    sign: Sign,
    cache: Cache,
    is_asked_to_leave: bool,
    /// Another `serve` that waits for the address.
    successor: Option<OwnedFd>,
    ended_at: Option<Instant>,
    /// When somebody last asked, where memory was not given back since.
    busy_at: Option<Instant>,
}

impl Role {
    fn new(config: Config, signals: Signals) -> Result<Self, Error> {
        let Config { state_dir, recorder, pidfd, metrics, watch } = config;
        let node = Node::new(recorder, pidfd, metrics);
        let about = node.about();
        let (address, refused) = split(Address::of_environment());
        let (scrape, not_scraped) = split(Settings::of_environment());
        let said = Endpoint {
            node_pid: node.pid,
            node: about.node.clone(),
            app: about.app.clone(),
            serve_pid: std::process::id(),
            wanted: address.as_ref().map(|address| address.socket.to_string()).unwrap_or_default(),
            error: [refused, not_scraped].into_iter().flatten().collect::<Vec<_>>().join("; "),
            ..Endpoint::default()
        };
        let mut role = Self {
            signals,
            node,
            about,
            watch: Watch::new(watch),
            server: address.map(Server::new),
            scraper: None,
            sign: Sign::begin(state_dir.clone(), said),
            cache: Cache::default(),
            is_asked_to_leave: false,
            successor: None,
            ended_at: None,
            busy_at: Some(Instant::now()),
        };
        role.begin();
        let bind = role.server.as_ref().filter(|server| !server.is_bound()).map(Server::port);
        sandbox::confine(&state_dir, Ports { bind, connect: scrape.as_ref().map(|scrape| scrape.port) })?;
        role.scraper = scrape.and_then(|scrape| Scraper::start(scrape).ok());
        Ok(role)
    }

    /// Listens, before anything is asked of a disk; where somebody else does, after that one was asked to leave.
    fn begin(&mut self) {
        self.bind(Instant::now());
        if self.server.as_ref().is_some_and(|server| !server.is_bound()) {
            let is_an_ancestors = self.sign.wait();
            if let Some(server) = &mut self.server {
                server.hurry(is_an_ancestors);
            }
            self.bind(Instant::now());
        }
    }

    /// Listens, where it does not yet, and says so.
    fn bind(&mut self, now: Instant) {
        let Some(bound) = self.server.as_mut().and_then(|server| server.bind(now)) else { return };
        self.sign.say(|said| match bound {
            Ok(address) => (said.address, said.error) = (Some(address.to_string()), String::new()),
            Err(why) => said.error = why,
        });
    }

    /// Whether nobody needs this process any more.
    fn may_leave(&self, now: Instant) -> bool {
        let Some(ended_at) = self.ended_at else {
            // Who serves nothing may have to say why.
            let is_silent = !self.sign.is_read() || self.sign.said().error.is_empty();
            return self.server.is_none() && self.scraper.is_none() && is_silent;
        };
        let is_served = self.server.as_ref().is_some_and(Server::is_bound);
        let is_succeeded = self.successor.as_ref().is_some_and(lives);
        // Whoever removed the state directory has done with the node. The thread that knows answers by the next turn.
        let is_removed = self.sign.is_removed();
        if self.is_asked_to_leave || is_succeeded || !is_served || is_removed {
            return true;
        }
        let ended = self.watch.last().and_then(|(sample, _)| sample.ended.as_ref());
        let was_asked_for = ended.is_some_and(|ended| ended.cause.is_empty());
        let linger = if was_asked_for { LINGER_STOPPED } else { LINGER };
        now.duration_since(ended_at) >= linger
    }

    /// Waits for the next event and does what is to be done.
    fn turn(&mut self) -> Result<(), Error> {
        let ready = self.wait()?;
        let now = Instant::now();
        while let Some(asked) = self.signals.take() {
            match asked {
                Asked::ByManager => self.is_asked_to_leave = true,
                Asked::BySuccessor(serve) => self.successor = Some(serve),
            }
        }
        self.watch.go_on(now);
        self.look_whether_ended(now);
        if let Some(scraper) = &self.scraper
            && let Some(values) = scraper.take_values()
        {
            self.watch.hand_over(values);
        }
        if let Some(server) = &mut self.server {
            server.go_on(&ready, now);
        }
        self.bind(now);
        self.answer(now);
        if self.busy_at.is_some_and(|busy| now.duration_since(busy) >= REST_AFTER) {
            self.busy_at = None;
            self.cache.clear();
            let joined = self.watch.joined().iter().map(|joined| joined.source().0);
            self.node.own().into_iter().chain(joined).for_each(Own::rest);
            rest::give_back();
        }
        Ok(())
    }

    /// Waits; what the server's descriptors are ready for.
    fn wait(&self) -> Result<Vec<PollFlags>, Error> {
        let now = Instant::now();
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN)];
        if self.ended_at.is_none() {
            fds.push(PollFd::from_borrowed_fd(self.node.pidfd().as_fd(), PollFlags::IN));
        }
        fds.extend(self.watch.interest().map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        fds.extend(self.scraper.as_ref().map(|it| PollFd::from_borrowed_fd(it.bell(), PollFlags::IN)));
        let own = fds.len();
        let of_server = self.server.iter().flat_map(|server| server.interests(now));
        fds.extend(of_server.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        let due = [
            self.server.as_ref().and_then(|server| server.due(now)),
            self.watch.due(now),
            self.busy_at.map(|busy| busy + REST_AFTER),
            self.ended_at.map(|ended| ended + LINGER_STOPPED).filter(|due| *due > now),
            self.ended_at.map(|ended| ended + LINGER),
            self.ended_at.map(|_| now + BETWEEN_LOOKS),
        ];
        let timeout = due.into_iter().flatten().min().map(|due| due.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => Ok(fds.iter().skip(own).map(PollFd::revents).collect()),
            Err(Errno::INTR) => Ok(vec![PollFlags::empty(); fds.len().saturating_sub(own)]),
            Err(error) => Err(Error::system("cannot wait for events", error)),
        }
    }

    fn look_whether_ended(&mut self, now: Instant) {
        if self.ended_at.is_some() {
            return;
        }
        let is_told = self.watch.last().is_some_and(|(sample, _)| sample.ended.is_some());
        if is_told {
            // A node that stopped its reporter lives on, for itself.
            self.node.end();
        }
        if self.node.has_ended() {
            self.ended_at = Some(now);
            self.cache.clear();
            self.scraper = None;
            self.sign.say(|said| said.has_ended = true);
        }
    }

    fn answer(&mut self, now: Instant) {
        let Some(mut server) = self.server.take() else { return };
        server.answer(now, |request, since| self.respond(request, since, now));
        self.server = Some(server);
    }

    /// The answer to one request; nothing where what it needs is not there yet.
    fn respond(&mut self, request: &Request, since: Instant, now: Instant) -> Option<Response> {
        let kind = match request.path.as_str() {
            "/metrics" => Kind::Metrics(Format::by(&request.accept)),
            "/health" => Kind::Verdict,
            "/health/checks" => Kind::Checks,
            "/node/metrics" => return Some(self.node_metrics()),
            "/livez" => return Some(Response::text(200, "ok")),
            _ => return Some(Response::text(404, pages::INDEX)),
        };
        let is_packed = matches!(kind, Kind::Metrics(_)) && takes_gzip(&request.accept_encoding);
        if let Some(response) = self.cache.get(kind, is_packed, now) {
            return Some(response);
        }
        if !self.watch.ask(since, now) {
            return None;
        }
        self.busy_at = Some(now);
        if !self.cache.has_room() {
            return Some(Response::text(503, "too many clients do not read what they asked for"));
        }
        let response = self.page(kind, now);
        Some(self.cache.put(kind, is_packed, response, now))
    }

    fn page(&mut self, kind: Kind, now: Instant) -> Response {
        // Whether `watch` works or not.
        self.watch.forget_ended();
        let view = self.node.look();
        let seen = self.scraper.as_ref().map(Scraper::seen);
        let last = self.watch.last();
        let facts = Facts {
            about: &self.about,
            pid: self.node.pid,
            own: self.node.own(),
            joined: self.watch.joined(),
            sample: last.map(|(sample, _)| sample),
            sample_age_seconds: last.map(|(_, at)| now.duration_since(at).as_secs_f64()),
            monitor: self.watch.state(now),
            scraped: seen.as_ref(),
            ..Facts::of(&view)
        };
        match kind {
            Kind::Verdict => pages::verdict(&facts),
            Kind::Checks => pages::checks(&facts),
            Kind::Metrics(format) => Response {
                status: 200,
                content_type: format.content_type().into(),
                headers: "Vary: Accept, Accept-Encoding\r\n".into(),
                body: pages::metrics(&facts, format).into_bytes().into(),
            },
        }
    }

    /// The node's own page, as it was read.
    fn node_metrics(&self) -> Response {
        if self.ended_at.is_some() {
            return Response::text(503, "the node has ended");
        }
        let Some(scraper) = &self.scraper else {
            return Response::text(404, "no endpoint of the node's own is read: set LIFEBOAT_SCRAPE");
        };
        let seen = scraper.seen();
        let oldest = scraper.interval * STALE_INTERVALS;
        match seen.page.filter(|page| page.at.elapsed() <= oldest) {
            Some(page) => Response {
                status: 200,
                content_type: page.content_type,
                headers: format!("Age: {}\r\n", page.at.elapsed().as_secs()),
                body: page.body,
            },
            None if seen.tries == 0 => Response::text(503, "the node's endpoint has not been read yet"),
            None => Response::text(503, &format!("the node's endpoint cannot be read: {}", seen.error)),
        }
    }
}

/// What was asked for, and why it is refused.
fn split<T>(asked: Option<Result<T, String>>) -> (Option<T>, Option<String>) {
    match asked {
        Some(Ok(it)) => (Some(it), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    }
}
