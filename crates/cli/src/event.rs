//! A Sentry event as it is found: every field may be missing, of another type, or new.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Typed looks at one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    value: &'a Value,
}

impl<'a> Event<'a> {
    pub(crate) fn new(value: &'a Value) -> Self {
        Self { value }
    }

    /// The text at this path; empty texts count as none.
    pub(crate) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn list(&self, pointer: &str) -> &'a [Value] {
        self.value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn fields(&self, pointer: &str) -> Option<&'a Map<String, Value>> {
        self.value.pointer(pointer).and_then(Value::as_object)
    }

    /// The exceptions, the one that ended the process first; Sentry keeps it last.
    pub(crate) fn exceptions(&self) -> Vec<&'a Value> {
        values(self.value, "exception").iter().rev().collect()
    }

    pub(crate) fn threads(&self) -> &'a [Value] {
        values(self.value, "threads")
    }

    /// Oldest first, whatever order they were written in; one without a time stays behind the one before it.
    pub(crate) fn breadcrumbs(&self) -> Vec<&'a Value> {
        let mut last = None;
        let timed = values(self.value, "breadcrumbs").iter().map(|crumb| {
            last = crumb.get("timestamp").and_then(moment).or(last);
            (last, crumb)
        });
        let mut timed: Vec<_> = timed.collect();
        timed.sort_by_key(|(when, _)| *when);
        timed.into_iter().map(|(_, crumb)| crumb).collect()
    }

    /// "SIGSEGV: null pointer dereference", as good as it is known.
    pub(crate) fn title(&self) -> String {
        let exception = self.exceptions().first().map(|exception| title_of(exception)).unwrap_or_default();
        if !exception.is_empty() {
            return exception;
        }
        let message = ["/logentry/formatted", "/logentry/message", "/message", "/message/formatted"];
        message.iter().find_map(|pointer| self.text(pointer)).unwrap_or("report without a title").to_owned()
    }

    pub(crate) fn cause(&self) -> &'a str {
        self.text("/contexts/death/cause").or_else(|| self.tag("cause")).unwrap_or_default()
    }

    pub(crate) fn node(&self) -> &'a str {
        self.named("node", &["/contexts/node/node", "/contexts/node/name", "/server_name"])
    }

    pub(crate) fn fleet(&self) -> &'a str {
        self.named("fleet", &["/contexts/node/fleet"])
    }

    pub(crate) fn timestamp(&self) -> Option<OffsetDateTime> {
        self.value.get("timestamp").and_then(moment)
    }

    /// The tags, which Sentry writes as an object or as a list of pairs.
    pub(crate) fn tags(&self) -> Vec<(&'a str, String)> {
        match self.value.get("tags") {
            Some(Value::Object(tags)) => {
                tags.iter().map(|(key, value)| (key.as_str(), plain(value))).collect()
            }
            Some(Value::Array(pairs)) => pairs.iter().filter_map(pair).collect(),
            _ => Vec::new(),
        }
    }

    fn tag(&self, key: &str) -> Option<&'a str> {
        self.value.pointer("/tags")?.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    fn named(&self, tag: &str, pointers: &[&str]) -> &'a str {
        self.tag(tag).or_else(|| pointers.iter().find_map(|pointer| self.text(pointer))).unwrap_or_default()
    }
}

/// The type and the words of one exception.
pub(crate) fn title_of(exception: &Value) -> String {
    let field = |name| exception.get(name).and_then(Value::as_str).unwrap_or_default();
    match (field("type"), field("value")) {
        ("", value) => value.to_owned(),
        (kind, "") => kind.to_owned(),
        // A signal's words often begin with its name.
        (kind, value) if value.starts_with(kind) => value.to_owned(),
        (kind, value) => format!("{kind}: {value}"),
    }
}

/// How an exception of the chain belongs to the one in the title: a signal came of it, anything else came with it.
pub(crate) fn link_of(exception: &Value) -> &'static str {
    let field = |pointer| exception.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_signal = field("/mechanism/type") == "signalhandler" || field("/type").starts_with("SIG");
    if is_signal { "then" } else { "with" }
}

/// A moment as Sentry writes it: seconds since 1970, or RFC 3339.
pub(crate) fn moment(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        Value::Number(_) => from_seconds(value.as_f64()?),
        _ => None,
    }
}

/// A value as people read it; objects and lists as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Sentry's `{"values": [...]}`, or the bare list that older writers use.
fn values<'a>(event: &'a Value, field: &str) -> &'a [Value] {
    let list =
        event.get(field).and_then(|field| field.get("values").or(Some(field))).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn pair(pair: &Value) -> Option<(&str, String)> {
    Some((pair.get(0)?.as_str()?, plain(pair.get(1)?)))
}

fn from_seconds(seconds: f64) -> Option<OffsetDateTime> {
    // A microsecond is what a double holds of a time in this century.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast from f64 saturates, and the constructor checks"
    )]
    let microseconds = (seconds * 1e6).round() as i128;
    OffsetDateTime::from_unix_timestamp_nanos(microseconds.checked_mul(1000)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn titles_come_from_the_last_exception_or_the_message() {
        let cases = [
            (
                json!({"exception": {"values": [{"type": "A"}, {"type": "SIGSEGV", "value": "null"}]}}),
                "SIGSEGV: null",
            ),
            (json!({"exception": [{"value": "only words"}]}), "only words"),
            (
                json!({"exception": {"values": [{"type": "SIGSEGV", "value": "SIGSEGV at 0"}]}}),
                "SIGSEGV at 0",
            ),
            (json!({"exception": 5, "logentry": {"formatted": "said"}}), "said"),
            (json!({"message": "told", "exception": {"values": [7]}}), "told"),
            (json!({}), "report without a title"),
        ];
        for (value, title) in cases {
            assert_eq!(Event::new(&value).title(), title);
        }
    }

    #[test]
    fn moments_are_read_in_both_ways_and_nonsense_is_none() {
        let expected = OffsetDateTime::from_unix_timestamp(1_763_800_000).unwrap();
        assert_eq!(moment(&json!(1_763_800_000)), Some(expected));
        assert_eq!(moment(&json!(1_763_800_000.0)), Some(expected));
        assert_eq!(moment(&json!("2025-11-22T08:26:40Z")), Some(expected));
        for nonsense in [json!(1e300), json!(-1e300), json!("soon"), json!(null), json!([1])] {
            assert_eq!(moment(&nonsense), None);
        }
    }

    #[test]
    fn tags_are_read_in_both_ways() {
        let value = json!({"tags": [["node", "a"], ["n", 1], "x", []]});
        assert_eq!(Event::new(&value).tags(), [("node", "a".to_owned()), ("n", "1".to_owned())]);
        let value = json!({"tags": {"node": "a"}, "server_name": "b"});
        assert_eq!(Event::new(&value).node(), "a");
    }
}
