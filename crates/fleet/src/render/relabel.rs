//! Prometheus' relabelling, as far as it is used here.

use serde::Serialize;

/// One step.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Relabel {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) source_labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replacement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
}

impl Relabel {
    /// A label becomes another's value.
    pub(super) fn copy(from: &str, to: &str) -> Self {
        Self { source_labels: vec![from.into()], target_label: Some(to.into()), ..Self::default() }
    }

    /// A label becomes a text.
    pub(super) fn set(to: &str, text: &str) -> Self {
        Self { target_label: Some(to.into()), replacement: Some(plain_replacement(text)), ..Self::default() }
    }

    /// A label becomes a text where others, joined by `;`, match.
    pub(super) fn set_where(labels: &[&str], regex: String, to: &str, text: &str) -> Self {
        let source_labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { source_labels, regex: Some(regex), ..Self::set(to, text) }
    }

    /// A part of a label becomes another's value; `replacement` names it.
    pub(super) fn part(from: &str, regex: &str, to: &str, replacement: &str) -> Self {
        Self { regex: Some(regex.into()), replacement: Some(replacement.into()), ..Self::copy(from, to) }
    }

    /// What matches goes.
    pub(super) fn drop(label: &str, regex: &str) -> Self {
        let source_labels = vec![label.to_owned()];
        Self { source_labels, regex: Some(regex.into()), action: Some("drop"), ..Self::default() }
    }
}

/// A text that matches itself and nothing else, by the rules of RE2.
pub(super) fn plain_regex(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// A text that stands for itself where `$1` would stand for a group.
fn plain_replacement(text: &str) -> String {
    text.replace('$', "$$")
}
