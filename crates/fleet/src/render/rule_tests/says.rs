//! What an alert's texts become, for the few words of Prometheus' template language that the catalogue uses.

use std::collections::BTreeMap;

/// The text with `{{ $labels.name }}` replaced by the label, and what has `$value` in it by the figure.
pub(super) fn said(text: &str, labels: &BTreeMap<String, String>, figure: &str) -> Result<String, String> {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        let (inside, after) = from.split_once("}}").ok_or_else(|| format!("no end of {{{{ in {text:?}"))?;
        said.push_str(before);
        let inside = inside.trim();
        if inside.contains("$value") {
            said.push_str(figure);
        } else {
            said.push_str(&label(inside, labels)?);
        }
        rest = after;
    }
    said.push_str(rest);
    Ok(said)
}

fn label(inside: &str, labels: &BTreeMap<String, String>) -> Result<String, String> {
    let (name, function) = match inside.split_once('|') {
        Some((name, function)) => (name.trim(), Some(function.trim())),
        None => (inside, None),
    };
    let name = name.strip_prefix("$labels.").ok_or_else(|| format!("{{{{ {inside} }}}} is no label"))?;
    let value = labels.get(name).map_or("", String::as_str);
    match function {
        None => Ok(value.to_owned()),
        Some("urlquery") => Ok(in_query_of_url(value)),
        Some(other) => Err(format!("the tests know no function {other:?}")),
    }
}

/// As Go's `url.QueryEscape`.
fn in_query_of_url(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte))
            }
            b' ' => text.push('+'),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn labels_and_the_figure() {
        let labels = [("node".to_owned(), "a:1".to_owned())].into();
        let text = "{{ $labels.node }} has {{ $value | humanize }}: {{ $labels.node | urlquery }}";
        assert_eq!(said(text, &labels, "2").as_deref(), Ok("a:1 has 2: a%3A1"));
        assert!(said("{{ $labels.node | title }}", &labels, "").is_err());
    }
}
