//! The head of the page: what died, why, since when, and which node it was.

use maud::{Markup, html};
use serde_json::{Map, Value};
use time::macros::format_description;

use super::{breakable, counted, row, shortened};
use crate::event::Event;
use crate::show::facts::{shown, uptime};
use crate::show::frames::{frames_of, holder, text, thread_name};
use crate::show::timeline::duration;

/// A longer title stands in short, with the whole of it folded below.
const TITLE_MAX: usize = 160;
/// What the columns say by themselves; other fields of the death follow as they are.
const TOLD: [&str; 10] = [
    "cause",
    "code",
    "code_name",
    "exit_status",
    "fault_address_class",
    "restarts",
    "signal",
    "thread_id",
    "uptime",
    "uptime_seconds",
];

/// Title, place, and three columns: why, when, who.
pub(super) fn header(event: &Event<'_>) -> Markup {
    let title = event.title();
    let short = shortened(&title, TITLE_MAX);
    html! {
        header class="head" {
            p class="eyebrow" {
                (sentence(event.cause()))
                @if let Some(level) = event.text("/level") { span class="badge" { (level) } }
            }
            h1 { (titled(&short)) }
            @if short != title.trim() {
                details {
                    summary { "The whole message, " (counted(title.chars().count(), "character")) }
                    pre { (title) }
                }
            }
            (place(event))
            div class="facts" {
                section { h2 { "Why" } table { (why(event)) } }
                section class="when" { h2 { "When" } table { (when(event)) } }
                section { h2 { "Which node" } table { (who(event)) } }
            }
        }
    }
}

/// What a cause means, for one who has just been woken.
pub(super) fn sentence(cause: &str) -> &str {
    match cause {
        "signal" => "Died by a signal",
        "panic" => "Died of a panic",
        "nim-exception" => "Died of a Nim exception",
        "cpp-exception" => "Died of a C++ exception",
        "exit" => "Ended by itself, with a failing status",
        "oom-kill" => "Killed for lack of memory",
        "killed" => "Killed from outside",
        "hang" => "Hangs: no heartbeat",
        "power-loss" => "Lost with its machine",
        "error" => "A handled error: the node lives on",
        "unknown" => "Gone, and nothing says why",
        "" => "A report without a cause",
        other => other,
    }
}

/// What colour the page gives the worst that it has to say.
pub(super) fn level_class(event: &Event<'_>) -> &'static str {
    match event.text("/level") {
        Some("debug" | "info") => "mild",
        Some("warning") => "warned",
        _ => "grave",
    }
}

/// The type in colour, as it is what one looks for first.
fn titled(title: &str) -> Markup {
    match title.split_once(": ").filter(|(kind, _)| !kind.contains(' ')) {
        Some((kind, words)) => html! { span class="type" { (breakable(kind)) ":" } " " (words) },
        None => html! { (title) },
    }
}

/// The innermost function of the program's own.
fn place(event: &Event<'_>) -> Markup {
    let frames = holder(event).map(|holder| frames_of(holder, event)).unwrap_or_default();
    let thread = holder(event).map(|holder| thread_name(holder, event)).filter(|name| !name.is_empty());
    let frame = frames.iter().find(|frame| frame.is_own).or(frames.first());
    html! {
        @if frame.is_some() || thread.is_some() {
            p class="place" {
                @if let Some(frame) = frame {
                    span { "in " code { (breakable(&frame.name)) } }
                    @if !frame.place.is_empty() { " " span { "at " code { (breakable(&frame.place)) } } }
                }
                @if let Some(thread) = thread { " " span { "on thread " code { (thread) } } }
            }
        }
    }
}

fn why(event: &Event<'_>) -> Markup {
    let empty = Map::new();
    let death = event.fields("/contexts/death").unwrap_or(&empty);
    let is_suspicion = |key: &str| key.starts_with("suspected") || key.starts_with("evidence");
    let fields = |wanted: bool| -> Map<String, Value> {
        let kept =
            death.iter().filter(|(key, _)| !TOLD.contains(&key.as_str()) && is_suspicion(key) == wanted);
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let number = |name: &str| death.get(name).and_then(Value::as_i64).map(|number| number.to_string());
    html! {
        (row("cause", Some(event.cause()).filter(|cause| !cause.is_empty()).unwrap_or("not told")))
        @for (key, value) in shown(&fields(true)) { (row(&key, &value)) }
        (row("mechanism", &mechanism(event)))
        (row("signal", &signal(event, death)))
        (row("fault address", event.text("/contexts/death/fault_address_class").unwrap_or_default()))
        (row("exit status", &number("exit_status").unwrap_or_default()))
        @for (key, value) in shown(&fields(false)) { (row(&key, &value)) }
    }
}

/// "signalhandler, not handled".
fn mechanism(event: &Event<'_>) -> String {
    let exceptions = event.exceptions();
    let Some(mechanism) = exceptions.first().and_then(|exception| exception.get("mechanism")) else {
        return String::new();
    };
    let kind = text(mechanism, "type").unwrap_or_default();
    match mechanism.get("handled").and_then(Value::as_bool) {
        Some(true) => format!("{kind}, handled"),
        Some(false) => format!("{kind}, not handled"),
        None => kind.to_owned(),
    }
}

/// "SIGSEGV (11), SEGV_MAPERR (1)", as far as it is known.
fn signal(event: &Event<'_>, death: &Map<String, Value>) -> String {
    let exceptions = event.exceptions();
    let meta = exceptions.first().and_then(|exception| exception.pointer("/mechanism/meta/signal"));
    let field = |own: &str, meta_name: &str| {
        death.get(own).or_else(|| meta?.get(meta_name)).filter(|value| !value.is_null()).cloned()
    };
    let number = meta.and_then(|meta| meta.get("number")).cloned();
    let named = |name: Option<Value>, number: Option<Value>| match (name, number) {
        (Some(Value::String(name)), Some(Value::Number(number))) => format!("{name} ({number})"),
        (Some(Value::String(name)), _) => name,
        (_, Some(Value::Number(number))) => number.to_string(),
        (Some(Value::Number(number)), _) => number.to_string(),
        _ => String::new(),
    };
    let code = named(field("code_name", "code_name"), None);
    let code = if code.is_empty() { named(field("code", "code"), None) } else { code };
    let parts = [named(field("signal", "name"), number), code];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn when(event: &Event<'_>) -> Markup {
    let moment = event.timestamp();
    let day = format_description!("[weekday repr:short] [year]-[month]-[day]");
    let clock = format_description!("[hour]:[minute]:[second] UTC");
    let day = moment.and_then(|moment| moment.format(&day).ok());
    let clock = moment.and_then(|moment| moment.format(&clock).ok());
    let restarts = event.fields("/contexts/death").and_then(|death| death.get("restarts")?.as_u64());
    html! {
        (row("time", &clock.unwrap_or_else(|| "not known".to_owned())))
        (row("day", &day.unwrap_or_default()))
        (row("uptime", &uptime(event).map(duration).unwrap_or_default()))
        (row("restarts", &restarts.map(|restarts| restarts.to_string()).unwrap_or_default()))
    }
}

fn who(event: &Event<'_>) -> Markup {
    let node = if event.node().is_empty() { "not named" } else { event.node() };
    html! {
        (row("node", node))
        (row("fleet", event.fleet()))
        (row("release", event.text("/release").unwrap_or_default()))
        (row("environment", event.text("/environment").unwrap_or_default()))
        (row("commit", event.text("/dist").unwrap_or_default()))
    }
}
