//! Reads a page of metrics that somebody else wrote, as far as it can be read. A fault costs one line.
//!
//! nim-metrics writes counters as OpenMetrics does under the other format's name, adds `_created`, puts samples under the
//! type of others, and writes a line feed in a label's value as a backslash and the line feed itself.

/// Longest name, and longest labels, that are looked at.
const NAME_BYTES_MAX: usize = 256;
const LABELS_BYTES_MAX: usize = 1024;
const LABELS_MAX: usize = 16;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'p> {
    /// Its name, with every ending.
    pub name: &'p str,
    /// The labels as they are written, without braces.
    pub labels: &'p str,
    /// Their names.
    pub label_names: Vec<&'p str>,
    /// The value; never one that is none.
    pub value: f64,
}

/// The samples of a page, in its order.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    let mut rest = page;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (found, after) = first(rest);
            rest = after;
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

/// What the first line holds, and what follows it.
fn first(page: &str) -> (Option<Sample<'_>>, &str) {
    if !page.starts_with('#')
        && let Some((sample, after)) = sample(page)
    {
        return (Some(sample), after);
    }
    (None, page.split_once('\n').map_or("", |(_, after)| after))
}

fn sample(page: &str) -> Option<(Sample<'_>, &str)> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let end = page.bytes().position(|byte| !is_name(byte))?;
    let (name, rest) = page.split_at_checked(end)?;
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.starts_with(|first: char| first.is_ascii_digit())
    {
        return None;
    }
    let (labels, label_names, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => ("", Vec::new(), rest),
    };
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    if !line.starts_with([' ', '\t']) {
        return None;
    }
    let value = line.split_ascii_whitespace().next()?.parse().ok().filter(|value: &f64| value.is_finite())?;
    Some((Sample { name, labels, label_names, value }, after))
}

/// Labels up to the closing brace, their names, and what follows.
fn labels(inside: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut names = Vec::new();
    let mut rest = inside;
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            let length = inside.len() - rest.len();
            return Some((inside.get(..length)?, names, after)).filter(|_| length <= LABELS_BYTES_MAX);
        }
        let (name, after) = rest.split_once('=')?;
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || names.len() >= LABELS_MAX {
            return None;
        }
        names.push(name);
        rest = after_value(after.strip_prefix('"')?)?;
    }
}

/// What follows a value's closing quote. A line feed within it counts only behind a backslash.
fn after_value(text: &str) -> Option<&str> {
    let mut is_after_backslash = false;
    for (at, byte) in text.bytes().enumerate().take(LABELS_BYTES_MAX) {
        match byte {
            b'"' if !is_after_backslash => return text.get(at + 1..),
            b'\n' if !is_after_backslash => return None,
            _ => is_after_backslash = byte == b'\\' && !is_after_backslash,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Vec<(String, f64)> {
        samples(page).map(|sample| (format!("{}{{{}}}", sample.name, sample.labels), sample.value)).collect()
    }

    #[test]
    fn a_page_of_nim_metrics_is_read() {
        let page = "# HELP process_info CPU and memory usage\n# TYPE process_info gauge\n\
                    process_virtual_memory_bytes 12345.0 1700000000000\n\n\
                    # TYPE waku_messages counter\nwaku_messages_total{topic=\"a\\\nb\",shard=\"1\"} 3.0\n\
                    waku_messages_created{topic=\"a\\\nb\",shard=\"1\"} 1.7e9\nwaku_peers NaN\nlast +2";
        let expected = [
            ("process_virtual_memory_bytes{}", 12345.0),
            ("waku_messages_total{topic=\"a\\\nb\",shard=\"1\"}", 3.0),
            ("waku_messages_created{topic=\"a\\\nb\",shard=\"1\"}", 1.7e9),
            ("last{}", 2.0),
        ];
        assert_eq!(read(page), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn a_fault_costs_one_line() {
        let long = format!("a{{b=\"{}\"}} 1", "x".repeat(2 * LABELS_BYTES_MAX));
        for fault in [
            "a{",
            "a{b",
            "a{b=\"c",
            "a{b=\"c\n",
            "a{b=c} 1",
            "1a 1",
            "{} 1",
            "é 1",
            "a",
            "a\t",
            &long,
            "a{=\"\"} 1",
        ] {
            let page = format!("before 1\n{fault}\nafter{{c=\"d\"}} 2\n");
            let names: Vec<_> = samples(&page).map(|sample| sample.name.to_owned()).collect();
            assert_eq!(names, ["before", "after"], "{fault}");
        }
    }
}
