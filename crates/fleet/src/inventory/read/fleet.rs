//! One fleet.

use std::collections::BTreeMap;

use super::desk::Defaults;
use super::{Reader, Seen, consul, name, plain_name, version, wish};
use crate::duration::Duration;
use crate::inventory::form::{Form, number, remedy_among};
use crate::inventory::{Fleet, Objectives};
use crate::profile::Speech;

impl Reader {
    pub(super) fn fleet(&mut self, form: Form<'_>, seen: &mut Seen) -> Option<Fleet> {
        let name = name(&form, "name");
        if !form.has("name") {
            form.refuse_missing("name", "\"logos.test\"");
        }
        if let Some(name) = &name
            && seen.fleets.insert(name.get_ref().clone(), ()).is_some()
        {
            let what = format!("fleet {:?} stands twice", name.get_ref());
            form.paper.refuse(name.span(), what, "give one of them another name");
        }
        if let Some(name) = name.as_ref().filter(|name| has_files_of_others(name.get_ref())) {
            let what = format!("fleet {:?} would share its files of rules with others", name.get_ref());
            form.paper.refuse(
                name.span(),
                what,
                "name it neither path nor with .trends, .hours or .days at the end",
            );
        }
        let (profiles, speech) = self.speech(&form);
        let wishes = form.table("endpoints", "[fleet.endpoints]");
        let wishes = wishes.map(|form| wish::of_endpoints(&form, speech.as_ref())).unwrap_or_default();
        let defaults = Defaults {
            fleet: name.as_ref().map(|name| name.get_ref().clone()).unwrap_or_default(),
            role: plain_name(&form, "role"),
            dc: plain_name(&form, "dc"),
        };
        let fallback = Speech::default();
        let known = speech.as_ref();
        let nodes = self.nodes(&form, &defaults, &wishes, known.unwrap_or(&fallback), seen);
        let consul = form.table("consul", "[fleet.consul]");
        let consul = consul.and_then(|form| consul::read(form, &defaults, &wishes, known));
        let fleet = self.put_together(&form, &defaults, speech, profiles, nodes, consul);
        form.finish();
        // Of a fleet without a name, or with a profile that nobody knows, there is nothing more to say.
        fleet.filter(|_| name.is_some())
    }

    fn put_together(
        &self,
        form: &Form<'_>,
        defaults: &Defaults,
        speech: Option<Speech>,
        profiles: Vec<String>,
        nodes: Vec<crate::inventory::Node>,
        consul: Option<crate::inventory::Consul>,
    ) -> Option<Fleet> {
        let thresholds = self.thresholds(form);
        let objectives = objectives(form);
        let owner = plain_name(form, "owner").unwrap_or_else(|| "operators".into());
        let version = version(form);
        let nodes_min = nodes_min(form).unwrap_or(nodes.len() as u64);
        let has_source =
            form.has("consul") || ["node", "nodes", "nodes_file"].iter().any(|key| form.has_some(key));
        if nodes.is_empty() && !has_source {
            let what = format!("fleet {:?} has no nodes", defaults.fleet);
            form.refuse(what, "add [fleet.nodes] with lines such as \"node-01\" = \"10.1.0.1\"");
        }
        let has = |endpoint: &str| {
            nodes.iter().any(|node| node.endpoints.contains_key(endpoint))
                || consul.as_ref().is_some_and(|consul| consul.ports.contains_key(endpoint))
        };
        let (mut told, mut off) = (speech.clone()?, speech?);
        told.endpoints.retain(|name, _| has(name));
        told.signals.retain(|_, signal| has(&signal.endpoint));
        for (name, signal) in &mut told.signals {
            signal.healthy = self.catalogue.healthy(name, signal.healthy, &thresholds);
        }
        off.endpoints.retain(|name, _| !has(name));
        off.signals.retain(|_, signal| !has(&signal.endpoint));
        Some(Fleet {
            name: defaults.fleet.clone(),
            is_path: false,
            owner,
            version,
            profiles,
            speech: told,
            off,
            thresholds,
            objectives,
            nodes,
            consul,
            nodes_min,
            rate_window: self.rate_window,
        })
    }

    fn thresholds(&self, form: &Form<'_>) -> BTreeMap<String, f64> {
        let known = self.catalogue.thresholds.iter();
        let mut thresholds: BTreeMap<String, f64> =
            known.map(|(name, threshold)| (name.clone(), threshold.default)).collect();
        let Some(form) = form.table("thresholds", "[fleet.thresholds]") else { return thresholds };
        for (name, value) in form.entries() {
            let Some(threshold) = self.catalogue.thresholds.get(*name.get_ref()) else {
                if KEYS.contains(name.get_ref()) {
                    let what = format!("`{}` is a key of [[fleet]], and no threshold", name.get_ref());
                    let remedy =
                        "write it below [[fleet]], above [fleet.thresholds] and each other table of it";
                    form.paper.refuse(name.span(), what, remedy);
                    continue;
                }
                let names = self.catalogue.thresholds.keys().map(String::as_str);
                let remedy = remedy_among(name.get_ref(), names);
                form.paper.refuse(name.span(), format!("no threshold {:?}", name.get_ref()), remedy);
                continue;
            };
            let (least, most) = threshold.range();
            let is_right =
                |number: &f64| (least..=most).contains(number) && (!threshold.whole || number.fract() == 0.0);
            match number(value.get_ref()).filter(is_right) {
                Some(number) => drop(thresholds.insert(name.get_ref().to_string(), number)),
                None => {
                    let kind = if threshold.whole { "whole number" } else { "number" };
                    let what = format!("threshold `{}` is no such figure", name.get_ref());
                    let remedy = format!("write a {kind} from {least} to {most}: {}", threshold.help);
                    form.paper.refuse(value.span(), what, remedy);
                }
            }
        }
        let own = |name: &str| thresholds.get(name).copied().unwrap_or_default();
        if own("cpu_steal_ratio_max") >= own("cpu_steal_ratio_critical") {
            let what = "`cpu_steal_ratio_max` is not below `cpu_steal_ratio_critical`";
            form.refuse(what, "let the one that warns be less than the one that is critical");
        }
        thresholds
    }
}

/// Those keys of a fleet that are no tables: in TOML they stand before the first table of it.
const KEYS: [&str; 8] = ["name", "profile", "owner", "version", "role", "dc", "nodes_min", "nodes_file"];

/// `path.rules.yml` is of the engines, `NAME.trends…`, `NAME.hours…` and `NAME.days…` are of the fleet NAME.
fn has_files_of_others(name: &str) -> bool {
    name == "path" || [".trends", ".hours", ".days"].iter().any(|end| name.ends_with(end))
}

fn nodes_min(form: &Form<'_>) -> Option<u64> {
    let number = form.integer("nodes_min")?;
    let least = u64::try_from(*number.get_ref()).ok().filter(|least| (1..=NODES_MAX).contains(least));
    if least.is_none() {
        let remedy = format!("write a number from 1 to {NODES_MAX}");
        form.paper.refuse(number.span(), "`nodes_min` is no number of nodes", remedy);
    }
    least
}

fn objectives(form: &Form<'_>) -> Objectives {
    let mut objectives =
        Objectives { availability: None, delivery: None, latency_seconds: None, window: MONTH };
    let place = form.value("objectives").map(|value| value.span());
    let Some(form) = form.table("objectives", "[fleet.objectives]") else { return objectives };
    let kept = "[fleet.objectives] is kept for later: no rule and no panel asks it yet";
    form.paper.hint(place, kept, "leave it in or out; what alerts go by stands in [fleet.thresholds]");
    let figure = |key: &'static str, range: (f64, f64), remedy: &str| {
        let value = form.value(key)?;
        let number = number(value.get_ref()).filter(|number| *number > range.0 && *number < range.1);
        if number.is_none() {
            form.paper.refuse(value.span(), format!("`{key}` is no such figure"), remedy);
        }
        number
    };
    const SHARE: &str = "write a share between 0 and 1, as 0.999";
    objectives.availability = figure("availability", (0.0, 1.0), SHARE);
    objectives.delivery = figure("delivery", (0.0, 1.0), SHARE);
    let seconds = "write seconds, as 2.5";
    objectives.latency_seconds = figure("latency_seconds", (0.0, f64::INFINITY), seconds);
    if let Some(window) = form.duration("window", DAY..=YEAR) {
        objectives.window = window;
    }
    form.finish();
    objectives
}

/// Nobody has more.
const NODES_MAX: u64 = 1_000_000;
const DAY: Duration = Duration::from_seconds(86_400);
const YEAR: Duration = Duration::from_seconds(365 * 86_400);
const MONTH: Duration = Duration::from_seconds(30 * 86_400);
