//! The breadcrumbs: what led to the death, each with its distance from it.

use serde_json::Value;
use time::OffsetDateTime;

use crate::event::{Event, moment, plain};
use crate::show::page::{DIM, PLAIN, Page, RED, YELLOW, fit};

/// The trail before the death, oldest first; the last ones, at most `shown_max`, tell the most.
pub(crate) fn breadcrumbs(page: &mut Page, event: &Event<'_>, shown_max: usize) {
    let all = event.breadcrumbs();
    let hidden = all.len().saturating_sub(shown_max);
    let shown = all.get(hidden..).unwrap_or_default();
    if shown.is_empty() {
        return;
    }
    let beside =
        if hidden == 0 { all.len().to_string() } else { format!("the last {shown_max} of {}", all.len()) };
    page.section("BREADCRUMBS", &beside);
    let category_of = |crumb: &Value| text(crumb, "category").to_owned();
    let column =
        shown.iter().map(|crumb| category_of(crumb).chars().count()).max().unwrap_or_default().min(16);
    for crumb in shown {
        let level = text(crumb, "level");
        let style = match level {
            "fatal" | "error" => RED,
            "warning" => YELLOW,
            "debug" => DIM,
            _ => PLAIN,
        };
        let when = crumb.get("timestamp").and_then(moment).zip(event.timestamp());
        let before = when.map(|(when, death)| distance(death, when)).unwrap_or_default();
        let head = [
            (DIM, format!("{before:>13}  ")),
            (style, fit(level, 7)),
            (DIM, format!("  {}  ", fit(text(crumb, "category"), column))),
        ];
        let head: Vec<_> = head.iter().map(|(style, text)| (*style, text.as_str())).collect();
        page.wrapped_after(&head, style, &words(crumb));
    }
}

/// "0", "−400 µs", "−1.4 ms", "−12 ms", "−1.4 s", "−3 min 20 s", "−2 h 10 min".
pub(crate) fn distance(death: OffsetDateTime, when: OffsetDateTime) -> String {
    let seconds = (death - when).as_seconds_f64();
    let sign = if seconds < 0.0 { '+' } else { '−' };
    let span = seconds.abs();
    match (span * 1e6).round() {
        0.0 => return "0".to_owned(),
        microseconds @ ..1e3 => return format!("{sign}{microseconds} µs"),
        _ => {}
    }
    if span < 0.01 {
        return format!("{sign}{:.1} ms", span * 1e3);
    }
    if span < 1.0 {
        return format!("{sign}{:.0} ms", span * 1e3);
    }
    if span < 60.0 {
        return format!("{sign}{span:.1} s");
    }
    format!("{sign}{}", duration(span))
}

/// "31 ms", "20 s", "3 min 20 s", "2 h 10 min", "4 d 2 h".
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.clamp(0.0, 1e12);
    let steps = [("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)];
    let smaller = [("h", 3_600.0), ("min", 60.0), ("s", 1.0)];
    for ((unit, size), (next_unit, next_size)) in steps.iter().zip(smaller) {
        if whole >= *size {
            let (count, rest) = ((whole / size).floor(), ((whole % size) / next_size).floor());
            return if rest > 0.0 {
                format!("{count} {unit} {rest} {next_unit}")
            } else {
                format!("{count} {unit}")
            };
        }
    }
    match whole {
        ..1.0 => format!("{:.0} ms", whole * 1e3),
        ..10.0 => format!("{whole:.1} s"),
        _ => format!("{whole:.0} s"),
    }
}

pub(super) fn words(crumb: &Value) -> String {
    let mut words = text(crumb, "message").to_owned();
    for (key, value) in crumb.get("data").and_then(Value::as_object).into_iter().flatten() {
        let gap = if words.is_empty() { "" } else { "  " };
        words.push_str(&format!("{gap}{key}={}", plain(value)));
    }
    words
}

pub(super) fn text<'a>(crumb: &'a Value, field: &str) -> &'a str {
    crumb.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let death = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        let cases = [
            (0.0004, "−400 µs"),
            (0.0014, "−1.4 ms"),
            (0.4, "−400 ms"),
            (1.4, "−1.4 s"),
            (59.0, "−59.0 s"),
            (200.0, "−3 min 20 s"),
            (7_800.0, "−2 h 10 min"),
            (120.0, "−2 min"),
            (356_400.0, "−4 d 3 h"),
            (-1.5, "+1.5 s"),
            (0.0, "0"),
            (0.000_000_4, "0"),
            (-0.000_000_4, "0"),
            (0.000_999_8, "−1.0 ms"),
            (-0.000_002, "+2 µs"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(distance(death, death - time::Duration::seconds_f64(seconds)), expected);
        }
        assert_eq!(
            (duration(0.031), duration(3.0), duration(42.0)),
            ("31 ms".into(), "3.0 s".into(), "42 s".into())
        );
    }
}
