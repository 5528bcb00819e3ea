//! How the node said that it was: components that were not well, and the age of every heartbeat. Loops that were late stand in
//! the section `death` too.

use std::collections::BTreeMap;

use lifeboat_recorder::{ComponentView, HeartbeatView, component_state};
use sentry_types::protocol::v7::Value;

use super::case::Case;
use super::contexts::key;
use super::scrub::Scrubber;
use super::text::{clean, cut, one_line};

const VALUE_MAX: usize = 512;

/// The section `health`; empty where the node said nothing, or only that it was well.
pub(super) fn context(case: &Case<'_>, scrubber: &Scrubber) -> BTreeMap<String, Value> {
    let Some(health) = case.recorder.health() else { return BTreeMap::new() };
    let now_ns = case.fault.map_or(case.capture.captured_boottime_ns, |fault| fault.boottime_ns);
    let mut told = BTreeMap::new();
    let mut put = |name: &[u8], before: &str, value: String| {
        // `type` says how Sentry shows the section.
        let name = key(format!("{before}{}", scrubber.text(&clean(name))).as_bytes());
        let name = if name == "type" { "kind".to_owned() } else { name };
        told.insert(name, Value::from(cut(value, VALUE_MAX)));
    };
    // Where two names look alike the worse is told.
    let mut unwell: Vec<_> =
        health.components().filter(|component| component.state != component_state::OK).collect();
    unwell.sort_by_key(|component| component.state);
    for component in unwell {
        put(component.name, "", component_sentence(&component, now_ns, scrubber));
    }
    for beat in health.heartbeats().filter(|beat| beat.deadline_ms != 0 && now_ns != 0) {
        put(beat.name, "heartbeat.", heartbeat_sentence(&beat, now_ns));
    }
    told
}

/// `failing since 12 s: disk full`.
fn component_sentence(component: &ComponentView<'_>, now_ns: u64, scrubber: &Scrubber) -> String {
    let state = match component.state {
        component_state::DEGRADED => "degraded",
        component_state::FAILING => "failing",
        _ => "unknown",
    };
    let since = now_ns.checked_sub(component.since_boottime_ns).filter(|_| now_ns != 0);
    let since = since.map(|age_ns| format!(" since {} s", age_ns / 1_000_000_000)).unwrap_or_default();
    let detail = one_line(&scrubber.text(&clean(component.detail)), VALUE_MAX);
    if detail.is_empty() { format!("{state}{since}") } else { format!("{state}{since}: {detail}") }
}

/// `0.3 s old, due every 5 s`.
fn heartbeat_sentence(beat: &HeartbeatView<'_>, now_ns: u64) -> String {
    let age_s = (beat.age_ns(now_ns) / 100_000_000) as f64 / 10.0;
    format!("{age_s} s old, due every {} s", f64::from(beat.deadline_ms) / 1e3)
}
