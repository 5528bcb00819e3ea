//! From what is written to what is meant: defaults are filled in, and all that is wrong is told at once.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::raw::{self, EndpointWish};
use super::{Fleet, Intervals, Inventory, Links, Node};
use crate::catalogue::Catalogue;
use crate::duration::Duration;
use crate::problem::{Problem, Problems, Source, nearest};
use crate::profile::{Book, Speech};

impl Inventory {
    /// Reads an inventory; `file` is its name in messages.
    ///
    /// # Errors
    /// All that is wrong with it, with places and remedies.
    pub fn read(file: &str, text: &str) -> Result<Self, Problems> {
        let source = Source { name: file, text };
        let raw: raw::File = toml::from_str(text).map_err(|error| source.toml_problem(&error))?;
        let mut reader =
            Reader { source, book: Book::ours()?, catalogue: Catalogue::ours()?, problems: Vec::new() };
        let fleets: Vec<Fleet> = raw.fleets.iter().filter_map(|fleet| reader.fleet(fleet)).collect();
        if raw.fleets.is_empty() {
            reader.refuse(None, "no fleet", "begin with [[fleet]], its name and its profile");
        }
        reader.refuse_twice(raw.fleets.iter().map(|fleet| &fleet.name), "fleet");
        if !reader.problems.is_empty() {
            return Err(Problems(reader.problems));
        }
        Ok(Self {
            file: file.into(),
            fleets,
            intervals: intervals(&raw.intervals),
            links: links(&raw.links),
            catalogue: reader.catalogue,
        })
    }
}

struct Reader<'a> {
    source: Source<'a>,
    book: Book,
    catalogue: Catalogue,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn refuse(
        &mut self,
        span: Option<std::ops::Range<usize>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.push(self.source.problem(span, what, remedy));
    }

    fn refuse_twice<'b>(&mut self, names: impl Iterator<Item = &'b Spanned<String>>, what: &str) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.get_ref().as_str()) {
                let what = format!("{what} {:?} stands twice", name.get_ref());
                self.refuse(Some(name.span()), what, "give one of them another name");
            }
        }
    }

    fn fleet(&mut self, raw: &raw::Fleet) -> Option<Fleet> {
        let speech = match self.book.speech(&raw.profile.get_ref().names()) {
            Ok(speech) => speech,
            Err((name, near)) => {
                let names = self.book.profiles().map(|profile| profile.name.as_str());
                let known = format!("one of: {}", names.collect::<Vec<_>>().join(", "));
                let remedy = near.map_or(known, |near| format!("did you mean {near:?}?"));
                self.refuse(Some(raw.profile.span()), format!("no profile {name:?}"), remedy);
                return None;
            }
        };
        let wishes = self.wishes(&raw.endpoints, &speech);
        let thresholds = self.thresholds(&raw.thresholds);
        self.refuse_twice(raw.nodes.iter().map(|node| &node.name), "node");
        let nodes: Vec<Node> = raw.nodes.iter().map(|node| self.node(node, &wishes, &speech)).collect();
        if nodes.is_empty() {
            let what = format!("fleet {:?} has no nodes", raw.name.get_ref());
            self.refuse(Some(raw.name.span()), what, "add [[fleet.node]] with name and address");
        }
        let has = |endpoint: &str| nodes.iter().any(|node| node.endpoints.contains_key(endpoint));
        let mut told = speech;
        told.endpoints.retain(|name, _| has(name));
        told.signals.retain(|_, signal| has(&signal.endpoint));
        Some(Fleet {
            name: raw.name.get_ref().clone(),
            owner: raw.owner.clone().unwrap_or_else(|| "operators".into()),
            version: raw.version.clone(),
            speech: told,
            thresholds,
            nodes,
        })
    }

    /// The wishes for endpoints that there are.
    fn wishes(
        &mut self,
        raw: &BTreeMap<Spanned<String>, EndpointWish>,
        speech: &Speech,
    ) -> BTreeMap<String, EndpointWish> {
        let mut wishes = BTreeMap::new();
        for (name, wish) in raw {
            if speech.endpoints.contains_key(name.get_ref()) {
                wishes.insert(name.get_ref().clone(), wish.clone());
                continue;
            }
            let known = speech.endpoints.keys().map(String::as_str);
            let remedy = format!("the profile has: {}", known.collect::<Vec<_>>().join(", "));
            self.refuse(Some(name.span()), format!("no endpoint {:?}", name.get_ref()), remedy);
        }
        wishes
    }

    fn thresholds(&mut self, raw: &BTreeMap<Spanned<String>, f64>) -> BTreeMap<String, f64> {
        let known = self.catalogue.thresholds.iter();
        let mut thresholds: BTreeMap<String, f64> =
            known.map(|(name, threshold)| (name.clone(), threshold.default)).collect();
        for (name, value) in raw {
            if let Some(threshold) = thresholds.get_mut(name.get_ref()) {
                *threshold = *value;
                continue;
            }
            let near = nearest(name.get_ref(), thresholds.keys().map(String::as_str));
            let remedy = near.map_or_else(
                || format!("one of: {}", thresholds.keys().cloned().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            self.refuse(Some(name.span()), format!("no threshold {:?}", name.get_ref()), remedy);
        }
        thresholds
    }

    fn node(&mut self, raw: &raw::Node, fleet: &BTreeMap<String, EndpointWish>, speech: &Speech) -> Node {
        let own = self.wishes(&raw.endpoints, speech);
        let mut endpoints = BTreeMap::new();
        for (name, endpoint) in &speech.endpoints {
            let default = EndpointWish::Is(endpoint.is_default);
            let wish = own.get(name).or_else(|| fleet.get(name)).unwrap_or(&default);
            let address = raw.address.get_ref();
            match wish {
                EndpointWish::Is(false) => continue,
                EndpointWish::Is(true) => {
                    endpoints.insert(name.clone(), format!("{address}:{}", endpoint.port))
                }
                EndpointWish::Port(port) => endpoints.insert(name.clone(), format!("{address}:{port}")),
                EndpointWish::Address(address) => endpoints.insert(name.clone(), address.clone()),
            };
        }
        Node {
            name: raw.name.get_ref().clone(),
            address: raw.address.get_ref().clone(),
            role: raw.role.clone().unwrap_or_else(|| "node".into()),
            dc: raw.dc.clone().unwrap_or_else(|| "default".into()),
            version: raw.version.clone(),
            owner: raw.owner.clone(),
            endpoints,
        }
    }
}

fn intervals(raw: &raw::Intervals) -> Intervals {
    Intervals {
        scrape: raw.scrape.unwrap_or(Duration::from_seconds(15)),
        evaluation: raw.evaluation.unwrap_or(Duration::from_seconds(15)),
        group_wait: raw.group_wait.unwrap_or(Duration::from_seconds(5)),
        group_interval: raw.group_interval.unwrap_or(Duration::from_seconds(20)),
        repeat: raw.repeat.unwrap_or(Duration::from_seconds(4 * 3600)),
    }
}

fn links(raw: &raw::Links) -> Links {
    let plain = |link: &Option<String>| link.as_ref().map(|link| link.trim_end_matches('/').to_owned());
    Links { grafana: plain(&raw.grafana), runbooks: plain(&raw.runbooks), logs: raw.logs.clone() }
}
