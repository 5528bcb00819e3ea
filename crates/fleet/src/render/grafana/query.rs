//! A panel's expressions become PromQL for all fleets of an inventory, with Grafana's variables in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::inventory::{Fleet, Inventory};
use crate::profile::Signal;
use crate::render::expression::{BY, MEANT_OTHERWISE, View};
use crate::render::relabel::plain_regex;
use crate::template;

/// Matchers of what is chosen at the head of a dashboard.
pub(super) const CHOSEN: &str = r#"fleet=~"$fleet",dc=~"$dc",node=~"$node""#;

/// The window of rates: Grafana takes four scrapes at least, and more where a point stands for more.
const RANGE: &str = "$__rate_interval";

/// The first expression whose signals a fleet has; and of its nodes that do not answer to that one, the next. So a node
/// without a monitor stands beside those that have one. None where no fleet has the signals of any.
pub(super) fn of_fleets<'a>(
    texts: impl IntoIterator<Item = &'a String>,
    inventory: &Inventory,
) -> Result<Option<String>, String> {
    let mut ways = Vec::new();
    for text in texts {
        let names = signals_in(text)?;
        let with: Vec<&Fleet> = inventory.fleets.iter().filter(|fleet| has_all(fleet, &names)).collect();
        if !with.is_empty() {
            ways.push((text, names, with));
        }
    }
    let is_one = ways.len() == 1;
    let expanded = ways.iter().map(|(text, names, fleets)| {
        let is_for_all = is_one || fleets.len() == inventory.fleets.len();
        let signals = names.iter().map(|name| (name.clone(), Signals::of(name, fleets, is_for_all)));
        let named = fleets.iter().map(|fleet| fleet.name.as_str());
        let select = if is_for_all { CHOSEN.to_owned() } else { chosen_of(named) };
        expand(text, &select, signals.collect())
    });
    let expanded: Vec<String> = expanded.collect::<Result<_, _>>()?;
    // Only by these labels: the one may tell more of a node than the other, and would have it twice.
    let or = format!(" or on ({BY}) ");
    Ok(match expanded.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(&or)),
    })
}

/// Whether a fleet has every one of these signals.
pub(super) fn has_all<'a>(fleet: &Fleet, names: impl IntoIterator<Item = &'a String>) -> bool {
    names.into_iter().all(|name| fleet.speech.signals.contains_key(name))
}

/// The signals that an expression names.
fn signals_in(text: &str) -> Result<BTreeSet<String>, String> {
    let engine = template::engine()?;
    let template = engine.template_from_str(text).map_err(|error| error.to_string())?;
    let mut names: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    for word in MEANT_OTHERWISE {
        names.remove(word);
    }
    let over = text.split("signal_over(").skip(1).filter_map(|rest| rest.split(['\'', '"']).nth(1));
    names.extend(over.map(str::to_owned));
    Ok(names)
}

/// The ways in which fleets define one signal, each with the fleets that do.
#[derive(Clone, Debug)]
struct Signals {
    ways: Vec<(Signal, Vec<String>)>,
    /// Whether all fleets that have the signal are asked by it, and all in the same way.
    is_for_all: bool,
}

impl Signals {
    fn of(name: &str, fleets: &[&Fleet], is_for_all: bool) -> Self {
        let mut ways: Vec<(Signal, Vec<String>)> = Vec::new();
        for fleet in fleets {
            let Some(signal) = fleet.speech.signals.get(name) else { continue };
            let is_same = |other: &Signal| {
                (&other.query, &other.endpoint, &other.by) == (&signal.query, &signal.endpoint, &signal.by)
            };
            match ways.iter_mut().find(|(other, _)| is_same(other)) {
                Some((_, named)) => named.push(fleet.name.clone()),
                None => ways.push((signal.clone(), vec![fleet.name.clone()])),
            }
        }
        let is_for_all = is_for_all && ways.len() == 1;
        Self { ways, is_for_all }
    }

    /// `(a)`, or `((a) or (b))` with each for its own fleets: what the one calls peers may be something else to the other.
    fn query(&self, range: &str) -> Result<String, String> {
        let view = |select: String| View { select, range: range.to_owned() };
        if self.is_for_all
            && let [(signal, _)] = self.ways.as_slice()
        {
            return view(CHOSEN.to_owned()).query(signal, None).map(|query| format!("({query})"));
        }
        let one = |(signal, fleets): &(Signal, Vec<String>)| {
            view(chosen_of(fleets.iter().map(String::as_str)))
                .query(signal, None)
                .map(|query| format!("({query})"))
        };
        let ways: Vec<String> = self.ways.iter().map(one).collect::<Result<_, _>>()?;
        Ok(match ways.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(" or ")),
        })
    }
}

/// Matchers of what is chosen, of these fleets alone.
fn chosen_of<'a>(fleets: impl Iterator<Item = &'a str>) -> String {
    let fleets = fleets.map(plain_regex).collect::<Vec<_>>().join("|");
    // JSON's quotes and escapes are PromQL's.
    format!("{CHOSEN},fleet=~{}", Value::from(fleets))
}

/// An expression around another, which stands for `${it}`.
pub(super) fn around(text: &str, it: &str) -> Result<String, String> {
    let values = json!({ "it": it, "select": CHOSEN, "by": BY, "range": RANGE });
    template::expand(&template::engine()?, text.trim(), values)
}

fn expand(text: &str, select: &str, signals: BTreeMap<String, Signals>) -> Result<String, String> {
    let mut values = Map::new();
    for (name, signal) in &signals {
        values.insert(name.clone(), signal.query(RANGE)?.into());
    }
    values.insert("select".into(), select.into());
    values.insert("by".into(), BY.into());
    values.insert("range".into(), RANGE.into());
    let mut engine = template::engine()?;
    let signals = Arc::new(signals);
    engine.add_function("signal_over", move |name: String, range: String| {
        let refused = |what: String| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what);
        let signal = signals.get(&name).ok_or_else(|| refused(format!("no signal {name:?}")))?;
        signal.query(&range).map_err(refused)
    });
    template::expand(&engine, text.trim(), json!(values))
}
