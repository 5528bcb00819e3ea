//! `lifeboat show`: finds one report and prints it, as a page or as the event itself.

mod course;
mod facts;
mod frames;
mod html;
mod metrics;
pub(crate) mod page;
mod stack;
mod timeline;

use std::path::Path;

use lifeboat_monitor::dsn::Dsn;
use lifeboat_monitor::envelope::{self, Envelope};
use lifeboat_monitor::report::DSN_UNREADABLE;
use lifeboat_monitor::spool::{State, Stored};
use serde_json::Value;

use crate::event::{Event, link_of, title_of};
use crate::output::{Failure, print, width};
use crate::{clean, state};
use page::{BOLD, DIM, GREEN, Page, RED, YELLOW};

/// How a report is shown.
pub(crate) enum Form {
    /// The event itself.
    Json,
    /// A page for a browser.
    Html,
    /// A page with at most so many breadcrumbs.
    Page(usize),
}

/// Shows one report.
pub(crate) fn run(state_dir: &Path, id: &str, form: Form) -> Result<(), Failure> {
    let (spool, reports) = state::reports(state_dir)?;
    let stored = find(&reports, id)?;
    let value = state::event(stored)?;
    let breadcrumbs_max = match form {
        Form::Json => {
            let text = serde_json::to_string_pretty(&value).unwrap_or_default();
            return print(&format!("{}\n", clean::json(&text)));
        }
        Form::Html => return print(&html::page(&value, stored.event_id)),
        Form::Page(breadcrumbs_max) => breadcrumbs_max,
    };
    let delivery = Delivery { server: server(stored), reason: spool.reason(stored.event_id) };
    print(&render(&value, stored, &delivery, Size { width: width(), breadcrumbs_max }))
}

/// What is known of the way to the server beside the report's state.
struct Delivery {
    server: Option<String>,
    reason: Option<String>,
}

fn server(stored: &Stored) -> Option<String> {
    let bytes = envelope::read(&stored.path).ok()?;
    let dsn = Dsn::parse(Envelope::parse(&bytes).ok()?.dsn()?).ok()?;
    Some(format!("{}, project {}", dsn.server(), dsn.project()))
}

fn find<'a>(reports: &'a [Stored], id: &str) -> Result<&'a Stored, Failure> {
    let Some(newest) = reports.first() else { return Err(Failure::no("there are no reports")) };
    // `last` is what it was called before.
    if matches!(id, "latest" | "last") {
        return Ok(newest);
    }
    let wanted: String = id.chars().filter(|letter| *letter != '-').flat_map(char::to_lowercase).collect();
    let begins = |stored: &&Stored| stored.event_id.simple().to_string().starts_with(&wanted);
    let found: Vec<&Stored> = reports.iter().filter(begins).collect();
    match found.as_slice() {
        _ if wanted.is_empty() => {
            Err(Failure::usage("name a report: its id, the beginning of it, or `latest`"))
        }
        [one] => Ok(one),
        [] => Err(Failure::no(format!("no report's id begins with {id}: `lifeboat reports` lists them"))),
        many => Err(Failure::usage(format!("{} reports' ids begin with {id}: give more of it", many.len()))),
    }
}

/// How much room a page has.
#[derive(Clone, Copy)]
struct Size {
    width: usize,
    breadcrumbs_max: usize,
}

fn render(value: &Value, stored: &Stored, way: &Delivery, size: Size) -> String {
    let event = Event::new(value);
    let mut page = Page::new(size.width);
    headline(&mut page, &event);
    facts::summary(&mut page, &event, stored);
    stack::crashed(&mut page, &event);
    stack::others(&mut page, &event);
    timeline::breadcrumbs(&mut page, &event, size.breadcrumbs_max);
    course::section(&mut page, &event);
    metrics::section(&mut page, &event);
    facts::tags(&mut page, &event);
    facts::contexts(&mut page, &event);
    facts::notes(&mut page, &event);
    delivery(&mut page, &event, stored, way);
    page.into_text()
}

fn headline(page: &mut Page, event: &Event<'_>) {
    page.wrapped(RED.bold(), "", &event.title());
    for cause in event.exceptions().iter().skip(1) {
        page.wrapped(DIM, &format!("  {}  ", link_of(cause)), &title_of(cause));
    }
    page.blank();
}

fn delivery(page: &mut Page, event: &Event<'_>, stored: &Stored, way: &Delivery) {
    page.section("DELIVERY", "");
    let server = way.server.as_deref();
    let is_unreadable = facts::all_notes(event).iter().any(|note| note.as_str() == Some(DSN_UNREADABLE));
    let (colour, words) = match (stored.state, server) {
        (State::Pending, None) if is_unreadable => {
            (RED, "the DSN cannot be read: the report stays here".to_owned())
        }
        (State::Pending, None) => (YELLOW, "no server is named in the report: it stays here".to_owned()),
        (State::Pending, Some(server)) => (YELLOW, format!("waits for {server}")),
        (State::Sent, server) => (GREEN, format!("taken by {}", server.unwrap_or("its server"))),
        (State::SetAside, server) => (RED, format!("not taken by {}", server.unwrap_or("its server"))),
    };
    page.line(&[(colour, &format!("  {}", stored.state.word())), (BOLD, &format!("  {words}"))]);
    if let Some(reason) = way.reason.as_deref().filter(|_| stored.state == State::SetAside) {
        page.wrapped(DIM, "  ", reason);
    }
    page.wrapped(DIM, "  ", &stored.path.display().to_string());
}

#[cfg(test)]
mod tests;
