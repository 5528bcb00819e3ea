//! The last values of the node's metrics, by the names that a dashboard knows them by.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::event::{Event, plain};
use crate::show::page::{DIM, PLAIN, Page, fit};

/// Names up to here stand in one column; longer ones have their value behind them.
const COLUMN_MAX: usize = 56;
const INDENT: &str = "  ";

/// Name and value of each.
pub(super) fn rows<'a>(event: &Event<'a>) -> Vec<(&'a str, String)> {
    let told = |name: &str, value: &Value| !matches!(name, "type" | "notes") && !value.is_null();
    let all = event.fields("/contexts/metrics").into_iter().flatten();
    all.filter(|(name, value)| told(name, value))
        .map(|(name, value)| (name.as_str(), number(value)))
        .collect()
}

/// The section of the page.
pub(super) fn section(page: &mut Page, event: &Event<'_>) {
    let rows = rows(event);
    if rows.is_empty() {
        return;
    }
    page.section("METRICS", "last values");
    let widths = rows.iter().map(|(name, _)| name.width());
    let column = widths.filter(|width| *width <= COLUMN_MAX).max().unwrap_or_default();
    for (name, value) in rows {
        let padded = if name.width() > column { name.to_owned() } else { fit(name, column) };
        if INDENT.width() + padded.width() + 2 + value.width() <= page.width() {
            page.line(&[(DIM, INDENT), (DIM, &padded), (PLAIN, "  "), (PLAIN, &value)]);
        } else {
            page.wrapped(PLAIN, INDENT, &format!("{name}  {value}"));
        }
    }
}

/// A number without what adding up in binary left behind it: twelve digits, and the fewest that say them.
fn number(value: &Value) -> String {
    let Some(number) = value.as_f64().filter(|_| value.is_f64()) else { return plain(value) };
    let number: f64 = format!("{number:.11e}").parse().unwrap_or(number);
    let is_long = number != 0.0 && !(1e-6..1e15).contains(&number.abs());
    if is_long { format!("{number:e}") } else { format!("{number}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_told_without_noise() {
        for (value, told) in [
            (json!(28.199_999_999_999_974), "28.2"),
            (json!(0.1 + 0.2), "0.3"),
            (json!(-0.0), "-0"),
            (json!(3.0), "3"),
            (json!(1e300), "1e300"),
            (json!(1.5e-9), "1.5e-9"),
            (json!(9_007_199_254_740_993_u64), "9007199254740993"),
            (json!(1_763_800_000.125), "1763800000.12"),
            (json!("text"), "text"),
        ] {
            assert_eq!(number(&value), told);
        }
    }
}
