//! What the scrubber took out: its placeholders, found again in the texts of the event. The monitor's
//! `crates/monitor/src/report/scrub.rs` writes them.

use maud::{Markup, html};
use serde_json::Value;

/// How many characters a token has.
const TOKEN_DIGITS: usize = 8;

/// A placeholder, how it is counted, and what it stands for.
type Kind = (&'static str, fn(&str) -> usize, &'static str);

const KINDS: [Kind; 10] = [
    ("[ip]", |text| text.matches("[ip]").count(), "IP addresses"),
    ("[multiaddr]", |text| text.matches("[multiaddr]").count(), "multiaddresses"),
    ("[enr]", |text| text.matches("[enr]").count(), "node records"),
    ("[enode]", |text| text.matches("[enode]").count(), "enode addresses"),
    ("peer:…", |text| tokens(text, "peer:"), "peer ids, as tokens"),
    ("hex:…", |text| tokens(text, "hex:"), "keys, hashes and other long hexadecimal numbers, as tokens"),
    ("[private key]", |text| text.matches("[private key]").count(), "private keys"),
    ("[words]", |text| text.matches("[words]").count(), "runs of words that may be a mnemonic"),
    ("[credentials]", |text| text.matches("[credentials]").count(), "user names and passwords in addresses"),
    ("~/…", homes, "home directories"),
];

/// What was replaced, by kind, with how often.
pub(super) fn section(event: &Value) -> Markup {
    let found: Vec<(&Kind, usize)> =
        KINDS.iter().map(|kind| (kind, count(event, kind.1))).filter(|(_, count)| *count > 0).collect();
    html! {
        section {
            h2 { "Scrubbed" }
            @if found.is_empty() {
                p class="empty" { "No text of this report holds a placeholder of the scrubber." }
            } @else {
                p class="note" { "Taken out before the report was written, by the placeholders in its texts." }
                table class="counts" {
                    @for ((placeholder, _, what), count) in found {
                        tr { td class="count" { (count) } th scope="row" { (what) } td { code { (placeholder) } } }
                    }
                }
            }
        }
    }
}

fn count(value: &Value, count_in: fn(&str) -> usize) -> usize {
    match value {
        Value::String(text) => count_in(text),
        Value::Array(list) => list.iter().map(|value| count(value, count_in)).sum(),
        Value::Object(fields) => fields.values().map(|value| count(value, count_in)).sum(),
        _ => 0,
    }
}

fn tokens(text: &str, prefix: &str) -> usize {
    let is_token = |(at, _): &(usize, &str)| {
        let before = text.get(..*at).unwrap_or_default();
        let after = text.get(at + prefix.len()..).unwrap_or_default();
        let token = after.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        !before.ends_with(char::is_alphanumeric)
            && (token == "removed" || (token.len() == TOKEN_DIGITS && token.bytes().all(is_hex)))
    };
    text.match_indices(prefix).filter(is_token).count()
}

fn homes(text: &str) -> usize {
    let is_inside =
        |before: &str| before.ends_with(|letter: char| letter.is_alphanumeric() || "._-~/".contains(letter));
    text.match_indices("~/").filter(|(at, _)| !text.get(..*at).is_some_and(is_inside)).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_are_counted_and_what_only_looks_like_one_is_not() {
        let event = json!({
            "message": "dial [ip]:9000 and [ip] as peer:0123abcd, hex:89abcdef0 is too long",
            "list": [{"path": "~/node/main.c", "other": "a~/b, /srv/~/c"}, "superpeer:0123abcd", "hex:removed"],
            "[ip]": 1,
        });
        let counts: Vec<(&str, usize)> = KINDS
            .iter()
            .map(|kind| (kind.0, count(&event, kind.1)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(counts, [("[ip]", 2), ("peer:…", 1), ("hex:…", 1), ("~/…", 1)]);
    }
}
