//! A panel's thresholds: steps where all fleets have the same figure, lines by a query where they have not.

use serde_json::{Value, json};

use super::query::{self, CHOSEN};
use crate::catalogue::Panel;
use crate::inventory::{Fleet, Inventory};

/// The figures of one threshold in the fleets that have the panel.
struct Figures<'a> {
    name: &'a str,
    of: Vec<(&'a str, f64)>,
}

impl<'a> Figures<'a> {
    fn all(panel: &'a Panel, inventory: &'a Inventory) -> Result<Vec<Self>, String> {
        let fleets: Vec<&Fleet> =
            inventory.fleets.iter().filter(|fleet| query::has_all(fleet, &panel.needs)).collect();
        let figures = |name: &'a String| {
            let of = fleets.iter().map(|fleet| {
                let figure = fleet.thresholds.get(name).copied();
                figure.map(|figure| (fleet.name.as_str(), figure))
            });
            let of: Option<Vec<_>> = of.collect();
            of.map(|of| Self { name, of }).ok_or_else(|| format!("no threshold {name:?}"))
        };
        panel.thresholds.iter().map(figures).collect()
    }

    /// The one figure, where all fleets have it.
    fn one(&self) -> Option<f64> {
        let (_, first) = *self.of.first()?;
        let is_first = |(_, figure): &(&str, f64)| figure.to_bits() == first.to_bits();
        self.of.iter().all(is_first).then_some(first)
    }

    fn is_floor(&self) -> bool {
        // `peers_min`, and `certificate_left_min_seconds` with its unit behind it.
        self.name.split('_').any(|word| word == "min")
    }
}

/// Grafana's steps: what is bad is red, what is nearly bad is orange, what is well is `well`.
pub(super) fn steps(panel: &Panel, inventory: &Inventory, well: &str) -> Result<Vec<Value>, String> {
    let all = Figures::all(panel, inventory)?;
    let sorted = |is_floor: bool| {
        let one = all.iter().filter(|figures| figures.is_floor() == is_floor).filter_map(Figures::one);
        let mut figures: Vec<f64> = one.collect();
        figures.extend(panel.bad_from.filter(|_| !is_floor));
        figures.sort_by(f64::total_cmp);
        figures
    };
    let (floors, ceilings) = (sorted(true), sorted(false));
    let step = |color: &str, from: Option<f64>| json!({ "color": color, "value": from.map(figure) });
    let shade = |place: usize, of: usize| if place + 1 == of { "red" } else { "orange" };
    let mut steps = Vec::new();
    // Below the lowest floor it is worst; above the highest ceiling too.
    let colours = (0..floors.len()).map(|place| shade(floors.len() - 1 - place, floors.len())).chain([well]);
    let from = [None].into_iter().chain(floors.iter().copied().map(Some));
    steps.extend(colours.zip(from).map(|(colour, from)| step(colour, from)));
    let over = ceilings.iter().enumerate();
    steps.extend(over.map(|(place, from)| step(shade(place, ceilings.len()), Some(*from))));
    Ok(steps)
}

/// A line for each fleet, where their figures differ: what it asks and its legend.
pub(super) fn lines(panel: &Panel, inventory: &Inventory) -> Result<Vec<(String, String)>, String> {
    let all = Figures::all(panel, inventory)?;
    let differing = all.iter().filter(|figures| figures.one().is_none() && !figures.of.is_empty());
    let line = |figures: &Figures<'_>| {
        let of_fleet = figures.of.iter().map(|(fleet, value)| {
            let expected = format!("fleet:node_expected:info{{{CHOSEN},fleet={}}}", Value::from(*fleet));
            format!("max by (fleet) ({expected}) * 0 + {value}")
        });
        let is = if figures.is_floor() { "floor" } else { "limit" };
        (of_fleet.collect::<Vec<_>>().join(" or "), format!("{is} of {{{{fleet}}}}"))
    };
    Ok(differing.map(line).collect())
}

/// Whole figures without a point, so that they read as somebody wrote them.
fn figure(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 is the same")]
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}
