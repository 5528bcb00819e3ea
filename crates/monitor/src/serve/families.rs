//! Writes metrics that we know ourselves, in both formats. The node's own are written by the recorder's encoder.

use std::collections::HashSet;
use std::fmt::Write;

use super::http::negotiate::Format;

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its samples end in `_total`.
    Counter,
    Gauge,
    /// Its samples end in `_info`, and are always 1.
    Info,
}

/// A page that grows.
#[derive(Debug)]
pub(super) struct Families<'p> {
    format: Format,
    page: &'p mut String,
    /// Names that stand on the page already.
    taken: HashSet<String>,
}

/// One family of that page. Nothing is written before its first sample.
#[derive(Debug)]
pub(super) struct Family<'p> {
    format: Format,
    page: &'p mut String,
    kind: Kind,
    name: &'static str,
    help: &'static str,
    is_begun: bool,
    is_taken: bool,
}

impl<'p> Families<'p> {
    /// Goes on with a page; the names of its families are found.
    pub(super) fn new(format: Format, page: &'p mut String) -> Self {
        let taken = taken(page);
        Self { format, page, taken }
    }

    /// A family; `name` has no `_total` and no `_info`. One whose name the node gave to a metric of its own stays out: no
    /// scrape bears a family twice.
    pub(super) fn begin(&mut self, kind: Kind, name: &'static str, help: &'static str) -> Family<'_> {
        let is_taken = self.taken.contains(name) || self.taken.contains(&format!("{name}{}", ending(kind)));
        Family { format: self.format, page: self.page, kind, name, help, is_begun: false, is_taken }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.begin(Kind::Counter, name, help)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.begin(Kind::Gauge, name, help)
    }

    /// Ends the page.
    pub(super) fn end(self) {
        if self.format == Format::OpenMetrics {
            self.page.push_str("# EOF\n");
        }
    }
}

impl Family<'_> {
    /// One sample; a value that is not known is none.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl IntoValue) {
        let Some(value) = value.value().filter(|_| !self.is_taken) else { return };
        if !std::mem::replace(&mut self.is_begun, true) {
            self.head();
        }
        self.page.push_str(self.name);
        self.page.push_str(ending(self.kind));
        let mut before = '{';
        for (name, value) in labels {
            self.page.push(before);
            self.page.push_str(name);
            self.page.push_str("=\"");
            escape(value, self.page);
            self.page.push('"');
            before = ',';
        }
        self.page.push_str(if labels.is_empty() { " " } else { "} " });
        number(value, self.page);
        self.page.push('\n');
    }

    fn head(&mut self) {
        let (name, kind) = match (self.format, self.kind) {
            (Format::OpenMetrics, Kind::Counter) => (self.name.to_owned(), "counter"),
            (Format::OpenMetrics, Kind::Info) => (self.name.to_owned(), "info"),
            (Format::Text, Kind::Counter) => (format!("{}_total", self.name), "counter"),
            (Format::Text, Kind::Info) => (format!("{}_info", self.name), "gauge"),
            (_, Kind::Gauge) => (self.name.to_owned(), "gauge"),
        };
        let _ = write!(self.page, "# HELP {name} {}\n# TYPE {name} {kind}\n", self.help);
        let unit =
            ["seconds", "bytes", "ratio"].into_iter().find(|unit| self.name.ends_with(&format!("_{unit}")));
        if let Some(unit) = unit.filter(|_| self.format == Format::OpenMetrics) {
            let _ = writeln!(self.page, "# UNIT {name} {unit}");
        }
    }
}

/// What a sample's value may be made of.
pub(super) trait IntoValue {
    fn value(self) -> Option<f64>;
}

impl IntoValue for f64 {
    fn value(self) -> Option<f64> {
        Some(self)
    }
}

impl IntoValue for u64 {
    fn value(self) -> Option<f64> {
        Some(self as f64)
    }
}

impl IntoValue for bool {
    fn value(self) -> Option<f64> {
        Some(if self { 1.0 } else { 0.0 })
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn value(self) -> Option<f64> {
        self.and_then(IntoValue::value)
    }
}

const fn ending(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "_total",
        Kind::Gauge => "",
        Kind::Info => "_info",
    }
}

/// The names behind each `# TYPE`.
fn taken(page: &str) -> HashSet<String> {
    const MARK: &str = "# TYPE ";
    let starts = memchr::memmem::find_iter(page.as_bytes(), MARK.as_bytes());
    let at_line = starts.filter(|at| *at == 0 || page.as_bytes().get(at - 1) == Some(&b'\n'));
    let names = at_line.filter_map(|at| page.get(at + MARK.len()..)?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Backslash, quote and line feed are escaped; what no text may hold otherwise is replaced.
fn escape(value: &str, page: &mut String) {
    for letter in value.chars() {
        match letter {
            '\\' => page.push_str("\\\\"),
            '"' => page.push_str("\\\""),
            '\n' => page.push_str("\\n"),
            letter => page.push(letter),
        }
    }
}

fn number(value: f64, page: &mut String) {
    let _ = match value {
        value if value.is_nan() => write!(page, "NaN"),
        value if value == f64::INFINITY => write!(page, "+Inf"),
        value if value == f64::NEG_INFINITY => write!(page, "-Inf"),
        value => write!(page, "{value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format, before: &str) -> String {
        let mut page = before.to_owned();
        let mut families = Families::new(format, &mut page);
        families.counter("a_seconds", "How long.").sample(&[("b", "c\"\\\n")], 1.5);
        families.begin(Kind::Info, "d", "What.").sample(&[], true);
        families.gauge("e", "Nothing.").sample(&[], None::<u64>);
        families.end();
        page
    }

    #[test]
    fn both_formats_are_written() {
        let text = "# HELP a_seconds_total How long.\n# TYPE a_seconds_total counter\na_seconds_total{b=\"c\\\"\\\\\\n\"} 1.5\n\
                    # HELP d_info What.\n# TYPE d_info gauge\nd_info 1\n";
        assert_eq!(page(Format::Text, ""), text);
        let open_metrics = "# HELP a_seconds How long.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                            a_seconds_total{b=\"c\\\"\\\\\\n\"} 1.5\n# HELP d What.\n# TYPE d info\nd_info 1\n# EOF\n";
        assert_eq!(page(Format::OpenMetrics, ""), open_metrics);
    }

    #[test]
    fn a_name_of_the_nodes_own_is_left_to_the_node() {
        let own = "# TYPE a_seconds_total counter\na_seconds_total 3\n";
        let page = page(Format::Text, own);
        assert_eq!(page.matches("# TYPE a_seconds_total").count(), 1);
        assert!(page.contains("d_info 1"));
    }
}
