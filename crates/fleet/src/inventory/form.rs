//! A table of TOML, asked key by key: what is missing, of another kind, or not known is told with its place.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::duration::Duration;
pub(super) use crate::problem::remedy_among;
use crate::problem::{Problem, Source};

/// So many mistakes are told; who mends those sees the others next.
const PROBLEMS_MAX: usize = 200;

/// All that was found wrong so far, in every file.
#[derive(Debug, Default)]
pub(super) struct Log {
    problems: RefCell<Vec<Problem>>,
    hints: RefCell<Vec<Problem>>,
}

impl Log {
    /// Whether enough was found.
    pub(super) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= PROBLEMS_MAX
    }

    pub(super) fn push(&self, problem: Problem) {
        let is_full = self.is_full();
        let mut problems = self.problems.borrow_mut();
        if !is_full && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Problems and hints, each as they stand in the files.
    pub(super) fn into_sorted(self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |problems: RefCell<Vec<Problem>>| {
            let mut problems = problems.into_inner();
            problems.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
            problems
        };
        (sorted(self.problems), sorted(self.hints))
    }
}

/// One file, and where to write down what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paper<'a> {
    pub(super) source: Source<'a>,
    pub(super) log: &'a Log,
}

impl<'a> Paper<'a> {
    /// The file's table; what cannot be read as TOML is told.
    pub(super) fn table(&self) -> Option<Spanned<DeTable<'a>>> {
        let (table, errors) = DeTable::parse_recoverable(self.source.text);
        for error in errors.iter().take(PROBLEMS_MAX) {
            self.log.push(self.source.toml_problem(error));
        }
        errors.is_empty().then_some(table)
    }

    pub(super) fn refuse(&self, span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        if !self.log.is_full() {
            self.log.push(self.source.problem(Some(span), what, remedy));
        }
    }

    pub(super) fn hint(
        &self,
        span: Option<Range<usize>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.log.hints.borrow_mut().push(self.source.problem(span, what, remedy));
    }
}

/// A table that somebody filled in.
#[derive(Debug)]
pub(super) struct Form<'a> {
    pub(super) paper: Paper<'a>,
    pub(super) span: Range<usize>,
    table: &'a DeTable<'a>,
    /// How it is called in messages, as `[[fleet]]`.
    name: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Form<'a> {
    pub(super) fn new(
        paper: Paper<'a>,
        name: &'static str,
        table: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Self {
        Self { paper, span, table, name, asked: RefCell::default() }
    }

    pub(super) fn refuse(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.paper.refuse(self.span.clone(), what, remedy);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether something stands at this key: a table or a list of nothing is as none at all.
    pub(super) fn has_some(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| match value.get_ref() {
            DeValue::Table(table) => !table.is_empty(),
            DeValue::Array(array) => !array.is_empty(),
            _ => true,
        })
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// What the key has to be, read by `read`; what it is instead is told.
    fn read<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let value = self.value(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            self.refuse_kind(key, value, wanted);
        }
        Some(Spanned::new(value.span(), found?))
    }

    fn refuse_kind(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let kind = match value.get_ref() {
            DeValue::String(_) => "a text in quotes",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let what = format!("`{key}` of {} is {kind}", self.name);
        self.paper.refuse(value.span(), what, format!("write {wanted}"));
    }

    /// Tells that a key is missing.
    pub(super) fn refuse_missing(&self, key: &str, example: impl Display) {
        self.refuse(format!("{} has no `{key}`", self.name), format!("add {key} = {example}"));
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &'static str) -> Option<Spanned<&'a str>> {
        let text = self.read(key, "a text in quotes", DeValue::as_str)?;
        if text.get_ref().trim().is_empty() {
            let what = format!("`{key}` of {} is empty", self.name);
            self.paper.refuse(text.span(), what, "fill it in, or leave the line out");
            return None;
        }
        if text.get_ref().chars().any(char::is_control) {
            let what = format!("`{key}` of {} has a control character in it", self.name);
            self.paper.refuse(text.span(), what, "write one line of plain text");
            return None;
        }
        // Prometheus and Alertmanager would run what stands between such braces.
        if text.get_ref().contains("{{") {
            let what = format!("`{key}` of {} has {{{{ in it", self.name);
            self.paper.refuse(text.span(), what, "write plain text, without template braces");
            return None;
        }
        Some(text)
    }

    pub(super) fn plain(&self, key: &'static str) -> Option<String> {
        self.text(key).map(|text| text.into_inner().to_owned())
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", DeValue::as_bool).map(Spanned::into_inner)
    }

    /// A whole number that 64 bits hold.
    pub(super) fn integer(&self, key: &'static str) -> Option<Spanned<i64>> {
        let value = self.value(key)?;
        if value.get_ref().is_integer() && integer(value.get_ref()).is_none() {
            let what = format!("`{key}` of {} is too large", self.name);
            self.paper.refuse(value.span(), what, "write a smaller number");
            return None;
        }
        self.read(key, "a whole number", integer)
    }

    /// A duration of this range.
    pub(super) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.read(key, "a duration in quotes, as \"15s\"", DeValue::as_str)?;
        let (least, most) = (range.start(), range.end());
        let duration: Result<Duration, String> = text.get_ref().parse();
        match duration {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(duration) => {
                let remedy = format!("write a duration from {least} to {most}");
                self.paper.refuse(text.span(), format!("`{key}` = {duration} is out of range"), remedy);
                None
            }
            Err(what) => {
                let (what, remedy) = what.split_once(": ").unwrap_or((&what, ""));
                let remedy = format!("{remedy}, from {least} to {most}");
                self.paper.refuse(text.span(), format!("`{key}`: {what}"), remedy);
                None
            }
        }
    }

    /// One text, or a list of them.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Spanned<&'a str>> {
        const WANTED: &str = "a list of texts in quotes";
        let Some(value) = self.value(key) else { return Vec::new() };
        let array = match value.get_ref() {
            DeValue::String(text) => return vec![Spanned::new(value.span(), text.as_ref())],
            DeValue::Array(array) => array,
            _ => {
                self.refuse_kind(key, value, WANTED);
                return Vec::new();
            }
        };
        let texts = array.iter().filter_map(|item| {
            let text = item.get_ref().as_str();
            if text.is_none() {
                self.refuse_kind(key, item, WANTED);
            }
            Some(Spanned::new(item.span(), text?))
        });
        texts.collect()
    }

    pub(super) fn table(&self, key: &'static str, name: &'static str) -> Option<Form<'a>> {
        let table = self.read(key, &format!("a table: {name}"), DeValue::as_table)?;
        Some(Form::new(self.paper, name, table.get_ref(), table.span()))
    }

    /// Each table of an array of tables.
    pub(super) fn tables(&self, key: &'static str, name: &'static str) -> Vec<Form<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let wanted = format!("{name} with two brackets, once for each");
        let Some(array) = value.get_ref().as_array() else {
            self.refuse_kind(key, value, &wanted);
            return Vec::new();
        };
        let forms = array.iter().filter_map(|item| {
            let table = item.get_ref().as_table();
            if table.is_none() {
                self.refuse_kind(key, item, &wanted);
            }
            Some(Form::new(self.paper, name, table?, item.span()))
        });
        forms.collect()
    }

    /// Every key and value, of a table whose keys are names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Spanned<&'a str>, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (Spanned::new(key.span(), key.get_ref().as_ref()), value))
    }

    /// Tells of keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries().filter(|(key, _)| !asked.contains(key.get_ref())) {
            let remedy = remedy_among(key.get_ref(), asked.iter().copied());
            self.paper.refuse(key.span(), format!("{} has no key `{}`", self.name, key.get_ref()), remedy);
        }
    }
}

/// A whole number, in any notation of TOML's.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A number with or without a point; also `nan` and `inf`.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        #[expect(clippy::cast_precision_loss, reason = "no figure of a fleet is that large")]
        _ => integer(value).map(|number| number as f64),
    }
}
