//! The little of Markdown that is needed: what an inventory says stays text, and links lead to pages that are there.

use std::collections::BTreeSet;

/// A text in which nothing is markup, in one line: fit for a cell of a table.
pub(super) fn in_markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' => {
                safe.push('\\');
                safe.push(letter);
            }
            letter => safe.push(letter),
        }
    }
    safe
}

/// A text in code marks, which nothing in it ends.
pub(super) fn code(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| !letter.is_control() && *letter != '`').collect();
    // A bar ends a cell even in code marks.
    format!("`{}`", plain.replace('|', "\\|"))
}

/// An address as a link's target; one that is no web address leads nowhere.
pub(super) fn url(address: &str) -> String {
    if !address.starts_with("https://") && !address.starts_with("http://") {
        return "#".into();
    }
    let mut safe = String::with_capacity(address.len());
    for letter in address.chars() {
        match letter {
            '(' => safe.push_str("%28"),
            ')' => safe.push_str("%29"),
            '<' => safe.push_str("%3C"),
            '>' => safe.push_str("%3E"),
            '|' => safe.push_str("%7C"),
            '\\' => safe.push_str("%5C"),
            letter if letter.is_control() || letter.is_whitespace() => safe.push_str("%20"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Whether an address can stand in a command as it is.
pub(super) fn is_plain(address: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    (address.starts_with("https://") || address.starts_with("http://")) && address.bytes().all(is_plain)
}

/// The text with a word replaced where it stands alone: `FLEET`, and not the end of `LIFEBOAT_FLEET`.
pub(super) fn with_word(text: &str, word: &str, by: &str) -> String {
    let is_part = |letter: Option<char>| letter.is_some_and(|it| it.is_alphanumeric() || it == '_');
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(word) {
        let (before, from) = text.split_at(at);
        let after = from.get(word.len()..).unwrap_or_default();
        if is_part(before.chars().next_back()) || is_part(after.chars().next()) {
            continue;
        }
        replaced.push_str(before.get(done..).unwrap_or_default());
        replaced.push_str(by);
        done = at + word.len();
    }
    replaced.push_str(text.get(done..).unwrap_or_default());
    replaced
}

/// The text with its links to pages that are not among these reduced to their words.
pub(super) fn with_links_among(text: &str, pages: &BTreeSet<String>) -> String {
    let mut is_code = false;
    let mut linked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            linked.push_str(line);
        } else {
            push_line(&mut linked, line, pages);
        }
    }
    linked
}

fn push_line(linked: &mut String, line: &str, pages: &BTreeSet<String>) {
    let mut rest = line;
    while let Some((before, words, target, after)) = first_link(rest) {
        let page = target.split('#').next().unwrap_or_default();
        linked.push_str(before);
        if pages.contains(page) || target.contains("://") || target.starts_with('#') {
            linked.push_str(&format!("[{words}]({target})"));
        } else {
            linked.push_str(words);
        }
        rest = after;
    }
    linked.push_str(rest);
}

/// What stands before the first `[words](target)`, the two, and what stands after.
fn first_link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, rest) = text.split_once("](")?;
    let (before, words) = before.rsplit_once('[')?;
    let (target, after) = rest.split_once(')')?;
    Some((before, words, target, after))
}

/// Where a table's row leads that begins with a link.
pub(super) fn row_target(line: &str) -> Option<&str> {
    let link = line.strip_prefix("| [")?;
    first_link(line).filter(|_| !link.is_empty()).map(|(_, _, target, _)| target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_inventory_is_markup() {
        let hostile = "a|b](http://x) <img src=x> `{{ .Labels }}`\n# head";
        let safe = in_markdown(hostile);
        let wanted = "a\\|b\\]\\(http://x\\) &lt;img src=x&gt; \\`{{ .Labels }}\\` \\# head";
        assert_eq!(safe, wanted);
        assert_eq!(code("a`b|c\n"), "`ab\\|c`");
        assert_eq!(url("https://g.example/a b)|<"), "https://g.example/a%20b%29%7C%3C");
        assert_eq!(url("javascript:alert(1)"), "#");
        assert!(is_plain("https://p.example.org:9090/prometheus"));
        assert!(!is_plain("https://p.example.org/$(reboot)") && !is_plain("-oProxyCommand"));
    }

    #[test]
    fn only_whole_words_are_replaced() {
        let text = "FLEET, fleet=\"FLEET\", LIFEBOAT_FLEET, FLEETS";
        assert_eq!(with_word(text, "FLEET", "a.b"), "a.b, fleet=\"a.b\", LIFEBOAT_FLEET, FLEETS");
    }

    #[test]
    fn links_to_pages_that_are_not_there_become_words() {
        let pages = BTreeSet::from(["A.md".to_owned()]);
        let text = "[a](A.md#x), [b](B.md) and [w](https://example.org)\n```\n[b](B.md)\n```\n";
        let wanted = "[a](A.md#x), b and [w](https://example.org)\n```\n[b](B.md)\n```\n";
        assert_eq!(with_links_among(text, &pages), wanted);
        assert_eq!(row_target("| [A](A.md) | P0 | [b](B.md) |"), Some("A.md"));
        assert_eq!(row_target("see | [A](A.md) |"), None);
    }
}
