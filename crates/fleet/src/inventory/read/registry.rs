//! Nodes of a registry in JSON, as `fleets.status.im` publishes it: `fleets`, a fleet's name, a way to reach its nodes, and for
//! each node a multiaddress.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;

use super::desk::Desk;
use super::wish::Wish;
use crate::inventory::form::{Paper, remedy_among};
use crate::inventory::{Node, address};
use crate::problem::Problem;

/// The endpoint that asks the port for peers from outside.
const REACH: &str = "reach";

pub(super) fn nodes(paper: Paper<'_>, desk: &mut Desk<'_>) -> Vec<Node> {
    let text = paper.source.text;
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let (line, column) = (error.line().max(1), error.column().max(1));
            let what = format!("no JSON: {error}")
                .replace(&format!(" at line {line} column {}", error.column()), "");
            let remedy = "save it anew as it is published".to_owned();
            paper.log.push(Problem {
                file: paper.source.name.into(),
                place: Some((line, column)),
                what,
                remedy,
            });
            return Vec::new();
        }
    };
    let Some(fleets) = document.get("fleets").and_then(Value::as_object) else {
        paper.refuse(
            0..0,
            "no registry of fleets: it has no `fleets`",
            "name a file as fleets.status.im publishes it",
        );
        return Vec::new();
    };
    let Some(fleet) = fleets.get(&desk.defaults.fleet).and_then(Value::as_object) else {
        let remedy = remedy_among(&desk.defaults.fleet, fleets.keys().map(String::as_str));
        let what = format!("it has no fleet {:?}", desk.defaults.fleet);
        paper.refuse(place(text, "fleets"), what, remedy);
        return Vec::new();
    };
    let mut nodes = Vec::new();
    for (name, doors) in doors(fleet) {
        let span = place(text, name);
        if let Some(remedy) = address::wrong_name(name) {
            paper.refuse(span, format!("{name:?} is no name"), remedy);
            continue;
        }
        let Some(first) = doors.first() else {
            paper.refuse(span, format!("node {name:?} has no address"), "name it in [fleet.nodes]");
            continue;
        };
        let mut own = BTreeMap::new();
        let peers =
            doors.iter().find(|door| door.is_for_peers).and_then(|door| Some((door.host, door.port?)));
        if let Some((host, port)) = peers.filter(|_| !desk.wishes.contains_key(REACH)) {
            own.insert(REACH.to_owned(), Wish::Address(address::joined(host, port)));
        }
        let node = Spanned::new(span.clone(), name.clone());
        nodes.extend(desk.placed(paper, &node, &Spanned::new(span, first.host), &own));
    }
    if nodes.is_empty() {
        let what = format!("fleet {:?} has no nodes in it", desk.defaults.fleet);
        paper.refuse(place(text, &desk.defaults.fleet), what, "name them in [fleet.nodes]");
    }
    nodes
}

/// Where a name stands in the text, as far as that can be told.
fn place(text: &str, name: &str) -> Range<usize> {
    let quoted = Value::from(name).to_string();
    let at = text.find(&quoted).unwrap_or_default();
    at..at + quoted.len()
}

/// One way to a node.
struct Door<'a> {
    host: &'a str,
    port: Option<u16>,
    /// Whether peers come there by plain TCP.
    is_for_peers: bool,
}

/// Each node with its ways in the order of the registry; what is no multiaddress, as an ENR, is no way.
fn doors(fleet: &Map<String, Value>) -> BTreeMap<&String, Vec<Door<'_>>> {
    let mut doors: BTreeMap<&String, Vec<Door<'_>>> = BTreeMap::new();
    for (name, way) in fleet.values().filter_map(Value::as_object).flatten() {
        let door = way.as_str().and_then(door);
        doors.entry(name).or_default().extend(door);
    }
    doors
}

/// The host and port of `/dns4/node.example.org/tcp/30303/p2p/16Ui…`.
fn door(multiaddress: &str) -> Option<Door<'_>> {
    let mut parts = multiaddress.strip_prefix('/')?.split('/');
    let kind = parts.next()?;
    let host = parts.next().filter(|_| ["dns", "dns4", "dns6", "dnsaddr", "ip4", "ip6"].contains(&kind))?;
    // Old registries told of a node what it listened at.
    if host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
        return None;
    }
    let is_tcp = parts.next() == Some("tcp");
    let port = parts.next().and_then(|port| port.parse().ok()).filter(|port| is_tcp && *port > 0);
    let is_web = parts.any(|part| ["ws", "wss", "tls"].contains(&part));
    Some(Door { host, port, is_for_peers: is_tcp && !is_web })
}
