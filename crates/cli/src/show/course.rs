//! What the node needed over its last minutes: a few words for each kind of number, and a line of small bars.

use serde_json::Value;

use crate::event::Event;
use crate::show::page::{DIM, PLAIN, Page, fit};

/// What a row is called, where its words stand in the context `process`, and its points in the context `course`.
const ROWS: [(&str, &str, &str); 5] = [
    ("memory", "memory_course", "resident_bytes"),
    ("container memory", "cgroup_memory_course", "cgroup_bytes"),
    ("cpu", "cpu_course", "cpu_ratio"),
    ("open fds", "open_fds_course", "open_fds"),
    ("threads", "threads_course", "threads"),
];
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BARS_MAX: usize = 64;

/// One kind of number.
pub(super) struct Row<'a> {
    pub(super) name: &'static str,
    /// From nothing to the highest point.
    pub(super) bars: String,
    pub(super) words: &'a str,
}

/// Whether this key of the context `process` is told here.
pub(super) fn is_words(key: &str) -> bool {
    ROWS.iter().any(|(_, words, _)| *words == key)
}

/// What is known.
pub(super) fn rows<'a>(event: &Event<'a>) -> Vec<Row<'a>> {
    let process = event.fields("/contexts/process");
    let lists = event.fields("/contexts/course");
    let row = |(name, words, list): &(&'static str, &str, &str)| {
        let words = process?.get(*words)?.as_str()?;
        let points = lists.and_then(|lists| lists.get(*list)?.as_array());
        Some(Row { name, bars: points.map(|points| bars(points)).unwrap_or_default(), words })
    };
    ROWS.iter().filter_map(row).collect()
}

/// The section of the page.
pub(super) fn section(page: &mut Page, event: &Event<'_>) {
    let rows = rows(event);
    if rows.is_empty() {
        return;
    }
    page.section("COURSE", "the last minutes");
    let column = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    for row in rows {
        page.wrapped_after(&[(DIM, &format!("  {}  ", fit(row.name, column)))], PLAIN, row.words);
        if row.bars.chars().count() > 2 {
            page.line(&[(DIM, &format!("  {}  {}", fit("", column), row.bars))]);
        }
    }
}

fn bars(points: &[Value]) -> String {
    let known = || points.iter().filter_map(Value::as_f64).filter(|point| point.is_finite());
    let highest = known().fold(0.0, f64::max);
    let bar = |point: &Value| {
        let share = point.as_f64().filter(|_| highest > 0.0)? / highest;
        BARS.get((share.clamp(0.0, 1.0) * (BARS.len() - 1) as f64).round() as usize).copied()
    };
    points.iter().take(BARS_MAX).map(|point| bar(point).unwrap_or(' ')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_are_from_nothing_to_the_highest() {
        let drawn = |points: Value| bars(points.as_array().unwrap());
        assert_eq!(drawn(json!([0, 1, 2, 3, 4, 5, 6, 7])), "▁▂▃▄▅▆▇█");
        assert_eq!(drawn(json!([10, null, "x", -5, 10])), "█  ▁█");
        assert_eq!(drawn(json!([0, 0])), "  ");
        assert_eq!(drawn(json!([])), "");
        assert_eq!(drawn(json!(vec![1; 1000])).chars().count(), BARS_MAX);
    }
}
