//! All clients, and the place where new ones come in.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::connection::Connection;
use super::request::Request;
use super::response::Response;
use crate::serve::address::Address;

/// Most clients at a time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
/// Where no descriptor can be had, the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// An address that another program holds is tried again after so long, and twice that the next time.
const BIND_PAUSE_MIN: Duration = Duration::from_millis(200);
const BIND_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Where it is that of a node that ours descends from, that node's next life is to be quicker.
const BIND_PAUSE_KIN: Duration = Duration::from_secs(30);

/// The server.
#[derive(Debug)]
pub(in crate::serve) struct Server {
    address: Address,
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    /// Until then nobody is let in, or the address is not tried.
    paused_until: Option<Instant>,
    bind_pause: Duration,
    bind_pause_max: Duration,
}

impl Server {
    pub(in crate::serve) const fn new(address: Address) -> Self {
        Self {
            address,
            listener: None,
            connections: Vec::new(),
            paused_until: None,
            bind_pause: BIND_PAUSE_MIN,
            bind_pause_max: BIND_PAUSE_MAX,
        }
    }

    /// Listens, where it does not yet and the time has come; the address, or why there is none.
    pub(in crate::serve) fn bind(&mut self, now: Instant) -> Option<Result<SocketAddr, String>> {
        if self.listener.is_some() || self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        let bound = TcpListener::bind(self.address.socket).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        match bound {
            Ok((address, listener)) => {
                (self.listener, self.paused_until) = (Some(listener), None);
                Some(Ok(address))
            }
            Err(error) => {
                self.paused_until = Some(now + self.bind_pause);
                self.bind_pause = (self.bind_pause * 2).min(self.bind_pause_max);
                Some(Err(format!("cannot listen at {}: {error}; trying again", self.address.socket)))
            }
        }
    }

    /// The address may be free now. That of a node that ours descends from is its next life's first.
    pub(in crate::serve) const fn hurry(&mut self, is_an_ancestors: bool) {
        if is_an_ancestors {
            (self.bind_pause, self.bind_pause_max) = (BIND_PAUSE_KIN, BIND_PAUSE_KIN);
        } else {
            (self.paused_until, self.bind_pause) = (None, BIND_PAUSE_MIN);
        }
    }

    pub(in crate::serve) const fn is_bound(&self) -> bool {
        self.listener.is_some()
    }

    /// What to wait for, in the order in which [`Server::go_on`] wants it back.
    pub(in crate::serve) fn interests(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let has_room = self.connections.len() < CONNECTIONS_MAX || self.spare(now).is_some();
        let is_open = has_room && self.paused_until.is_none_or(|until| until <= now);
        let listener = self.listener.as_ref().filter(|_| is_open);
        let listener = listener.map(|listener| (listener.as_fd(), PollFlags::IN));
        let clients = self.connections.iter().map(|it| (it.stream.as_fd(), it.interest()));
        clients.chain(listener)
    }

    /// Until when to wait at most.
    pub(in crate::serve) fn due(&self, now: Instant) -> Option<Instant> {
        let clients = self.connections.iter().filter_map(Connection::due);
        // Somebody may have to give way soon, with others waiting at the door.
        let is_full = self.connections.len() >= CONNECTIONS_MAX;
        let door = is_full.then(|| now + ACCEPT_PAUSE);
        clients.chain(self.paused_until).chain(door).min()
    }

    /// The port that was asked for.
    pub(in crate::serve) const fn port(&self) -> u16 {
        self.address.socket.port()
    }

    /// Serves who is ready.
    pub(in crate::serve) fn go_on(&mut self, ready: &[PollFlags], now: Instant) {
        let address = &self.address;
        let is_host = |host: &str| address.is_host(host);
        let count = self.connections.len();
        for (connection, ready) in self.connections.iter_mut().zip(ready) {
            if !ready.is_empty() {
                connection.go_on(*ready, now, &is_host);
            }
            if connection.due().is_some_and(|due| due <= now) {
                connection.close();
            }
        }
        if self.listener.is_some() && self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        self.connections.retain(|connection| !connection.is_closed());
        if ready.get(count).is_some_and(|listener| !listener.is_empty()) {
            self.accept(now);
        }
    }

    /// Answers those who wait; `answer` says nothing where the answer is not there yet.
    pub(in crate::serve) fn answer(
        &mut self,
        now: Instant,
        mut answer: impl FnMut(&Request, Instant) -> Option<Response>,
    ) {
        let address = &self.address;
        let is_host = |host: &str| address.is_host(host);
        for connection in &mut self.connections {
            // A client may have sent its next request already.
            while let Some((request, since)) = connection.waiting() {
                let Some(response) = answer(request, since) else { break };
                connection.answer(&response, now, &is_host);
            }
        }
        self.connections.retain(|connection| !connection.is_closed());
    }

    fn accept(&mut self, now: Instant) {
        loop {
            if self.connections.len() >= CONNECTIONS_MAX {
                let Some(spare) = self.spare(now) else { return };
                self.connections.swap_remove(spare);
            }
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    if stream.set_nonblocking(true).is_ok() {
                        let mut connection = Connection::new(stream, now);
                        let address = &self.address;
                        // The request has mostly come by now.
                        connection.go_on(PollFlags::IN, now, &|host| address.is_host(host));
                        self.connections.push(connection);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.paused_until = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    /// Who has been owed nothing for longest.
    fn spare(&self, now: Instant) -> Option<usize> {
        let spare = self.connections.iter().enumerate();
        let spare = spare.filter_map(|(index, connection)| Some((connection.spare_since(now)?, index)));
        spare.min().map(|(_, index)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_is_tried_every_two_seconds() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::of_socket(taken.local_addr().unwrap());
        let (mut server, mut now) = (Server::new(address), Instant::now());
        for _ in 0..10 {
            assert!(server.bind(now).is_some_and(|bound| bound.is_err()));
            let due = server.due(now).unwrap();
            assert!(due > now && due <= now + Duration::from_secs(2));
            now = due;
        }
        drop(taken);
        assert!(server.bind(now).is_some_and(|bound| bound.is_ok()));
    }
}
