//! The profiles that a fleet names: ours, and those that stand in files of the operator's own.

use toml::Spanned;

use super::Reader;
use crate::inventory::file;
use crate::inventory::form::{Form, Paper, remedy_among};
use crate::problem::{Problem, Problems, Source};
use crate::profile::{Book, Signal, Speech, place, wrong_for_a_fleet};

impl Reader {
    /// The fleet's profiles, by name, and what they say together.
    pub(super) fn speech(&mut self, form: &Form<'_>) -> (Vec<String>, Option<Speech>) {
        if !form.has("profile") {
            form.refuse_missing("profile", "\"logos-delivery\"");
        } else if let Some(value) = form.value("profile").filter(|_| !form.has_some("profile")) {
            form.paper.refuse(value.span(), "`profile` names none", "name one, as \"logos-delivery\"");
        }
        let said = form.texts("profile");
        let mut names = Vec::new();
        for text in &said {
            let wanted = *text.get_ref();
            let is_file = wanted.contains('/') || wanted.to_ascii_lowercase().ends_with(".toml");
            let name = if is_file { self.own_profile(form.paper, text) } else { Some(wanted.to_owned()) };
            let Some(name) = name else { continue };
            if let Some((what, remedy)) = self.not_for_a_fleet(&name) {
                form.paper.refuse(text.span(), what, remedy);
                continue;
            }
            names.push(name);
        }
        if names.is_empty() || names.len() < said.len() {
            return (names, None);
        }
        let speech = self.book.speech(&names).map_err(|(missing, near)| {
            let remedy = near.map_or_else(String::new, |near| format!("did you mean {near:?}?"));
            form.refuse(format!("a profile includes {missing:?}, which there is not"), remedy);
        });
        (names, speech.ok())
    }

    /// Why no fleet has such a profile, and what mends that.
    fn not_for_a_fleet(&self, name: &str) -> Option<(String, String)> {
        match self.book.profile(name) {
            None => {
                let remedy = remedy_among(name, self.book.names().into_iter());
                Some((format!("no profile {name:?}"), remedy))
            }
            Some(profile) if profile.is_of_engines => {
                let what = format!("profile {name:?} is how the engines speak");
                Some((what, "leave it out: they are watched without it".into()))
            }
            Some(_) => None,
        }
    }

    /// Takes a profile of the operator's own into the book, and says its name.
    fn own_profile(&mut self, paper: Paper<'_>, path: &Spanned<&str>) -> Option<String> {
        let place = self.folder.join(path.get_ref());
        let shown = place.display().to_string();
        let text = file::text(&place).map_err(|(what, remedy)| {
            paper.refuse(path.span(), format!("profile {shown} {what}"), remedy);
        });
        let text = text.ok()?;
        let added = self.book.add(&shown, &text);
        let source = Source { name: &shown, text: &text };
        match added.and_then(|name| self.refer(&name, source)) {
            Ok(name) => Some(name),
            Err(problems) => {
                problems.0.into_iter().for_each(|problem| paper.log.push(problem));
                None
            }
        }
    }

    /// Whether what an own profile refers to is there: the profiles that it includes, its signals' endpoints.
    fn refer(&self, name: &str, source: Source<'_>) -> Result<String, Problems> {
        let Some(profile) = self.book.profile(name) else { return Ok(name.to_owned()) };
        let mut problems = Vec::new();
        if Book::ours().is_ok_and(|ours| ours.profile(name).is_some()) {
            let what = format!("profile {name:?} comes with Lifeboat");
            let remedy = "give yours another name: it may include that one";
            problems.push(source.problem(place(source.text, &["name"]), what, remedy));
        }
        for (number, included) in profile.includes.iter().enumerate() {
            if let Some((what, remedy)) = self.not_for_a_fleet(included) {
                let span = place(source.text, &["includes", &number.to_string()]);
                problems.push(source.problem(span, what, remedy));
            }
        }
        let speech = self.book.speech(&[name.to_owned()]).unwrap_or_default();
        let is_whole = problems.is_empty();
        for (signal, told) in profile.signals.iter().filter(|_| is_whole) {
            if !speech.endpoints.contains_key(&told.endpoint) {
                let span = place(source.text, &["signal", signal, "endpoint"]);
                let what =
                    format!("signal `{signal}` is told by endpoint {:?}, which there is not", told.endpoint);
                problems.push(source.problem(span, what, "add [endpoint.…] for it, or include its profile"));
            }
        }
        problems.extend(wrong_for_a_fleet(source, profile));
        let labels = profile.signals.iter().filter_map(|(name, signal)| without_labels(source, name, signal));
        problems.extend(labels);
        if problems.is_empty() { Ok(name.to_owned()) } else { Err(Problems(problems)) }
    }
}

/// Alerts and panels name the labels that our signal of that name has.
fn without_labels(source: Source<'_>, name: &str, signal: &Signal) -> Option<Problem> {
    let book = Book::ours().ok()?;
    let mut ours = book.profiles().filter_map(|profile| profile.signals.get(name));
    let missing = |ours: &Signal| {
        ours.by.iter().filter(|label| !signal.by.contains(label)).cloned().collect::<Vec<_>>()
    };
    let first = missing(ours.next()?);
    // Of profiles of ours that differ, one is enough.
    if first.is_empty() || ours.any(|ours| missing(ours).is_empty()) {
        return None;
    }
    let what = format!("signal `{name}` has no label {}, which alerts and panels name", first.join(", "));
    let remedy = format!("add by = {first:?}, or give the signal another name");
    Some(source.problem(place(source.text, &["signal", name]), what, remedy))
}
