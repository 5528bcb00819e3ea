//! All nodes of an inventory, simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::command::{Command, Deed};
use super::http::{Request, answer};
use super::illness;
use super::node::{Manner, SimulatedNode, Told};
use crate::inventory::Inventory;
use crate::problem::unknown;

/// Which names the nodes' metrics have, where those of a profile have changed over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// One node this, the next that.
    #[default]
    Mixed,
    /// All of them this.
    One(String),
}

/// How to simulate.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which names the metrics have.
    pub generation: Generation,
    /// As the inventory was rendered: a death counts for a window of the rules, and those are shorter then.
    pub accelerate: u64,
}

/// The nodes.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) nodes: Vec<SimulatedNode>,
    pub(super) inventory: Inventory,
    accelerate: u64,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obeyed {
    /// It is done, and this is said of it.
    Done(String),
    /// All is to end.
    Quit,
}

impl World {
    /// All nodes of the inventory, well; `now` in seconds since 1970.
    ///
    /// # Errors
    /// Where no profile of the inventory has that generation.
    pub fn new(inventory: &Inventory, settings: &Settings, now: f64) -> Result<Self, String> {
        let mut nodes = Vec::new();
        let mut known = BTreeSet::new();
        for fleet in &inventory.fleets {
            let window = fleet.rate_window.divided(settings.accelerate).seconds();
            let series = fleet.speech.signals.values().flat_map(|signal| &signal.series);
            let generations: BTreeSet<&str> =
                series.filter_map(|series| series.generation.as_deref()).collect();
            let speech = Arc::new(fleet.speech.clone());
            for (number, node) in fleet.nodes.iter().enumerate() {
                let generation = match &settings.generation {
                    Generation::One(name) => Some(name.as_str()).filter(|name| generations.contains(name)),
                    Generation::Mixed => generations.iter().nth(number % generations.len().max(1)).copied(),
                };
                nodes.push(SimulatedNode::new(fleet, &speech, node, generation, window, now));
            }
            known.extend(generations.into_iter().map(str::to_owned));
        }
        if let Generation::One(name) = &settings.generation
            && !known.contains(name)
        {
            let known: Vec<String> = known.into_iter().collect();
            let remedy = match known.as_slice() {
                [] => "there is one alone, so leave it out".into(),
                known => format!("one of {}", known.join(", ")),
            };
            return Err(format!("no profile has metrics of generation {name:?}: {remedy}"));
        }
        Ok(Self { nodes, inventory: inventory.clone(), accelerate: settings.accelerate.max(1) })
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// What is wrong with it, with its remedy.
    pub(super) fn obey(&mut self, line: &str, now: f64) -> Result<Obeyed, String> {
        let command = Command::read(line)?;
        let meant = self.meant(&command.nodes)?;
        let Self { nodes, inventory, accelerate } = self;
        let meant = nodes.iter_mut().enumerate().filter(|(number, _)| meant.contains(number));
        let meant = meant.map(|(_, node)| node);
        match command.deed {
            Deed::Quit => Ok(Obeyed::Quit),
            Deed::Tell => {
                let lines: Vec<String> = meant.map(|node| node.account(now).to_string()).collect();
                Ok(Obeyed::Done(lines.join("\n")))
            }
            Deed::Sick { alert, seconds } => {
                let alert = illness::find(&inventory.catalogue, &alert)?;
                let done = meant.map(|node| {
                    let lasts =
                        seconds.unwrap_or_else(|| illness::course(node, alert, inventory, *accelerate));
                    illness::befall(node, alert, inventory, (lasts, now))
                });
                count(done.collect())
            }
            deed => {
                let done = meant.map(|node| deed_of(node, &deed, now));
                count(done.collect())
            }
        }
    }

    /// The nodes that are meant by `NAME`, `FLEET/NAME`, `FLEET/*` or `*`, by their numbers.
    fn meant(&self, words: &str) -> Result<Vec<usize>, String> {
        let (fleet, name) = words.split_once('/').unwrap_or(("*", words));
        let is_meant = |node: &SimulatedNode| {
            (fleet == "*" || node.fleet == fleet) && (name == "*" || node.name == name)
        };
        let nodes = self.nodes.iter().enumerate();
        let meant: Vec<usize> = nodes.filter(|(_, node)| is_meant(node)).map(|(number, _)| number).collect();
        if meant.is_empty() {
            return Err(unknown("node", name, self.nodes.iter().map(|node| node.name.as_str())));
        }
        Ok(meant)
    }

    /// What is answered at an address of these endpoints; nothing by one that hangs.
    pub(super) fn asked(&mut self, of: &[(usize, String)], request: &Request, now: f64) -> Option<Vec<u8>> {
        let path = |(node, endpoint): &&(usize, String)| {
            let endpoint = self.nodes.get(*node).and_then(|node| node.endpoints.get(endpoint));
            endpoint.is_some_and(|endpoint| endpoint.path == request.path || endpoint.is_probed)
        };
        let Some((node, name)) = of.iter().find(path) else {
            return Some(answer("404 Not Found", PLAIN, "there is no such page\n"));
        };
        let node = self.nodes.get_mut(*node)?;
        let endpoint = node.endpoints.get(name)?;
        match endpoint.manner {
            Manner::Hung => None,
            // Another endpoint of the address is up.
            Manner::Down => Some(answer("503 Service Unavailable", PLAIN, "nobody is there\n")),
            Manner::Up if endpoint.is_probed => Some(answer("200 OK", "application/json", READY)),
            Manner::Up => Some(answer("200 OK", content_type(name), &node.page(name, now))),
        }
    }

    /// What the blackbox exporter would answer.
    pub(super) fn probed(&mut self, request: &Request, now: f64) -> Vec<u8> {
        let target = request.asked("target").unwrap_or_default();
        let target = target.split_once("://").map_or(target.as_str(), |(_, rest)| rest);
        let target = target.split('/').next().unwrap_or_default();
        for node in &mut self.nodes {
            let of = |endpoint: &super::node::Endpoint| endpoint.is_probed && endpoint.address == target;
            let Some((name, endpoint)) = node.endpoints.iter().find(|(_, endpoint)| of(endpoint)) else {
                continue;
            };
            let name = name.clone();
            let page = if endpoint.manner == Manner::Up { node.page(&name, now) } else { FAILED.into() };
            return answer("200 OK", content_type(&name), &page);
        }
        answer("200 OK", content_type(""), FAILED)
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
/// What a REST interface says of a node that is well.
const READY: &str = "{\"nodeHealth\":\"READY\"}\n";
/// What the blackbox exporter says of a target that does not answer.
const FAILED: &str =
    "# HELP probe_success whether the probe succeeded\n# TYPE probe_success gauge\nprobe_success 0\n";

/// nim-metrics names no character set.
fn content_type(endpoint: &str) -> &'static str {
    if endpoint == "node" { "text/plain; version=0.0.4" } else { "text/plain; version=0.0.4; charset=utf-8" }
}

/// How many did it, and why others could not; that nobody could is a refusal.
fn count(done: Vec<Result<(), String>>) -> Result<Obeyed, String> {
    let all = done.len();
    let left: Vec<String> = done.into_iter().filter_map(Result::err).collect();
    let did = all.saturating_sub(left.len());
    match left.first() {
        Some(why) if did == 0 => Err(why.clone()),
        Some(why) => Ok(Obeyed::Done(format!("ok: {}, not {}: {why}", nodes(did), left.len()))),
        None => Ok(Obeyed::Done(format!("ok: {}", nodes(did)))),
    }
}

fn nodes(count: usize) -> String {
    if count == 1 { "1 node".into() } else { format!("{count} nodes") }
}

fn deed_of(node: &mut SimulatedNode, deed: &Deed, now: f64) -> Result<(), String> {
    match deed {
        Deed::Set { signal, number } => node.tell(signal, Told::Steady(*number), now),
        Deed::Ramp { signal, from, to, seconds } => {
            node.tell(signal, Told::Ramp { from: *from, to: *to, since: now, seconds: *seconds }, now)
        }
        Deed::Absent { signal } => node.tell(signal, Told::Absent, now),
        Deed::Clear { signal } => {
            if let Some(signal) =
                signal.as_deref().filter(|signal| node.signals().all(|known| known != *signal))
            {
                return Err(unknown("signal", signal, node.signals()));
            }
            node.clear(signal.as_deref(), now);
            Ok(())
        }
        Deed::Label { name, value } => {
            node.relabel(&[(name.clone(), value.clone())].into());
            Ok(())
        }
        Deed::Down { endpoint } => node.behave(endpoint.as_deref(), Manner::Down),
        Deed::Hang { endpoint } => node.behave(endpoint.as_deref(), Manner::Hung),
        Deed::Up { endpoint } => node.behave(endpoint.as_deref(), Manner::Up),
        Deed::Restart => {
            node.restart(now);
            Ok(())
        }
        Deed::Well => {
            node.clear(None, now);
            node.relabel(&BTreeMap::new());
            node.behave(None, Manner::Up)
        }
        Deed::Sick { .. } | Deed::Tell | Deed::Quit => Ok(()),
    }
}
