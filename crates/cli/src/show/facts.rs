//! What is known beside the stacks: who died and when, tags, contexts, and what could not be captured.

use lifeboat_monitor::spool::Stored;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;
use unicode_width::UnicodeWidthStr;

use crate::event::{Event, plain};
use crate::show::course::is_words;
use crate::show::page::{BOLD, DIM, PLAIN, Page, YELLOW, fit};
use crate::show::timeline::duration;

/// The contexts that say most come first; others follow in their own order.
pub(super) const ORDER: [&str; 3] = ["process", "node", "runtime"];

/// The lines that an operator looks for first.
pub(crate) fn summary(page: &mut Page, event: &Event<'_>, stored: &Stored) {
    pair(page, ("node", event.node()), ("fleet", event.fleet()));
    pair(
        page,
        ("release", event.text("/release").unwrap_or_default()),
        ("environment", event.text("/environment").unwrap_or_default()),
    );
    pair(page, ("cause", &cause(event)), ("dist", event.text("/dist").unwrap_or_default()));
    let id = stored.event_id.simple().to_string();
    pair(page, ("when", &when(event)), ("", ""));
    pair(page, ("report", &id), ("", ""));
}

/// The tags, as many on a line as fit.
pub(crate) fn tags(page: &mut Page, event: &Event<'_>) {
    let tags = untold_tags(event);
    if tags.is_empty() {
        return;
    }
    page.section("TAGS", "");
    // A no-break space would keep a pair together; two ordinary ones keep pairs apart.
    let words: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    page.wrapped(PLAIN, "  ", &words.join("  "));
}

/// The tags that the head of the page has not told.
pub(super) fn untold_tags<'a>(event: &Event<'a>) -> Vec<(&'a str, String)> {
    let is_told = |key: &str, value: &str| match key {
        "cause" => event.cause() == value,
        "fleet" => event.fleet() == value,
        "node" => event.node() == value,
        _ => false,
    };
    let mut tags = event.tags();
    tags.retain(|(key, value)| !is_told(key, value));
    tags
}

/// The death without what the head of the page says: its cause, its status, how long the node lived.
fn untold_death(event: &Event<'_>, death: &Map<String, Value>) -> Map<String, Value> {
    let status = death.get("exit_status").and_then(Value::as_i64);
    let is_titled = status.is_some_and(|status| {
        let title = event.title();
        let words: Vec<&str> = title.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        words.windows(2).any(|pair| matches!(pair, ["status", number] if *number == status.to_string()))
    });
    let is_told = |key: &str, value: &Value| match key {
        "cause" => true,
        "uptime_seconds" | "uptime" => event.timestamp().is_some(),
        "exit_status" => is_titled,
        "end" => match value.as_str() {
            Some("exited") => status.is_some(),
            Some("ended by a signal") => death.contains_key("signal"),
            _ => false,
        },
        _ => false,
    };
    let untold = death.iter().filter(|(key, value)| !is_told(key, value));
    untold.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The death in full, then the other contexts, one paragraph each.
pub(crate) fn contexts(page: &mut Page, event: &Event<'_>) {
    let Some(all) = event.fields("/contexts") else { return };
    if let Some(Value::Object(death)) = all.get("death") {
        in_full(page, heading(event), &untold_death(event, death));
    }
    let told = |name: &str| matches!(name, "death" | "course" | "metrics") || ORDER.contains(&name);
    let rest = all.keys().map(String::as_str).filter(|name| !told(name));
    let ordered = ORDER.into_iter().chain(rest);
    let mut folded: Vec<(&str, String)> =
        ordered.filter_map(|name| Some((name, in_short(all.get(name)?.as_object()?)))).collect();
    folded.extend(event.fields("/extra").map(|extra| ("extra", in_short(extra))));
    folded.retain(|(_, text)| !text.is_empty());
    if folded.is_empty() {
        return;
    }
    page.section("CONTEXT", "");
    let column = folded.iter().map(|(name, _)| name.width()).max().unwrap_or_default().min(20);
    for (name, text) in folded {
        page.wrapped_after(&[(DIM, &format!("  {}  ", fit(name, column)))], PLAIN, &text);
    }
}

/// What came: not every report tells of a death.
fn heading(event: &Event<'_>) -> &'static str {
    match event.cause() {
        "error" => "ERROR",
        "hang" => "HANG",
        _ => "DEATH",
    }
}

/// What could not be captured, and what is less than certain.
pub(crate) fn notes(page: &mut Page, event: &Event<'_>) {
    let notes = all_notes(event);
    if notes.is_empty() {
        return;
    }
    page.section("NOTES", "what this report does not show, or not for certain");
    for note in notes {
        page.wrapped(YELLOW, "  ", &plain(note));
    }
}

/// The notes of all contexts.
pub(super) fn all_notes<'a>(event: &Event<'a>) -> Vec<&'a Value> {
    let contexts =
        event.fields("/contexts").into_iter().flatten().filter_map(|(_, context)| context.get("notes"));
    let extra = event.fields("/extra").and_then(|extra| extra.get("notes"));
    contexts.chain(extra).flat_map(flatten).collect()
}

fn pair(page: &mut Page, left: (&str, &str), right: (&str, &str)) {
    if left.1.is_empty() && right.1.is_empty() {
        return;
    }
    let value = |value: &str| if value.is_empty() { "–".to_owned() } else { value.to_owned() };
    if right.0.is_empty() || right.1.is_empty() {
        page.line(&[(DIM, &fit(left.0, 10)), (BOLD, &value(left.1))]);
        return;
    }
    let column = (page.width() / 2).saturating_sub(10);
    // A value that its column cannot hold gets a line of its own.
    if left.1.width() > column {
        page.line(&[(DIM, &fit(left.0, 10)), (BOLD, &value(left.1))]);
        page.line(&[(DIM, &fit(right.0, 10)), (BOLD, &value(right.1))]);
        return;
    }
    page.line(&[
        (DIM, &fit(left.0, 10)),
        (BOLD, &fit(&value(left.1), column)),
        (DIM, &fit(right.0, 13)),
        (BOLD, &value(right.1)),
    ]);
}

fn cause(event: &Event<'_>) -> String {
    match event.text("/contexts/death/suspected") {
        Some(suspected) => format!("{}, suspected: {suspected}", event.cause()),
        None => event.cause().to_owned(),
    }
}

fn when(event: &Event<'_>) -> String {
    let Some(when) = event.timestamp() else { return String::new() };
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let mut text = when.format(&format).unwrap_or_default();
    let ago = (OffsetDateTime::now_utc() - when).as_seconds_f64();
    if ago >= 0.0 {
        text.push_str(&format!(", {} ago", duration(ago)));
    }
    if let Some(uptime) = uptime(event) {
        text.push_str(&format!(", after {} up", duration(uptime)));
    }
    text
}

/// How long the node lived, in seconds.
pub(super) fn uptime(event: &Event<'_>) -> Option<f64> {
    let death = event.fields("/contexts/death")?;
    death.get("uptime_seconds").or_else(|| death.get("uptime"))?.as_f64()
}

fn in_full(page: &mut Page, name: &str, fields: &Map<String, Value>) {
    let lines: Vec<(String, String)> = shown(fields).collect();
    if lines.is_empty() {
        return;
    }
    page.section(name, "");
    let column = lines.iter().map(|(key, _)| key.width()).max().unwrap_or_default().min(28);
    for (key, text) in lines {
        page.wrapped_after(&[(DIM, &format!("  {}  ", fit(&key, column)))], PLAIN, &text);
    }
}

fn in_short(fields: &Map<String, Value>) -> String {
    shown(fields).map(|(key, text)| format!("{key} {text}")).collect::<Vec<_>>().join(" · ")
}

pub(super) fn shown(fields: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    let told = |key: &str| !matches!(key, "type" | "notes") && !is_words(key);
    let fields = fields.iter().filter(move |(key, value)| told(key) && !value.is_null());
    fields.map(|(key, value)| readable(key, value))
}

/// The key as words and the value with its unit, which stands in the key's last word.
fn readable(key: &str, value: &Value) -> (String, String) {
    let words = |key: &str| key.replace('_', " ");
    match (key.rsplit_once('_'), value.as_f64()) {
        (Some((name, "bytes")), Some(bytes)) => (words(name), size(bytes)),
        (Some((name, "seconds")), Some(seconds)) => (words(name), duration(seconds)),
        // Sentry's own device context counts in bytes: <https://develop.sentry.dev/sdk/data-model/event-payloads/contexts/>.
        (Some((_, "size" | "memory")), Some(bytes)) => (words(key), size(bytes)),
        _ => (words(key), list(value)),
    }
}

fn list(value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join("  ")
        }
        other => plain(other),
    }
}

pub(super) fn size(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = units.iter().enumerate().find(|(step, _)| bytes.abs() < 1024_f64.powi(*step as i32 + 1));
    let (step, unit) = step.map_or((4, "TiB"), |(step, unit)| (step, *unit));
    let value = bytes / 1024_f64.powi(step as i32);
    if step == 0 { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

fn flatten(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}
