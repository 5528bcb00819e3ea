//! The server: is the DSN one, and does its host answer? Nothing is sent.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use lifeboat_monitor::dsn::Dsn;

use crate::doctor::Finding;

const CHECK: &str = "server";
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub(super) fn check(offline: bool) -> Finding {
    let Some(text) = std::env::var("SENTRY_DSN").ok().filter(|text| !text.is_empty()) else {
        return Finding::fine(CHECK, "SENTRY_DSN is not set: reports stay in the state directory");
    };
    let dsn = match Dsn::parse(&text) {
        Ok(dsn) => dsn,
        Err(error) => return Finding::failed(CHECK, error.to_string(), "correct SENTRY_DSN"),
    };
    let server = format!("{}, project {}", dsn.server(), dsn.project());
    if offline {
        return Finding::fine(CHECK, format!("{server}; not connected (--offline)"));
    }
    if let Some(proxy) = proxy(dsn.is_https()) {
        return Finding::warning(
            CHECK,
            format!("{server}; not connected: {proxy} is set"),
            "the way through a proxy is tried when the first report is sent",
        );
    }
    let (host, port) = dsn.address();
    match resolve(host, port).and_then(|addresses| connect(&addresses)) {
        Ok(address) => Finding::fine(CHECK, format!("{server} answers at {address}")),
        Err(reason) => Finding::failed(
            CHECK,
            format!("{server}: {reason}"),
            "check name, network and firewall; until then reports wait on disk",
        ),
    }
}

fn proxy(is_https: bool) -> Option<&'static str> {
    let names = if is_https { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    names
        .into_iter()
        .chain(["ALL_PROXY", "all_proxy"])
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The C library bounds its time only loosely: the thread that asks may be left behind.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    std::thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody listens any more when it took too long.
        let _ = sender.send(found);
    });
    match receiver.recv_timeout(ANSWER_MAX) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(format!("{host} has no address")),
        Ok(Err(error)) => Err(format!("{host} cannot be resolved: {error}")),
        Err(_) => Err(format!("{host} was not resolved within 5 s")),
    }
}

fn connect(addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
    let mut reason = String::new();
    for address in addresses.iter().take(4) {
        match TcpStream::connect_timeout(address, ANSWER_MAX) {
            Ok(_) => return Ok(*address),
            Err(error) => reason = format!("{address}: {error}"),
        }
    }
    Err(reason)
}
