//! The runbooks of `docs/runbooks`, one for each alert that stands, with what is true of these fleets in them: who is
//! asked, from which figure on, and the rule as Prometheus has it. Of the nodes, and of how many there are, `NODES.md` alone
//! speaks: one that comes or goes changes no other page.

mod markdown;
mod nodes;

use std::collections::{BTreeMap, BTreeSet};

use include_dir::{Dir, include_dir};

use super::tree::Tree;
use super::{Options, expression, rules};
use crate::catalogue::{Alert, Catalogue};
use crate::inventory::{Fleet, Inventory, Links};
use markdown::{code, in_markdown, url};

static OURS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/runbooks");

/// The page that lists all others.
const INDEX: &str = "README.md";

/// The word that stands for a fleet's name in the sources.
const FLEET: &str = "FLEET";

/// An alert, and the fleets in which it stands.
struct Standing<'a> {
    alert: &'a Alert,
    fleets: Vec<&'a Fleet>,
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let path = rules::path_of(inventory)?;
    let standing = standing(inventory, path.as_ref());
    let mut pages: BTreeSet<String> = standing.keys().map(|name| format!("{name}.md")).collect();
    pages.extend([INDEX.to_owned(), nodes::PAGE.to_owned()]);
    for (name, found) in &standing {
        let text = page(found, inventory, options, &pages)?;
        tree.add(format!("runbooks/{name}.md"), text);
    }
    tree.add(format!("runbooks/{INDEX}"), index(inventory, &pages));
    tree.add(format!("runbooks/{}", nodes::PAGE), nodes::page(inventory));
    Ok(())
}

fn standing<'a>(inventory: &'a Inventory, path: Option<&'a Fleet>) -> BTreeMap<&'a str, Standing<'a>> {
    let mut standing: BTreeMap<&str, Standing<'_>> = BTreeMap::new();
    for fleet in inventory.fleets.iter().chain(path) {
        for alert in rules::alerts_of(&inventory.catalogue, fleet) {
            let none = || Standing { alert, fleets: Vec::new() };
            standing.entry(&alert.name).or_insert_with(none).fleets.push(fleet);
        }
    }
    standing
}

fn source(page: &str) -> Option<&'static str> {
    OURS.get_file(page)?.contents_utf8()
}

fn page(
    found: &Standing<'_>,
    inventory: &Inventory,
    options: Options,
    pages: &BTreeSet<String>,
) -> Result<String, String> {
    let ours = source(&format!("{}.md", found.alert.name)).map(str::to_owned);
    let text = markdown::with_links_among(&ours.unwrap_or_else(|| stub(found.alert)), pages);
    // Of several fleets the reader puts in the one that the alert names.
    let text = match found.fleets.as_slice() {
        [fleet] if !fleet.is_path => markdown::with_word(&text, FLEET, &fleet.name),
        _ => text,
    };
    let text = with_engines(text, &inventory.links);
    let (head, rest) = match text.find("\n## ") {
        Some(at) => text.split_at(at + 1),
        None => (text.as_str(), ""),
    };
    let block = in_your_fleets(found, inventory, options);
    let rule = rule(found, options)?;
    let rest = if rest.is_empty() { String::new() } else { format!("\n{}\n", rest.trim_end()) };
    Ok(format!("{}\n\n{block}{rest}\n{rule}", head.trim_end()))
}

/// The text with the addresses of Prometheus and Alertmanager, where they are known and a shell takes them as they are.
fn with_engines(text: String, links: &Links) -> String {
    let known = [("http://PROMETHEUS", &links.prometheus), ("http://ALERTMANAGER", &links.alertmanager)];
    known.into_iter().fold(text, |text, (word, link)| match link {
        Some(link) if markdown::is_plain(link) => text.replace(word, link),
        _ => text,
    })
}

/// For an alert that is not ours: what it says of itself.
fn stub(alert: &Alert) -> String {
    let name = in_markdown(&alert.name);
    let said = in_markdown(alert.description.trim());
    format!("# {name}\n\n**{:?}** {said}\n", alert.severity)
}

fn in_your_fleets(found: &Standing<'_>, inventory: &Inventory, options: Options) -> String {
    let mut lines = String::from(
        "## In your fleets\n\n| Fleet | Owner | Figures in force | Holds for |\n|---|---|---|---|\n",
    );
    for fleet in &found.fleets {
        let (name, owner) = (called(fleet), in_markdown(&fleet.owner));
        let figures = figures(found.alert, fleet, &inventory.catalogue);
        let hold = match found.alert.hold.ms {
            0 => "no time".into(),
            _ => found.alert.hold.divided(options.accelerate).to_string(),
        };
        lines.push_str(&format!("| {name} | {owner} | {figures} | {hold} |\n"));
    }
    lines.push_str(&format!("\nAddresses, ports and owners of nodes: [{0}]({0}).", nodes::PAGE));
    let (dashboard, panel) = found.alert.panel.split_once('/').unwrap_or((&found.alert.panel, ""));
    if let Some(grafana) = &inventory.links.grafana {
        let there = url(&format!("{grafana}/d/lifeboat-{dashboard}"));
        lines.push_str(&format!(" Dashboard: [{dashboard}]({there}), panel `{panel}`."));
    }
    for (what, link) in [("Logs", &inventory.links.logs), ("Crash reports", &inventory.links.reports)] {
        // A link with holes in it would lead nowhere: it is shown, to be filled in.
        lines.extend(link.as_ref().map(|link| format!(" {what}: {}.", code(link))));
    }
    lines.push('\n');
    lines
}

/// A fleet's name, for a reader.
fn called(fleet: &Fleet) -> String {
    if fleet.is_path { "all".into() } else { in_markdown(&fleet.name) }
}

/// The thresholds that an alert asks, what they are in this fleet, and what they bound.
fn figures(alert: &Alert, fleet: &Fleet, catalogue: &Catalogue) -> String {
    let names = alert.expr.split("threshold.").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    });
    let names: BTreeSet<&str> = names.collect();
    let said = names.iter().filter_map(|name| {
        let help = catalogue.thresholds.get(*name).map_or("", |threshold| threshold.help.as_str());
        Some(format!("`{name}` = {} ({})", fleet.thresholds.get(*name)?, in_markdown(help)))
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "none".into() } else { said.join("; ") }
}

fn rule(found: &Standing<'_>, options: Options) -> Result<String, String> {
    let mut text = String::from("## The rule\n");
    for fleet in &found.fleets {
        let expr = expression::of_rule(&found.alert.expr, fleet, options.accelerate)?;
        text.push_str(&format!("\n{}:\n\n```promql\n{}\n```\n", called(fleet), expr.trim()));
    }
    Ok(text)
}

/// The index, without the runbooks of alerts that no fleet has.
fn index(inventory: &Inventory, pages: &BTreeSet<String>) -> String {
    let ours = source(INDEX).unwrap_or("# Runbooks\n");
    let stands = |line: &&str| match markdown::row_target(line) {
        Some(target) => pages.contains(target),
        None => true,
    };
    let kept: Vec<&str> = ours.lines().filter(stands).collect();
    let text = markdown::with_links_among(&kept.join("\n"), pages);
    let fleets = inventory
        .fleets
        .iter()
        .map(|fleet| format!("| {} | {} |\n", in_markdown(&fleet.name), in_markdown(&fleet.owner)));
    let fleets: String = fleets.collect();
    let (head, rest) = match text.find("\n## ") {
        Some(at) => text.split_at(at + 1),
        None => (text.as_str(), ""),
    };
    let table = format!("| Fleet | Owner |\n|---|---|\n{fleets}");
    format!(
        "{}\n\n## In your fleets\n\n{table}\nAddresses, ports and owners of nodes: [{1}]({1}).\n\n{2}\n",
        head.trim_end(),
        nodes::PAGE,
        rest.trim_end()
    )
}
