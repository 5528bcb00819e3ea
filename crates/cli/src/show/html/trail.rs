//! The breadcrumbs as a line through time that ends in the death. A level is told by shape, colour and word.

use maud::{Markup, html};
use serde_json::Value;
use time::macros::format_description;

use super::{counted, shortened};
use crate::event::{Event, moment};
use crate::show::timeline::{distance, text, words};

/// Older ones are folded: the last ones tell the most.
const SHOWN_MAX: usize = 25;
const TITLE_MAX: usize = 120;

/// The trail, oldest first.
pub(super) fn section(event: &Event<'_>) -> Markup {
    let all = event.breadcrumbs();
    let is_after = |crumb: &&Value| {
        let when = crumb.get("timestamp").and_then(moment);
        when.zip(event.timestamp()).is_some_and(|(when, death)| when > death)
    };
    let (before, after) =
        all.split_at_checked(all.iter().position(is_after).unwrap_or(all.len())).unwrap_or((&all, &[]));
    let (earlier, last) =
        before.split_at_checked(before.len().saturating_sub(SHOWN_MAX)).unwrap_or((&[], before));
    html! {
        section {
            h2 {
                "What led to it "
                @if !all.is_empty() { span class="beside" { (counted(all.len(), "breadcrumb")) } }
            }
            @if all.is_empty() {
                p class="empty" { "The node left no breadcrumbs." }
            } @else {
                @if !earlier.is_empty() {
                    details class="earlier" {
                        summary { (earlier.len()) " earlier" }
                        ol class="trail" { @for crumb in earlier { (breadcrumb(crumb, event)) } }
                    }
                }
                ol class="trail" {
                    @for crumb in last { (breadcrumb(crumb, event)) }
                    li class="crumb end" {
                        span class="before" { "0" }
                        span class="said" { (shortened(&event.title(), TITLE_MAX)) }
                    }
                    @for crumb in after { (breadcrumb(crumb, event)) }
                }
            }
        }
    }
}

fn breadcrumb(crumb: &Value, event: &Event<'_>) -> Markup {
    let when = crumb.get("timestamp").and_then(moment);
    let before = when.zip(event.timestamp()).map(|(when, death)| distance(death, when));
    let clock = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
    let clock = when.and_then(|when| when.format(&clock).ok());
    // Sentry leaves out the level that most have.
    let level = Some(text(crumb, "level")).filter(|level| !level.is_empty()).unwrap_or("info");
    html! {
        li class=(class(level)) {
            span class="before" { (before.as_deref().unwrap_or("–")) }
            span class="level" { (level) }
            span class="category" { (text(crumb, "category")) }
            span class="said" { (words(crumb)) }
            span class="clock" { (clock.unwrap_or_default()) }
        }
    }
}

fn class(level: &str) -> &'static str {
    match level {
        "fatal" | "critical" => "crumb fatal",
        "error" => "crumb error",
        "warning" => "crumb warning",
        "debug" => "crumb debug",
        _ => "crumb",
    }
}
