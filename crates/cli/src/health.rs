//! `lifeboat health`: asks the monitor beside a running node how that node is, as a container's health check does.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lifeboat_monitor::serve::{Endpoint, METRICS_VARIABLE};
use serde_json::Value;

use crate::clean;
use crate::output::{self, Failure};
use crate::{served, state};

/// More than any answer has.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
const NOT_SERVED: &str =
    "nothing serves a node's health here: is the node running, with LIFEBOAT_METRICS set?";

/// What was asked for.
pub(crate) struct Wish {
    pub(crate) address: Option<String>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

/// Somebody to ask.
struct Node {
    name: String,
    /// Where; else why nowhere.
    address: Result<SocketAddr, String>,
}

/// One answer.
struct Answer {
    status: u16,
    document: Value,
}

/// Asks every node that is served here; all must be well.
pub(crate) fn run(wish: &Wish) -> Result<(), Failure> {
    let mut sick = Vec::new();
    for node in nodes(wish)? {
        let path = if wish.json { "/health/checks" } else { "/health" };
        let asked = node.address.clone().and_then(|address| ask(address, path, wish.timeout));
        let called = |what: &str| {
            if node.name.is_empty() { what.to_owned() } else { format!("{}: {what}", node.name) }
        };
        match asked {
            Ok(answer) => {
                if wish.json {
                    output::print(&format!("{}\n", answer.document))?;
                }
                let verdict = answer.verdict();
                if answer.status != 200 {
                    sick.push(called(&verdict));
                } else if !wish.json {
                    output::print(&format!("{}\n", clean::line(&called(&verdict))))?;
                }
            }
            Err(why) => sick.push(called(&explained(wish, &node).unwrap_or(why))),
        }
    }
    if sick.is_empty() { Ok(()) } else { Err(Failure::no(sick.join("; "))) }
}

/// Why nobody answered, where the state directory knows.
fn explained(wish: &Wish, node: &Node) -> Option<String> {
    let state_dir = wish.state_dir.clone().or_else(|| state::default_directory().ok())?;
    served::silence(&state_dir, *node.address.as_ref().ok()?, resolve)
}

/// Named, or as the node's own environment says, or as its monitor wrote it down.
fn nodes(wish: &Wish) -> Result<Vec<Node>, Failure> {
    let set = std::env::var(METRICS_VARIABLE).ok().filter(|value| !value.trim().is_empty());
    let one = |address| Ok(vec![Node { name: String::new(), address: Ok(address) }]);
    if let Some(named) = &wish.address {
        return one(resolve(named).map_err(Failure::usage)?);
    }
    // Port 0 is whichever was free: only the monitor knows.
    let told = set.filter(|_| wish.state_dir.is_none()).and_then(|text| resolve(&text).ok());
    if let Some(address) = told.filter(|address| address.port() != 0) {
        return one(address);
    }
    let state_dir = wish.state_dir.clone().map_or_else(state::default_directory, Ok)?;
    let served = Endpoint::all(&state_dir);
    let told: Vec<&Endpoint> = served
        .iter()
        .enumerate()
        .filter(|(at, it)| !has_next_life(&served, *at, it))
        .map(|(_, it)| it)
        .collect();
    let left_behind = served::left_behind(&state_dir);
    if told.is_empty() && left_behind.is_empty() {
        return Err(Failure::no(format!("{NOT_SERVED} ({})", state_dir.display())));
    }
    let is_one = told.len() + left_behind.len() == 1;
    let named = |endpoint: &Endpoint| match endpoint.node.as_str() {
        _ if is_one => String::new(),
        "" => format!("process {}", endpoint.node_pid),
        name => name.to_owned(),
    };
    let asked = told.into_iter().map(|endpoint| {
        let address = endpoint.address.clone().ok_or_else(|| endpoint.error.clone());
        Node { name: named(endpoint), address: address.and_then(|address| resolve(&address)) }
    });
    let silent = left_behind
        .iter()
        .map(|endpoint| Node { name: named(endpoint), address: Err(served::gone(endpoint)) });
    Ok(asked.chain(silent).collect())
}

/// Whether this one has ended and lives again: by its name, else as the same program in the same place. The last to start
/// stand first.
fn has_next_life(served: &[Endpoint], at: usize, dead: &Endpoint) -> bool {
    let is_next = |(other_at, other): (usize, &Endpoint)| match dead.node.as_str() {
        _ if other.has_ended => false,
        "" => {
            let is_same = other.node.is_empty() && other.app == dead.app && other.wanted == dead.wanted;
            is_same && other_at < at
        }
        name => other.node == name,
    };
    dead.has_ended && served.iter().enumerate().any(is_next)
}

/// `127.0.0.1:9464`, `localhost:9464`, `:9464`, `9464`, or another host's name and port.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is no address: write 127.0.0.1:9464 or 9464");
    let found = match text.strip_prefix(':').unwrap_or(text).parse() {
        Ok(port) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        Err(_) => text.to_socket_addrs().ok().and_then(|mut all| all.next()).ok_or_else(wrong)?,
    };
    // Who listens everywhere is reached here.
    let loopback =
        if found.is_ipv6() { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    let ip = if found.ip().is_unspecified() { loopback } else { found.ip() };
    Ok(SocketAddr::new(ip, found.port()))
}

fn ask(address: SocketAddr, path: &str, timeout: Duration) -> Result<Answer, String> {
    let deadline = Instant::now() + timeout;
    let bytes = exchange(address, path, deadline).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("{address} did not answer within {} s", timeout.as_secs_f64())
        }
        ErrorKind::ConnectionRefused => format!("nobody listens at {address}: is the node running?"),
        _ => format!("{address} cannot be asked: {error}"),
    })?;
    parse(&bytes).ok_or_else(|| format!("{address} answers, but not as Lifeboat does"))
}

fn exchange(address: SocketAddr, path: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    let left = || Some(deadline.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    let timed_out = || io::Error::from(ErrorKind::TimedOut);
    let mut stream = TcpStream::connect_timeout(&address, left().ok_or_else(timed_out)?)?;
    stream.set_write_timeout(Some(left().ok_or_else(timed_out)?))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        stream.set_read_timeout(Some(left().ok_or_else(timed_out)?))?;
        let count = match stream.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        answer.extend(chunk.iter().take(count));
        if is_whole(&answer) {
            return Ok(answer);
        }
        if answer.len() as u64 > ANSWER_BYTES_MAX {
            return Err(io::Error::other("its answer is too long"));
        }
    }
}

/// Whether as much has come as was announced.
fn is_whole(answer: &[u8]) -> bool {
    let Some((head, body)) = split(answer) else { return false };
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let is_length = name.trim().eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    length.is_some_and(|length| body.len() >= length)
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let (head, body) = split(answer)?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let document: Value = serde_json::from_slice(body).ok()?;
    // Any other program may serve something at this port.
    document.get("status")?.as_str()?;
    matches!(status, 200 | 503).then_some(Answer { status, document })
}

fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer.windows(END.len()).position(|window| window == END)?;
    Some((std::str::from_utf8(answer.get(..at)?).ok()?, answer.get(at + END.len()..)?))
}

impl Answer {
    /// `ok`, or the state with its reason.
    fn verdict(&self) -> String {
        let text = |key: &str| self.document.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("reason") {
            "" => text("status").to_owned(),
            reason => format!("{}: {reason}", text("status")),
        }
    }
}
