//! What can be wrong with a profile though it is TOML of the right shape: names, ports, queries.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::query::Query;
use super::{ENGINES, Endpoint, Kind, Profile, Series, Signal};
use crate::catalogue::{EXPECTED_VERSION, NODES_MIN};
use crate::inventory::wrong_name;
use crate::problem::{Problem, Source, remedy_among};
use crate::render::{blackbox, expression};

/// All that is wrong with it.
pub(super) fn check(source: Source<'_>, profile: &Profile) -> Vec<Problem> {
    let mut checker = Checker {
        source,
        table: DeTable::parse(source.text).ok().map(toml::Spanned::into_inner),
        problems: Vec::new(),
    };
    if let Some(remedy) = wrong_name(&profile.name) {
        checker.refuse(&["name"], format!("{:?} is no name", profile.name), remedy);
    }
    for (name, endpoint) in &profile.endpoints {
        checker.endpoint(name, endpoint);
        if ENGINES.contains(&name.as_str()) && !profile.is_of_engines {
            let what = format!("endpoint `{name}` is called as the engines' own page");
            checker.refuse(&["endpoint", name], what, "give it another name");
        }
    }
    for (name, signal) in &profile.signals {
        checker.signal(name, signal);
    }
    checker.problems
}

/// All that is wrong with its queries for the nodes of one fleet: ours may ask about the engines, which belong to none.
pub(crate) fn wrong_for_a_fleet(source: Source<'_>, profile: &Profile) -> Vec<Problem> {
    let faults = profile.signals.iter().flat_map(|(name, signal)| {
        let faults = Query::read(name, signal).map(|query| query.faults(name, signal)).unwrap_or_default();
        faults.into_iter().map(move |fault| (name, fault))
    });
    let problem = |(name, (what, remedy)): (&String, _)| {
        source.problem(place(source.text, &["signal", name, "query"]), what, remedy)
    };
    faults.map(problem).collect()
}

/// Where a value stands, by the keys that lead to it; a list's values by their number.
pub(crate) fn place(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    span(table.get_ref(), path)
}

fn span(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (rest, value.get_ref()) {
        ([], DeValue::Table(_)) => Some(key.span()),
        ([], _) => Some(value.span()),
        ([number], DeValue::Array(array)) => {
            array.get(number.parse::<usize>().ok()?).map(toml::Spanned::span)
        }
        (rest, DeValue::Table(table)) => span(table, rest),
        _ => None,
    }
}

struct Checker<'a> {
    source: Source<'a>,
    table: Option<DeTable<'a>>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn refuse(&mut self, path: &[&str], what: String, remedy: &str) {
        let place = self.table.as_ref().and_then(|table| span(table, path));
        self.problems.push(self.source.problem(place, what, remedy));
    }

    fn endpoint(&mut self, name: &str, endpoint: &Endpoint) {
        let key = |last| ["endpoint", name, last];
        if let Some(remedy) = wrong_name(name) {
            self.refuse(&["endpoint", name], format!("endpoint {name:?} is no name"), remedy);
        }
        if endpoint.port == 0 {
            self.refuse(
                &key("port"),
                format!("endpoint `{name}` has port 0"),
                "name its port, from 1 to 65535",
            );
        }
        let is_path =
            endpoint.path.starts_with('/') && endpoint.path.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path {
            self.refuse(
                &key("path"),
                format!("the path of endpoint `{name}` is none"),
                "write it as \"/metrics\"",
            );
        }
        let probes = blackbox::module_names();
        if let Some(probe) = endpoint.probe.as_ref().filter(|probe| !probes.contains(probe)) {
            let remedy = remedy_among(probe, probes.iter().map(String::as_str));
            self.refuse(&key("probe"), format!("endpoint `{name}`: no probe {probe:?}"), &remedy);
        }
        if !["http", "https"].contains(&endpoint.scheme.as_str()) {
            self.refuse(
                &key("scheme"),
                format!("the scheme of endpoint `{name}` is none"),
                "write \"http\" or \"https\"",
            );
        }
    }

    fn signal(&mut self, name: &str, signal: &Signal) {
        let key = |last| ["signal", name, last];
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if !is_name {
            let remedy = "alerts write it as ${name}: use letters, digits and _";
            self.refuse(&["signal", name], format!("signal {name:?} is no name"), remedy);
        }
        if expression::MEANT_OTHERWISE.contains(&name) || [EXPECTED_VERSION, NODES_MIN].contains(&name) {
            let what = format!("signal `{name}` has a name by which alerts mean something else");
            self.refuse(&["signal", name], what, "give it another name");
        }
        if !signal.healthy.is_finite() {
            let remedy = "write what a node that is well has";
            self.refuse(&key("healthy"), format!("`healthy` of `{name}` is no number"), remedy);
        }
        for series in &signal.series {
            if let Some((what, remedy)) = wrong_series(series) {
                self.refuse(&key("series"), format!("series of `{name}`: {what}"), remedy);
            }
        }
        if let Err((what, remedy)) = Query::read(name, signal) {
            self.refuse(&key("query"), what, &remedy);
        }
    }
}

/// What no node could show, and no test of rules could be fed.
fn wrong_series(series: &Series) -> Option<(String, &'static str)> {
    let is_name = |text: &str, more: &[u8]| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || more.contains(&first))
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    if !is_name(&series.name, b"_:") {
        return Some((
            format!("{:?} is no metric", series.name),
            "write its name alone, with letters, digits and _",
        ));
    }
    if let Some(label) = series.labels.keys().find(|label| !is_name(label, b"_")) {
        return Some((format!("{label:?} is no label"), "use letters, digits and _"));
    }
    let Series { factor, constant, buckets, .. } = series;
    if !factor.is_finite() || !constant.is_finite() {
        return Some((format!("`factor` or `constant` of {} is no number", series.name), "write one"));
    }
    let is_rising =
        buckets.is_sorted_by(|low, high| low < high) && buckets.iter().all(|bound| bound.is_finite());
    if !is_rising || (series.kind == Kind::Histogram && buckets.is_empty()) {
        let what = format!("`buckets` of {} do not rise from a first to a last", series.name);
        return Some((what, "write its upper bounds, as buckets = [0.1, 0.5, 1]"));
    }
    None
}
