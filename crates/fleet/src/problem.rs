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

    /// What the TOML parser says, in one line.
    pub(crate) fn toml_problem(&self, error: &toml::de::Error) -> Problem {
        self.problem(error.span(), error.message().replace('\n', ", "), "")
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// ", did you mean X" where one of the names is near.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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
