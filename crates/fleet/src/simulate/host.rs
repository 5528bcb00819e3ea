//! Lets simulated nodes be asked, and takes what they are told: one thread, which waits until somebody wants something.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::door::{Behind, Door, loopback};
use super::http::{Heard, Request, answer, hear};
use super::world::{Obeyed, World};

/// Who is asked takes no more at once; the others wait at the door.
const GUESTS_MAX: usize = 512;
/// Nobody stays longer: a scraper has given up by then.
const STAY: Duration = Duration::from_secs(60);
/// Between two looks for those who stay too long.
const SWEEP: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// No line is longer.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Who listens for a [`World`].
#[derive(Debug)]
pub struct Host {
    world: World,
    doors: Vec<Door>,
    guests: Vec<Guest>,
    is_over: bool,
}

/// Who has come in.
#[derive(Debug)]
struct Guest {
    stream: TcpStream,
    door: usize,
    since: Instant,
    said: Vec<u8>,
    /// What is still to be said to him; none until he has asked.
    answer: Option<Vec<u8>>,
    /// Asked somebody who hangs.
    is_held: bool,
}

impl Host {
    /// Opens every door: those of the nodes, that of commands, and that of the blackbox exporter where the simulation is to
    /// stand for it.
    ///
    /// # Errors
    /// Where an address is not this machine's own, or somebody listens there.
    pub fn open(world: World, control: Option<&str>, is_blackbox: bool) -> Result<Self, String> {
        let mut doors: Vec<Door> = Vec::new();
        for (number, node) in world.nodes.iter().enumerate() {
            for (name, endpoint) in &node.endpoints {
                let address =
                    loopback(&endpoint.address).ok_or_else(|| far(&node.name, &endpoint.address))?;
                let of = (number, name.clone());
                match doors.iter_mut().find(|door| door.address == address) {
                    Some(Door { behind: Behind::Nodes(all), .. }) => all.push(of),
                    _ => doors.push(Door::new(address, Behind::Nodes(vec![of]))),
                }
            }
        }
        if let Some(control) = control {
            let address = loopback(control).ok_or_else(|| far("control", control))?;
            doors.push(Door::new(address, Behind::Control));
        }
        if is_blackbox {
            let blackbox = &world.inventory.engines.blackbox.address;
            let address = loopback(blackbox).ok_or_else(|| far("[blackbox]", blackbox))?;
            doors.push(Door::new(address, Behind::Blackbox));
        }
        doors.iter_mut().try_for_each(|door| door.follow(&world))?;
        Ok(Self { world, doors, guests: Vec::new(), is_over: false })
    }

    /// Where commands are taken.
    #[must_use]
    pub fn control(&self) -> Option<String> {
        let door = self.doors.iter().find(|door| door.behind == Behind::Control);
        door.map(|door| door.address.to_string())
    }

    /// How many nodes there are, and at how many addresses.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.world.nodes.len(), self.doors.len())
    }

    /// Serves until it is told to quit. What each line of `commands` led to is said by `say`; their end ends nothing.
    ///
    /// # Errors
    /// Where the system will not wait.
    pub fn serve(&mut self, commands: BorrowedFd<'_>, mut say: impl FnMut(&str)) -> io::Result<()> {
        let mut line: Option<Vec<u8>> = Some(Vec::new());
        while !self.is_over {
            let ready = self.wait(line.is_some().then_some(commands))?;
            if ready.commands
                && let Some(waiting) = &mut line
            {
                let mut piece = [0; 4096];
                let count = rustix::io::read(commands, &mut piece).unwrap_or(0);
                waiting.extend(piece.iter().take(count));
                let is_end = count == 0 || waiting.len() > LINE_BYTES_MAX;
                for text in lines(waiting) {
                    say(&self.hear_line(&text));
                }
                if is_end {
                    line = None;
                }
            }
            ready.guests.iter().for_each(|number| self.attend(*number));
            ready.doors.iter().for_each(|number| self.let_in(*number));
            self.guests.retain(|guest| !guest.is_done() && guest.since.elapsed() < STAY);
        }
        Ok(())
    }

    fn wait(&self, commands: Option<BorrowedFd<'_>>) -> io::Result<Ready> {
        let mut what = Vec::new();
        let mut events: Vec<PollFd<'_>> = Vec::new();
        if let Some(commands) = &commands {
            what.push(Who::Commands);
            events.push(PollFd::new(commands, PollFlags::IN));
        }
        for (number, guest) in self.guests.iter().enumerate() {
            let wants = if guest.answer.is_some() { PollFlags::OUT } else { PollFlags::IN };
            what.push(Who::Guest(number));
            events.push(PollFd::from_borrowed_fd(guest.stream.as_fd(), wants));
        }
        let has_room = self.guests.len() < GUESTS_MAX;
        for (number, door) in self.doors.iter().enumerate().filter(|_| has_room) {
            if let Some(listener) = &door.listener {
                what.push(Who::Door(number));
                events.push(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN));
            }
        }
        match poll(&mut events, Some(&SWEEP)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = Ready::default();
        for (who, event) in what.iter().zip(&events).filter(|(_, event)| !event.revents().is_empty()) {
            match who {
                Who::Commands => ready.commands = !event.revents().contains(PollFlags::NVAL),
                Who::Guest(number) => ready.guests.push(*number),
                Who::Door(number) => ready.doors.push(*number),
            }
        }
        Ok(ready)
    }

    fn let_in(&mut self, door: usize) {
        let Some(listener) = self.doors.get(door).and_then(|door| door.listener.as_ref()) else { return };
        // Who has gone meanwhile needs nothing.
        let Ok((stream, _)) = listener.accept() else { return };
        if stream.set_nonblocking(true).is_ok() {
            let since = Instant::now();
            self.guests.push(Guest { stream, door, since, said: Vec::new(), answer: None, is_held: false });
        }
    }

    fn attend(&mut self, number: usize) {
        let Some(guest) = self.guests.get_mut(number) else { return };
        if guest.answer.is_some() {
            guest.tell();
            return;
        }
        guest.listen();
        if guest.is_held || guest.answer.is_some() {
            return;
        }
        let (heard, door) = (hear(&guest.said), guest.door);
        let said = match heard {
            Heard::More => return,
            Heard::Nonsense => Some(answer("400 Bad Request", TEXT, "this is no request\n")),
            Heard::Request(request) => self.respond(door, &request),
        };
        let Some(guest) = self.guests.get_mut(number) else { return };
        guest.is_held = said.is_none();
        guest.answer = said;
        guest.tell();
    }

    /// What is answered; nothing by who hangs.
    fn respond(&mut self, door: usize, request: &Request) -> Option<Vec<u8>> {
        let behind = self.doors.get(door)?.behind.clone();
        match behind {
            Behind::Nodes(of) => self.world.asked(&of, request, now()),
            Behind::Blackbox => Some(self.world.probed(request, now())),
            Behind::Control => Some(self.controlled(request)),
        }
    }

    fn controlled(&mut self, request: &Request) -> Vec<u8> {
        // A page of the web could send a person's browser here.
        if request.is_of_a_page {
            return answer("403 Forbidden", TEXT, "this is for programs\n");
        }
        match request.method.as_str() {
            "GET" => answer("200 OK", "application/json", &self.hear_line("tell *")),
            "POST" => {
                let said: Vec<String> = request.body.lines().map(|line| self.hear_line(line)).collect();
                let has_failed = said.iter().any(|line| line.starts_with("no: "));
                let status = if has_failed { "400 Bad Request" } else { "200 OK" };
                answer(status, TEXT, &(said.join("\n") + "\n"))
            }
            _ => answer("405 Method Not Allowed", TEXT, "GET tells what there is, POST takes commands\n"),
        }
    }

    /// Does what a line says, and answers what came of it.
    fn hear_line(&mut self, line: &str) -> String {
        let said = match self.world.obey(line, now()) {
            Ok(Obeyed::Quit) => {
                self.is_over = true;
                Ok("ok".to_owned())
            }
            Ok(Obeyed::Done(said)) => Ok(said),
            Err(error) => Err(error),
        };
        let followed: Result<(), String> =
            self.doors.iter_mut().try_for_each(|door| door.follow(&self.world));
        match said.and_then(|said| followed.map(|()| said)) {
            Ok(said) => said,
            Err(error) => format!("no: {error}"),
        }
    }
}

impl Guest {
    fn listen(&mut self) {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => self.answer = Some(Vec::new()),
            Ok(count) => self.said.extend(piece.iter().take(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.answer = Some(Vec::new()),
        }
    }

    fn tell(&mut self) {
        let Some(rest) = &mut self.answer else { return };
        match self.stream.write(rest) {
            Ok(count) => drop(rest.drain(..count.min(rest.len()))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => rest.clear(),
        }
    }

    fn is_done(&self) -> bool {
        self.answer.as_ref().is_some_and(Vec::is_empty)
    }
}

#[derive(Default)]
struct Ready {
    commands: bool,
    guests: Vec<usize>,
    doors: Vec<usize>,
}

enum Who {
    Commands,
    Guest(usize),
    Door(usize),
}

const TEXT: &str = "text/plain; charset=utf-8";

/// Takes the whole lines out of what came.
fn lines(waiting: &mut Vec<u8>) -> Vec<String> {
    let end = waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole: Vec<u8> = waiting.drain(..end).collect();
    let text = String::from_utf8_lossy(&whole).into_owned();
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn far(who: &str, address: &str) -> String {
    format!(
        "{who} would listen at {address}: a simulated fleet has addresses of this machine alone, such as 127.0.1.1"
    )
}
