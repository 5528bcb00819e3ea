//! What is wrong with a file that somebody wrote: where, what, and the remedy.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// Line and column, both from 1, where one is known.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What mends it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, what, remedy } = self;
        match place {
            Some((line, column)) => write!(formatter, "{file}:{line}:{column}: {what}")?,
            None => write!(formatter, "{file}: {what}")?,
        }
        if remedy.is_empty() { Ok(()) } else { write!(formatter, ": {remedy}") }
    }
}

/// All that is wrong: an operator mends a file in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// A file's name and text, to tell of places in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// A problem at this place of the text.
    pub(crate) fn problem(
        &self,
        span: Option<Range<usize>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        let place = span.map(|span| self.place(span.start));
        Problem { file: self.name.into(), place, what: what.into(), remedy: remedy.into() }
    }

    /// What the TOML parser says, in one line, and what mends it.
    pub(crate) fn toml_problem(&self, error: &toml::de::Error) -> Problem {
        let written = error.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        let (what, remedy) = in_words(error.message().replace('\n', ", "), written);
        self.problem(error.span(), what, remedy)
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// What the TOML parser says of what is written there, and what mends it: its own words name types of Rust's, and no remedy.
fn in_words(message: String, written: &str) -> (String, String) {
    if message == "duplicate key" {
        return (format!("`{written}` stands twice"), "keep one, or give one of them another name".into());
    }
    if message.starts_with("missing field") {
        return (message, "add a line with it".into());
    }
    let Some((what, expected)) = message.split_once(", expected ") else {
        return (message, SYNTAX.into());
    };
    let remedy = if what.starts_with("unknown ") {
        let names = expected.split('`').skip(1).step_by(2);
        remedy_among(what.split('`').nth(1).unwrap_or_default(), names)
    } else if what.starts_with("invalid type") || what.starts_with("invalid value") {
        let kind = match expected {
            "u16" => "a whole number from 1 to 65535, without quotes",
            "f64" => "a number, without quotes",
            "a string" => "a text in quotes",
            "a boolean" => "true or false, without quotes",
            "a sequence" => "a list, as [\"a\", \"b\"]",
            other if other.starts_with("struct") || other == "a map" => "a table, as { key = \"text\" }",
            other => other,
        };
        // Of syntax it says what letter it expects, which helps.
        if kind == expected {
            return (message.clone(), SYNTAX.into());
        }
        format!("write {kind}")
    } else {
        return (message.clone(), SYNTAX.into());
    };
    (what.to_owned(), remedy)
}

/// What mends a line that is no TOML.
const SYNTAX: &str = "write TOML: key = \"text\", [table], and lists in brackets";

/// The nearest of the names, or all of them.
pub(crate) fn remedy_among<'b>(wanted: &str, names: impl Iterator<Item = &'b str> + Clone) -> String {
    match nearest(wanted, names.clone()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("one of: {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// So many letters are enough to be the beginning of a name.
const BEGINNING: usize = 3;

/// The name that is near, where one is. One that begins with what is wanted is nearer than all others: who writes `store-01`
/// means `store-01.hel1.acme.prod`.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    if wanted.len() >= BEGINNING
        && let Some(name) = names.iter().filter(|name| name.starts_with(wanted)).min_by_key(|name| name.len())
    {
        return Some(name);
    }
    let near = names.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name));
    near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// That there is none of that name, and what was likely meant.
pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("no {what} {name:?}: did you mean {near:?}?"),
        None => format!("no {what} {name:?}: there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_beginning_is_nearer_than_likeness() {
        let names = ["store-03.hel1.acme.prod", "store-01.hel1.acme.prod", "store-02.hel1.acme.prod"];
        assert_eq!(nearest("store-01", names), Some("store-01.hel1.acme.prod"));
        assert_eq!(nearest("stroe-01.hel1.acme.prod", names), Some("store-01.hel1.acme.prod"));
        assert_eq!(nearest("xyz", names), None);
    }
}
