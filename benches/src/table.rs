//! Samples, their median and spread, and a Markdown table of them.

use std::fmt;

/// Figures of one kind, nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<u64>);

impl Sample {
    /// Adds one figure.
    pub fn add(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    /// The figure that this share of all stays below: 0.5 is the median.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    }

    /// The median, milliseconds.
    #[must_use]
    pub fn median_ms(&self) -> f64 {
        self.quantile_ns(0.5) as f64 / 1e6
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = [0.0, 0.5, 0.9].map(|share| self.quantile_ns(share) as f64 / 1e6);
        write!(out, "{least:.2} / {median:.2} / {most:.2}")
    }
}

/// A table that grows by rows.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a row: what was measured, the figures, what that is above the same without a reporter, the goal.
    pub fn row(&mut self, what: &str, figures: impl fmt::Display, above: Option<f64>, goal: &str) {
        let above = above.map(|above| format!("{above:.2}")).unwrap_or_default();
        self.0.push([what.into(), figures.to_string(), above, goal.into()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| what | min / median / p90 | median above none | goal |\n|---|---|---|---|")?;
        for [what, figures, above, goal] in &self.0 {
            writeln!(out, "| {what} | {figures} | {above} | {goal} |")?;
        }
        Ok(())
    }
}
