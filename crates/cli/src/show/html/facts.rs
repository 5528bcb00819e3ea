//! What is known beside stacks and breadcrumbs, as tables; what is not known; and the foot of the page.

use maud::{Markup, html};
use serde_json::Value;
use uuid::Uuid;

use super::{row, stack};
use crate::event::{Event, plain};
use crate::show::facts::{ORDER, all_notes, shown, untold_tags};
use crate::show::{course, metrics};

/// The last values of the node's metrics.
pub(super) fn metrics(event: &Event<'_>) -> Markup {
    let values = metrics::rows(event);
    html! {
        @if !values.is_empty() {
            section {
                h2 { "Metrics " span class="beside" { "last values" } }
                table class="metrics" {
                    @for (name, value) in values {
                        tr { th scope="row" { code { (name) } } td { (value) } }
                    }
                }
            }
        }
    }
}

/// What the node needed over its last minutes.
pub(super) fn course(event: &Event<'_>) -> Markup {
    let rows = course::rows(event);
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Course " span class="beside" { "the last minutes" } }
                table class="metrics" {
                    @for row in rows {
                        tr { th scope="row" { (row.name) } td { (row.words) } td { code { (row.bars) } } }
                    }
                }
            }
        }
    }
}

/// The tags, then the contexts that no other part of the page has told.
pub(super) fn tables(event: &Event<'_>) -> Markup {
    let all = event.fields("/contexts");
    let rest = all.into_iter().flat_map(|all| all.keys()).map(String::as_str);
    let rest = rest.filter(|name| !matches!(*name, "death" | "metrics" | "course") && !ORDER.contains(name));
    let named = ORDER.into_iter().chain(rest).filter_map(|name| Some((name, all?.get(name)?.as_object()?)));
    let extra = event.fields("/extra").map(|extra| ("extra", extra));
    let contexts = named.chain(extra).map(|(name, fields)| (name, shown(fields).collect::<Vec<_>>()));
    let tags = untold_tags(event).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let tables: Vec<(&str, Vec<(String, String)>)> =
        [("tags", tags)].into_iter().chain(contexts).filter(|(_, rows)| !rows.is_empty()).collect();
    html! {
        @if !tables.is_empty() {
            section {
                h2 { "Tags and contexts" }
                div class="contexts" {
                    @for (name, rows) in tables {
                        table {
                            caption { (name) }
                            @for (key, value) in rows { (row(&key, &value)) }
                        }
                    }
                }
            }
        }
    }
}

/// What could not be captured, and what is less than certain.
pub(super) fn notes(event: &Event<'_>) -> Markup {
    let notes: Vec<&Value> = all_notes(event);
    html! {
        @if !notes.is_empty() {
            section {
                h2 { "Not captured, or not certain" }
                ul class="notes" { @for note in notes { li { (plain(note)) } } }
            }
        }
    }
}

/// Which report this is and what made it.
pub(super) fn footer(event: &Event<'_>, id: Uuid) -> Markup {
    let maker = [event.text("/sdk/name"), event.text("/sdk/version")].into_iter().flatten();
    let maker = maker.collect::<Vec<_>>().join(" ");
    html! {
        footer {
            (stack::images(event))
            p {
                "Report " code class="id" { (id.simple()) }
                @if !maker.is_empty() { ", made by " (maker) }
            }
        }
    }
}
