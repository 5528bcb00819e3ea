//! The comparison as a table for a terminal, as Markdown and as JSON. In each a peer's figure stands beside its ratio
//! to Lifeboat's.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::figures::{Figures, Measure, Sample};
use crate::peer::{LIFEBOAT, NONE, Peer};
use crate::quiet::Quiet;

const LABEL_COLUMNS: usize = 25;
const CELL_COLUMNS: usize = 16;

/// What was measured, and where.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    pub(crate) machine: String,
    pub(crate) runs: u32,
    pub(crate) quiet: Quiet,
    pub(crate) peers: Vec<(&'a Peer, Figures)>,
}

/// The marks of a terminal; empty where the table goes to a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    bold: &'static str,
    dim: &'static str,
    off: &'static str,
}

impl Marks {
    pub(crate) const PLAIN: Self = Self { bold: "", dim: "", off: "" };
    pub(crate) const COLOR: Self = Self { bold: "\x1b[1m", dim: "\x1b[2m", off: "\x1b[0m" };
}

impl Comparison<'_> {
    /// Two lines for each measure: median and ratio, then least and most.
    pub(crate) fn terminal(&self, marks: Marks) -> String {
        let Marks { bold, dim, off } = marks;
        let mut text = format!("{bold}Lifeboat beside its peers{off}\n{dim}{}{off}\n\n", self.machine);
        for line in 0..3 {
            let cells = self.peers.iter().map(|(peer, _)| {
                let version = peer.version();
                let title = peer.title.get(line).copied().unwrap_or(version);
                format!("{bold}{title:>CELL_COLUMNS$}{off}")
            });
            push_line(&mut text, &" ".repeat(LABEL_COLUMNS), cells);
        }
        let mut heading = "";
        for measure in Measure::ALL {
            let (group, label, unit) = measure.label();
            if group != heading {
                let width = LABEL_COLUMNS + CELL_COLUMNS * self.peers.len();
                let rest = "─".repeat(width.saturating_sub(group.chars().count() + 1));
                let _ = writeln!(text, "{group} {dim}{rest}{off}");
                heading = group;
            }
            let label = format!("  {:<23}", format!("{label}, {unit}").trim_end_matches([' ', ',']));
            let medians = self.peers.iter().map(|(peer, figures)| {
                let weight = if peer.name == LIFEBOAT { bold } else { "" };
                let (median, ratio) = self.cell(figures, *measure);
                format!("{weight}{median:>9}{off}{dim}{ratio:>7}{off}")
            });
            push_line(&mut text, &label, medians);
            let ranges: Vec<String> = self
                .peers
                .iter()
                .map(|(_, figures)| figures.get(*measure).map(range).unwrap_or_default())
                .collect();
            if ranges.iter().any(|range| !range.is_empty()) {
                let cells = ranges.iter().map(|range| format!("{dim}{range:>CELL_COLUMNS$}{off}"));
                push_line(&mut text, &" ".repeat(LABEL_COLUMNS), cells);
            }
        }
        let _ = writeln!(text, "\n{}", self.caption());
        text
    }

    /// One row for each measure.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}. {}\n\n| median (least – most) ×ratio |", self.machine, self.caption());
        for (peer, _) in &self.peers {
            let _ = write!(text, " {} |", format!("{} {}", peer.full, peer.version()).trim());
        }
        let _ = writeln!(text, "\n|---{}|", "|---".repeat(self.peers.len()));
        for measure in Measure::ALL {
            let (group, label, unit) = measure.label();
            let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
            let _ = write!(text, "| {group}: {label}{unit} |");
            for (_, figures) in &self.peers {
                let (median, ratio) = self.cell(figures, *measure);
                let range = figures.get(*measure).map(range).filter(|range| !range.is_empty());
                let range = range.map(|range| format!(" ({range})")).unwrap_or_default();
                let ratio = if ratio.is_empty() { ratio } else { format!(" {ratio}") };
                let _ = write!(text, " {median}{range}{ratio} |");
            }
            text.push('\n');
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let peers = self.peers.iter().map(|(peer, figures)| {
            let measures = Measure::ALL.iter().filter_map(|measure| {
                let sample = figures.get(*measure)?;
                let [least, median, most] = [sample.least(), sample.median(), sample.most()];
                let ratio = self.ratio(figures, *measure);
                let value = json!({"min": least, "median": median, "max": most, "n": sample.len(), "ratio": ratio});
                Some((measure.key().to_owned(), value))
            });
            let measures: Map<String, Value> = measures.collect();
            json!({"peer": peer.name, "version": peer.version(), "reports_lost": figures.lost, "measures": measures})
        });
        json!({"machine": self.machine, "runs": self.runs, "begun_busy": self.quiet.busy, "peers": peers.collect::<Vec<_>>()})
    }

    fn caption(&self) -> String {
        let lost = self.peers.iter().filter(|(_, figures)| figures.lost > 0);
        let lost: Vec<String> =
            lost.map(|(peer, figures)| format!("{} {}", peer.name, figures.lost)).collect();
        let reports =
            if lost.is_empty() { "Every report came".into() } else { format!("Lost: {}", lost.join(", ")) };
        let Quiet { moments, busy, .. } = self.quiet;
        let shared = if busy == 0 { "" } else { " The machine was shared with others." };
        let moments = if busy == 0 { "each" } else { &format!("{} of {moments}", moments - busy) };
        format!(
            "n = {} of each death, in turn, {moments} begun at a moment when the processors were idle; \
             × is the ratio to Lifeboat's median. {reports}.{shared}",
            self.runs
        )
    }

    fn cell(&self, figures: &Figures, measure: Measure) -> (String, String) {
        let Some(sample) = figures.get(measure) else { return ("–".into(), String::new()) };
        let ratio = self.ratio(figures, measure).map(|ratio| format!("{}×", short(ratio, 1)));
        (round(measure, sample.median()), ratio.unwrap_or_default())
    }

    /// Nothing where Lifeboat has nothing of the kind.
    fn ratio(&self, figures: &Figures, measure: Measure) -> Option<f64> {
        let (_, lifeboat) = self.peers.iter().find(|(peer, _)| peer.name == LIFEBOAT)?;
        let base = lifeboat.get(measure)?.median();
        (base > 0.0).then(|| figures.get(measure).map(|sample| sample.median() / base))?
    }
}

/// Is this measure one of this peer's?
pub(crate) fn applies(peer: &Peer, measure: Measure) -> bool {
    peer.name != NONE || !matches!(measure, Measure::Start | Measure::Beside | Measure::Crates)
}

fn push_line(text: &mut String, label: &str, cells: impl Iterator<Item = String>) {
    let line: String = cells.collect();
    let _ = writeln!(text, "{}", format!("{label}{line}").trim_end());
}

/// Empty where there is one figure, or all are the same.
fn range(sample: &Sample) -> String {
    let [least, most] = [sample.least(), sample.most()].map(|figure| short(figure, 2));
    if least == most { String::new() } else { format!("{least} – {most}") }
}

fn round(measure: Measure, figure: f64) -> String {
    if measure == Measure::Crates { format!("{figure:.0}") } else { short(figure, 2) }
}

/// About three digits, at most `decimals` of them behind the point.
fn short(figure: f64, decimals: usize) -> String {
    let decimals = match figure {
        100.0.. => 0,
        10.0.. => decimals.min(1),
        0.1.. => decimals,
        _ => 2,
    };
    format!("{figure:.decimals$}")
}
