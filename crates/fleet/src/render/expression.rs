//! Signals and thresholds in expressions become PromQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Environment;
use serde_json::{Map, Value, json};

use crate::duration::Duration;
use crate::inventory::Fleet;
pub(crate) use crate::profile::BY;
use crate::profile::Signal;
use crate::template;

/// The endpoint at which the monitor answers.
pub(crate) const MONITOR: &str = "lifeboat";

/// The least window of rates in rules: shorter ones are noisy.
const RATE_WINDOW_MIN: Duration = Duration::from_seconds(120);

/// The window of rates in rules: four scrapes fit in, under either generation's rule of where a range begins.
pub(crate) fn rate_window(scrape: Duration) -> Duration {
    RATE_WINDOW_MIN.max(Duration { ms: scrape.ms.saturating_mul(4) })
}

/// Whose nodes are meant, and over which window.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Matchers of the nodes: `fleet="logos.test"`.
    pub(crate) select: String,
    /// The window of a rate: `2m`, `$__rate_interval`.
    pub(crate) range: String,
}

impl View {
    /// All nodes of a fleet, as rules see them.
    pub(crate) fn of_rules(fleet: &Fleet) -> Self {
        // The engines that alerts pass through are of no fleet. JSON's quotes and escapes are PromQL's.
        let select = match fleet.is_path {
            true => String::new(),
            false => format!("fleet={}", Value::from(fleet.name.as_str())),
        };
        Self { select, range: fleet.rate_window.to_string() }
    }

    /// A signal's query for these nodes.
    pub(crate) fn query(&self, signal: &Signal, range: Option<&str>) -> Result<String, String> {
        signal.promql(&self.select, range.unwrap_or(&self.range), BY)
    }
}

/// Names in expressions of rules and panels that are no signals.
pub(crate) const MEANT_OTHERWISE: [&str; 10] = [
    "by",
    "has_consul",
    "jobs",
    "node_jobs",
    "probes",
    "range",
    "seconds",
    "select",
    "signal_over",
    "threshold",
];

/// What a rule of a fleet asks, with every window, offset and duration divided.
pub(crate) fn of_rule(text: &str, fleet: &Fleet, accelerate: u64) -> Result<String, String> {
    let mut values = Map::new();
    values.insert("jobs".into(), jobs_of_life(fleet).into());
    values.insert("node_jobs".into(), jobs_of_process(fleet).into());
    values.insert("probes".into(), jobs_of_probes(fleet).into());
    values.insert("has_consul".into(), fleet.consul.is_some().into());
    let mut engine = template::engine()?;
    engine.add_function("seconds", move |text: String| {
        let duration = text.parse::<Duration>().map_err(refused)?;
        Ok::<_, minijinja::Error>(duration.divided(accelerate).seconds())
    });
    let query = expanded(text, engine, values, &View::of_rules(fleet), fleet)?;
    let lines = query.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(accelerated(&lines.collect::<Vec<_>>().join("\n"), accelerate))
}

/// The endpoints by which a node tells that it lives: not those of what it shares with others. Where a fleet has no such
/// endpoint, all that are scraped tell it: with none every node would be dead for ever.
pub(crate) fn endpoints_of_life(fleet: &Fleet) -> Vec<&str> {
    let has = |name: &String| {
        fleet.nodes.is_empty() || fleet.nodes.iter().any(|node| node.endpoints.contains_key(name))
    };
    let all = || fleet.speech.endpoints.iter().filter(|(name, _)| fleet.consul.is_some() || has(name));
    let scraped = || all().filter(|(_, endpoint)| endpoint.probe.is_none());
    let own: Vec<_> = scraped().filter(|(_, endpoint)| !endpoint.is_shared).collect();
    let jobs = if own.is_empty() { scraped().collect() } else { own };
    let jobs = if jobs.is_empty() { all().collect() } else { jobs };
    jobs.into_iter().map(|(name, _)| name.as_str()).collect()
}

/// The same as a matcher's pattern.
fn jobs_of_life(fleet: &Fleet) -> String {
    pattern_of(endpoints_of_life(fleet).into_iter())
}

/// The endpoints at which another program looks from outside, as a matcher's pattern.
fn jobs_of_probes(fleet: &Fleet) -> String {
    let probes = fleet.speech.endpoints.iter().filter(|(_, endpoint)| endpoint.probe.is_some());
    pattern_of(probes.map(|(name, _)| name.as_str()))
}

fn pattern_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(plain_in_pattern).collect();
    names.join("|")
}

/// Of those the pages that the node's own process serves, as a pattern: the monitor is another process. Empty where a fleet has
/// none.
fn jobs_of_process(fleet: &Fleet) -> String {
    pattern_of(endpoints_of_life(fleet).into_iter().filter(|name| *name != MONITOR))
}

/// A name that stands for itself in a pattern, within the quotes of PromQL: JSON's escapes are PromQL's.
fn plain_in_pattern(name: &str) -> String {
    let quoted = Value::from(super::relabel::plain_regex(name)).to_string();
    quoted.trim_matches('"').to_owned()
}

fn expanded(
    text: &str,
    mut engine: Environment<'_>,
    mut values: Map<String, Value>,
    view: &View,
    fleet: &Fleet,
) -> Result<String, String> {
    let signals = &fleet.speech.signals;
    // A profile has two hundred, and a text names a few.
    for (name, signal) in signals.iter().filter(|(name, _)| text.contains(name.as_str())) {
        values.insert(name.clone(), in_brackets(&view.query(signal, None)?).into());
    }
    values.insert("select".into(), view.select.clone().into());
    values.insert("by".into(), BY.into());
    values.insert("range".into(), view.range.clone().into());
    values.insert("threshold".into(), json!(fleet.thresholds));
    if text.contains("signal_over") {
        add_signal_over(&mut engine, view.clone(), signals.clone());
    }
    template::expand(&engine, text.trim(), Value::Object(values))
}

/// `signal_over('peers', '30m')`: a signal's query over another window.
fn add_signal_over(engine: &mut Environment<'_>, view: View, signals: BTreeMap<String, Signal>) {
    let signals = Arc::new(signals);
    engine.add_function("signal_over", move |name: String, range: String| {
        let signal = signals.get(&name).ok_or_else(|| refused(format!("no signal {name:?}")))?;
        view.query(signal, Some(&range)).map(|query| in_brackets(&query)).map_err(refused)
    });
}

fn refused(what: String) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what)
}

/// In brackets, so that operators around it mean all of it.
fn in_brackets(query: &str) -> String {
    format!("({query})")
}

/// Divides each window, offset and step of a query.
pub(crate) fn accelerated(query: &str, by: u64) -> String {
    if by <= 1 {
        return query.to_owned();
    }
    let mut fast = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.find(['[', 'o']) {
        let (before, from) = rest.split_at(at);
        fast.push_str(before);
        let opening = if from.starts_with("offset ") { "offset " } else { from.get(..1).unwrap_or_default() };
        fast.push_str(opening);
        rest = from.get(opening.len()..).unwrap_or_default();
        if opening == "o" {
            continue;
        }
        rest = push_divided(rest, by, &mut fast);
        if let Some(step) = rest.strip_prefix(':').filter(|_| opening == "[") {
            fast.push(':');
            rest = push_divided(step, by, &mut fast);
        }
    }
    fast.push_str(rest);
    fast
}

/// Writes the duration with which a text begins, divided; what comes after it.
fn push_divided<'a>(text: &'a str, by: u64, fast: &mut String) -> &'a str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (duration, after) = text.split_at(end);
    match duration.parse::<Duration>() {
        Ok(duration) => fast.push_str(&duration.divided(by).to_string()),
        Err(_) => fast.push_str(duration),
    }
    after
}

#[cfg(test)]
mod tests {
    use super::{accelerated, jobs_of_life};
    use crate::Inventory;

    fn life_of(fleet: &str) -> String {
        let fleet = format!("[[fleet]]\nname = \"f.test\"\nnodes = {{ one = \"10.0.0.1\" }}\n{fleet}");
        let inventory = Inventory::read("fleet.toml", &fleet).unwrap_or_else(|all| panic!("{all}"));
        jobs_of_life(&inventory.fleets[0])
    }

    #[test]
    fn what_a_node_shares_with_others_does_not_tell_that_it_lives() {
        assert_eq!(life_of("profile = \"logos-delivery\"\nendpoints = { postgres = true }"), "lifeboat|node");
    }

    #[test]
    fn where_nothing_else_is_scraped_what_is_shared_tells_that_a_node_lives() {
        assert_eq!(life_of("profile = \"host\""), "host");
        assert_eq!(
            life_of("profile = \"logos-delivery\"\nendpoints = { node = false, lifeboat = false }"),
            "host"
        );
    }

    #[test]
    fn a_name_is_no_pattern() {
        assert_eq!(super::plain_in_pattern("a.b"), r"a\\.b");
        assert_eq!(super::plain_in_pattern("a-b_c"), "a-b_c");
    }

    #[test]
    fn windows_shrink_and_nothing_else() {
        let query = r#"rate(a{to="1m"}[2m]) > on(node) b offset 5m and c[30s:15s] and d[1h]"#;
        let fast = r#"rate(a{to="1m"}[8s]) > on(node) b offset 20s and c[2s:1s] and d[4m]"#;
        assert_eq!(accelerated(query, 15), fast);
    }
}
