//! Alertmanager's matchers of labels. Its expressions are anchored, and it quotes as JSON does.

use serde_json::Value;

use super::relabel::plain_regex;

/// A label that has this value.
pub(super) fn is(label: &str, value: &str) -> String {
    format!("{label}={}", Value::from(value))
}

/// A label that has one of these values.
pub(super) fn among(label: &str, values: &[String]) -> String {
    format!("{label}=~{}", one_of(values))
}

/// A label that has none of these values.
pub(super) fn none_of(label: &str, values: &[String]) -> String {
    format!("{label}!~{}", one_of(values))
}

fn one_of(values: &[String]) -> Value {
    let plain: Vec<String> = values.iter().map(|value| plain_regex(value)).collect();
    Value::from(plain.join("|"))
}
