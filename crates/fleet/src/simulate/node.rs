//! One simulated node: what its pages show, and which of its endpoints answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::sway::Sway;
use crate::hash::fnv1a;
use crate::inventory::{Fleet, Node};
use crate::problem::unknown;
use crate::profile::{self, Pages, Speech};

/// The monitor's endpoint, which is not shared and yet not of the node's own process.
const MONITOR: &str = "lifeboat";

/// Between two movements of what is well.
const SWAY_SECONDS: f64 = 5.0;

/// What an endpoint does when it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// It answers.
    #[default]
    Up,
    /// Nobody listens: connections are refused.
    Down,
    /// It takes connections and says nothing.
    Hung,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Where it listens.
    pub(super) address: String,
    /// The page.
    pub(super) path: String,
    /// Whether the blackbox exporter asks it from outside.
    pub(super) is_probed: bool,
    pub(super) manner: Manner,
    /// How often its page was given out.
    pub(super) asked: u64,
}

/// What a signal was told to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// This number.
    Steady(f64),
    /// From one number to another, beginning at a time, over so many seconds.
    Ramp { from: f64, to: f64, since: f64, seconds: f64 },
    /// Gone.
    Absent,
}

impl Told {
    fn number(self, now: f64) -> Option<f64> {
        match self {
            Self::Steady(number) => Some(number),
            Self::Ramp { from, to, since, seconds } => {
                let share = if seconds > 0.0 { ((now - since) / seconds).clamp(0.0, 1.0) } else { 1.0 };
                Some(from + (to - from) * share)
            }
            Self::Absent => None,
        }
    }
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct SimulatedNode {
    pub(super) fleet: String,
    pub(super) name: String,
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    generation: Option<String>,
    window: f64,
    speech: Arc<Speech>,
    /// What the node's own process shows.
    own: Pages,
    /// What those beside it show, who outlive it.
    beside: Pages,
    told: BTreeMap<String, Told>,
    /// The version that it should run.
    labels: BTreeMap<String, String>,
    /// When it last swayed, in seconds since 1970.
    swayed: f64,
}

impl SimulatedNode {
    pub(super) fn new(
        fleet: &Fleet,
        speech: &Arc<Speech>,
        node: &Node,
        generation: Option<&str>,
        window: f64,
        now: f64,
    ) -> Self {
        let endpoints = node.endpoints.iter().filter_map(|(name, address)| {
            let endpoint = speech.endpoints.get(name)?;
            let endpoint = Endpoint {
                address: address.clone(),
                path: endpoint.path.clone(),
                is_probed: endpoint.probe.is_some(),
                manner: Manner::Up,
                asked: 0,
            };
            Some((name.clone(), endpoint))
        });
        let version = node.version.as_ref().or(fleet.version.as_ref());
        let mut node = Self {
            fleet: fleet.name.clone(),
            name: node.name.clone(),
            endpoints: endpoints.collect(),
            generation: generation.map(str::to_owned),
            window,
            own: Pages::new(&part(speech, is_own), generation, window, now),
            beside: Pages::new(
                &part(speech, |endpoint, name| !is_own(endpoint, name)),
                generation,
                window,
                now,
            ),
            speech: Arc::clone(speech),
            told: BTreeMap::new(),
            labels: version.map(|version| ("version".to_owned(), version.clone())).into_iter().collect(),
            swayed: 0.0,
        };
        node.relabel(&BTreeMap::new());
        node
    }

    /// The signals of its profile.
    pub(super) fn signals(&self) -> impl Iterator<Item = &str> {
        self.speech.signals.keys().map(String::as_str)
    }

    /// The endpoint that tells a signal, where the node has none of that name: nobody would see what becomes of the signal.
    pub(super) fn lacks(&self, signal: &str) -> Option<&str> {
        let endpoint = &self.speech.signals.get(signal)?.endpoint;
        (!self.endpoints.contains_key(endpoint)).then_some(endpoint)
    }

    /// From now on the signal is this.
    ///
    /// # Errors
    /// That the node has none of that name, or not the endpoint that tells it.
    pub(super) fn tell(&mut self, signal: &str, told: Told, now: f64) -> Result<(), String> {
        self.move_on(now);
        if let Some(endpoint) = self.lacks(signal) {
            let remedy = "give it one in its endpoints";
            return Err(format!(
                "{} has no endpoint `{endpoint}`, which tells {signal}: {remedy}",
                self.name
            ));
        }
        if !self.set(signal, told.number(now), now) {
            return Err(unknown("signal", signal, self.signals()));
        }
        self.told.insert(signal.to_owned(), told);
        Ok(())
    }

    /// From now on an endpoint behaves so, or all do.
    ///
    /// # Errors
    /// That the node has none of that name.
    pub(super) fn behave(&mut self, endpoint: Option<&str>, manner: Manner) -> Result<(), String> {
        let Some(name) = endpoint else {
            self.endpoints.values_mut().for_each(|endpoint| endpoint.manner = manner);
            return Ok(());
        };
        if let Some(endpoint) = self.endpoints.get_mut(name) {
            endpoint.manner = manner;
            return Ok(());
        }
        Err(unknown("endpoint", name, self.endpoints.keys().map(String::as_str)))
    }

    /// From now on the signal is well, or all of them.
    pub(super) fn clear(&mut self, signal: Option<&str>, now: f64) {
        self.move_on(now);
        let names: Vec<String> = match signal {
            Some(signal) => self.told.remove(signal).map(|_| signal.to_owned()).into_iter().collect(),
            None => std::mem::take(&mut self.told).into_keys().collect(),
        };
        for name in names {
            self.own.unset(&name, now);
            self.beside.unset(&name, now);
        }
    }

    /// Metrics have these labels instead of their own, until told otherwise.
    pub(super) fn relabel(&mut self, labels: &BTreeMap<String, String>) {
        let mut all = self.labels.clone();
        all.extend(labels.clone());
        self.own.relabel(all.clone());
        self.beside.relabel(all);
    }

    /// Another process: what it counted is gone.
    pub(super) fn restart(&mut self, now: f64) {
        self.own = Pages::new(&part(&self.speech, is_own), self.generation.as_deref(), self.window, now);
        self.own.relabel(self.labels.clone());
        let started: Vec<String> =
            self.speech.signals.keys().filter(|name| name.ends_with("start_time")).cloned().collect();
        for name in started.into_iter().filter(|name| !name.starts_with("host")) {
            // Its name is one of the signals'.
            let _ = self.tell(&name, Told::Steady(0.0), now);
        }
        for (name, told) in &self.told {
            self.own.set(name, told.number(now), now);
        }
    }

    /// What an endpoint shows now.
    pub(super) fn page(&mut self, endpoint: &str, now: f64) -> String {
        self.move_on(now);
        if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.asked += 1;
        }
        self.pages_of(endpoint).text(endpoint, now)
    }

    /// What it is and has done, for a comparison with what others saw.
    pub(super) fn account(&mut self, now: f64) -> Value {
        self.move_on(now);
        let endpoints: Vec<(String, u64)> =
            self.endpoints.iter().map(|(name, endpoint)| (name.clone(), endpoint.asked)).collect();
        let mut pages = serde_json::Map::new();
        for (name, asked) in endpoints {
            let samples = self.pages_of(&name).samples(&name, now);
            let each = samples
                .into_iter()
                .map(|sample| json!({ "name": sample.name, "labels": sample.labels, "value": sample.value }));
            pages.insert(name, json!({ "asked": asked, "samples": each.collect::<Vec<_>>() }));
        }
        let told = self.told.iter().map(|(name, told)| (name.clone(), json!(told.number(now))));
        let told: serde_json::Map<String, Value> = told.collect();
        json!({ "fleet": self.fleet, "node": self.name, "at": now, "told": told, "endpoints": pages })
    }

    /// What changes by itself: ramps, and the swaying of what is well.
    fn move_on(&mut self, now: f64) {
        let ramps = self.told.iter().filter(|(_, told)| matches!(told, Told::Ramp { .. }));
        let ramps: Vec<_> = ramps.map(|(name, told)| (name.clone(), told.number(now))).collect();
        for (name, number) in ramps {
            self.set(&name, number, now);
        }
        if now - self.swayed < SWAY_SECONDS {
            return;
        }
        self.swayed = now;
        for (name, signal) in &self.speech.signals {
            let sway = Sway::of(name, signal);
            if sway != Sway::Still {
                let number = sway.at(signal.healthy, now, fnv1a(&self.name) ^ fnv1a(name));
                self.own.set_healthy(name, number, now);
                self.beside.set_healthy(name, number, now);
            }
        }
    }

    fn set(&mut self, signal: &str, number: Option<f64>, now: f64) -> bool {
        // One of them has it.
        self.own.set(signal, number, now) || self.beside.set(signal, number, now)
    }

    fn pages_of(&mut self, name: &str) -> &mut Pages {
        match self.speech.endpoints.get(name) {
            Some(endpoint) if is_own(endpoint, name) => &mut self.own,
            _ => &mut self.beside,
        }
    }
}

/// Whether the node's own process tells what there is.
fn is_own(endpoint: &profile::Endpoint, name: &str) -> bool {
    endpoint.probe.is_none() && !endpoint.is_shared && name != MONITOR
}

/// The signals of some endpoints.
fn part(speech: &Speech, is_in: impl Fn(&profile::Endpoint, &str) -> bool) -> Speech {
    let mut part = speech.clone();
    part.endpoints.retain(|name, endpoint| is_in(endpoint, name));
    let Speech { endpoints, signals } = &mut part;
    signals.retain(|_, signal| endpoints.contains_key(&signal.endpoint));
    part
}
