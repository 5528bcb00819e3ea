//! A report as one page for a browser: no script, nothing loaded, everything in one file.
//!
//! Texts of the report reach the page through maud's splices, which escape them, and stand between tags only: no
//! attribute holds one. `page` then makes visible what is left that could steer. The page is made from the event
//! alone, so it tells nothing of the machine that it was made on and may be handed on.

mod facts;
mod scrubbed;
mod stack;
mod summary;
mod trail;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use uuid::Uuid;

use crate::clean;
use crate::event::Event;

/// Ours to the last byte: it may stand there unescaped.
const STYLE: &str = include_str!("page.css");
/// Were escaping broken, a browser would still run and load nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const TITLE_MAX: usize = 80;

/// The whole page.
pub(super) fn page(value: &Value, id: Uuid) -> String {
    let event = Event::new(value);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (title(&event)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main class=(summary::level_class(&event)) {
                    (summary::header(&event))
                    (stack::section(&event))
                    (stack::chained(&event))
                    (stack::threads(&event))
                    (trail::section(&event))
                    (facts::course(&event))
                    (facts::metrics(&event))
                    (facts::tables(&event))
                    (facts::notes(&event))
                    (scrubbed::section(value))
                    (facts::footer(&event, id))
                }
            }
        }
    };
    clean::visible(&markup.into_string()) + "\n"
}

fn title(event: &Event<'_>) -> String {
    let title = shortened(&event.title(), TITLE_MAX);
    match event.node() {
        "" => title,
        node => format!("{title} · {node}"),
    }
}

/// The first line, at most so many characters of it.
fn shortened(text: &str, max: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    let mut short: String = line.chars().take(max).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

/// A text that may break behind its `::` and `/`, as long names and paths do.
fn breakable(text: &str) -> Markup {
    html! {
        @for part in text.split_inclusive("::").flat_map(|part| part.split_inclusive('/')) {
            (part) wbr;
        }
    }
}

/// "1 frame", "2 frames".
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// One fact: its name and what is known of it. What is not known has no row.
fn row(name: &str, value: &str) -> Markup {
    html! {
        @if !value.is_empty() {
            tr { th scope="row" { (name) } td { (value) } }
        }
    }
}
