//! The address of metrics and health: may it be listened at, and does anybody hold it? And what those who serve say.

use std::net::TcpListener;
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
                false => format!("served {}", places.join(", ")),
            },
        );
    };
    let named = address.to_string();
    if served.iter().any(|endpoint| endpoint.address.as_ref() == Some(&named)) {
        return Finding::fine(CHECK, format!("served {}", places.join(", ")));
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::fine(CHECK, format!("{named} is free")),
        Err(error) => Finding::failed(
            CHECK,
            format!("cannot listen at {named}: {error}"),
            format!("name an address in {METRICS_VARIABLE} that is this machine's and that nobody holds"),
        ),
    }
}

/// "at 127.0.0.1:9464 for process 4711".
fn place(endpoint: &Endpoint) -> Option<String> {
    let whom = match endpoint.has_ended {
        true => format!("process {}, which has died", endpoint.node_pid),
        false => format!("process {}", endpoint.node_pid),
    };
    Some(format!("at {} for {whom}", endpoint.address.as_ref()?))
}
