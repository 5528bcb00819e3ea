//! The address of metrics and health: may it be listened at, and does anybody hold it? And what those who serve say.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use lifeboat_monitor::serve::{Address, Endpoint, METRICS_VARIABLE};

use crate::doctor::Finding;

const CHECK: &str = "metrics";

pub(super) fn check(state_dir: &Path) -> Finding {
    let served = Endpoint::all(state_dir);
    let address = match Address::of_environment() {
        Some(Ok(address)) => Some(address.socket),
        // The sentence names the remedy.
        Some(Err(why)) => return Finding::failed(CHECK, why, ""),
        None => None,
    };
    if let Some(troubled) = served.iter().find(|endpoint| !endpoint.error.is_empty()) {
        let detail = format!("process {}: {}", troubled.node_pid, troubled.error);
        return Finding::warning(
            CHECK,
            detail,
            "name another address, or end the program that holds this one",
        );
    }
    let places: Vec<_> = served.iter().filter_map(place).collect();
    let Some(address) = address else {
        return Finding::fine(
            CHECK,
            match places.is_empty() {
                true => format!("off in this environment: {METRICS_VARIABLE} is not set"),
                false => format!("served for {}", places.join("; for ")),
            },
        );
    };
    let named = address.to_string();
    if served.iter().any(|endpoint| endpoint.address.as_ref() == Some(&named)) {
        return Finding::fine(CHECK, format!("served for {}", places.join("; for ")));
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::fine(CHECK, format!("{named} is free")),
        Err(error) => {
            let held = match (error.kind(), holder(&served, address)) {
                (ErrorKind::AddrInUse, Some(holder)) => format!(": it is held by the server of {holder}"),
                (ErrorKind::AddrInUse, None) => {
                    "; the Lifeboat of a node with another state directory may stay there for up to an hour after its death"
                        .to_owned()
                }
                _ => String::new(),
            };
            let remedy =
                format!("name an address in {METRICS_VARIABLE} that is this machine's and that nobody holds");
            Finding::failed(CHECK, format!("cannot listen at {named}: {error}{held}"), remedy)
        }
    }
}

/// Who of this state directory holds the address's port.
fn holder(served: &[Endpoint], address: SocketAddr) -> Option<String> {
    let port = |endpoint: &Endpoint| endpoint.address.as_ref()?.parse().ok().map(|at: SocketAddr| at.port());
    served.iter().find(|endpoint| port(endpoint) == Some(address.port())).and_then(place)
}

/// "process 4711 (relay-7), at 127.0.0.1:9464".
fn place(endpoint: &Endpoint) -> Option<String> {
    let name = if endpoint.node.is_empty() { String::new() } else { format!(" ({})", endpoint.node) };
    let ended = if endpoint.has_ended { ", which has died" } else { "" };
    Some(format!("process {}{name}{ended}, at {}", endpoint.node_pid, endpoint.address.as_ref()?))
}
