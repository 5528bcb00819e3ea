//! Reads a page of OpenMetrics text as the reporter writes it: families that stand together, each with its type. A line
//! that does not fit is left out.

/// A series' labels.
pub(super) type Labels<'a> = Vec<(&'a str, String)>;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// One metric with its name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) kind: Kind,
    pub(super) unit: &'a str,
    pub(super) samples: Vec<Sample<'a>>,
}

/// One line with a value.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// All but a bucket's bound.
    pub(super) labels: Labels<'a>,
    pub(super) value: &'a str,
    bound: Option<String>,
}

impl Sample<'_> {
    /// A bucket's upper bound.
    pub(super) fn bound(&self) -> Option<f64> {
        self.bound.as_ref()?.parse().ok()
    }
}

/// The families of a page, in its order.
pub(super) fn families(page: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name, rest) = (words.next(), words.next().unwrap_or_default(), words.next());
            match (word, rest, families.last_mut()) {
                (Some("HELP"), rest, _) => help = (name, rest.unwrap_or_default()),
                (Some("TYPE"), Some(kind), _) => {
                    let help = if help.0 == name { help.1 } else { "" };
                    families.extend(kind_of(kind).map(|kind| Family {
                        name,
                        help,
                        kind,
                        unit: "",
                        samples: Vec::new(),
                    }));
                }
                (Some("UNIT"), Some(unit), Some(family)) if family.name == name => family.unit = unit,
                _ => {}
            }
        } else if let Some(family) = families.last_mut()
            && let Some(sample) = sample(line)
            && is_of(family, sample.name)
        {
            family.samples.push(sample);
        }
    }
    families
}

fn kind_of(word: &str) -> Option<Kind> {
    Some(match word {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        "info" => Kind::Info,
        _ => return None,
    })
}

fn is_of(family: &Family<'_>, name: &str) -> bool {
    name.strip_prefix(family.name).is_some_and(|ending| match family.kind {
        Kind::Counter => ending == "_total",
        Kind::Gauge => ending.is_empty(),
        Kind::Histogram => ["_bucket", "_sum", "_count"].contains(&ending),
        Kind::Info => ending == "_info",
    })
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at_checked(end)?;
    let mut labels = Vec::new();
    while let Some(inside) = rest.strip_prefix(['{', ',']) {
        let (label, quoted) = inside.split_once("=\"")?;
        let (value, behind) = unquoted(quoted)?;
        labels.push((label, value));
        rest = behind;
    }
    if !labels.is_empty() {
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?;
    let bound = labels.iter().position(|(label, _)| *label == "le").map(|at| labels.remove(at).1);
    Some(Sample { name, labels, value, bound })
}

/// The text up to its closing quote, without escapes, and what stands behind it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some((text, letters.as_str())),
            '\\' => text.push(match letters.next()? {
                'n' => '\n',
                letter @ ('\\' | '"') => letter,
                _ => return None,
            }),
            letter => text.push(letter),
        }
    }
}
