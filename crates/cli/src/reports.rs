//! `lifeboat reports`: what lies in the state directory, newest first.

use std::path::Path;

use lifeboat_monitor::spool::{State, Stored};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::event::Event;
use crate::output::{Failure, print, width};
use crate::show::page::{BOLD, DIM, GREEN, Page, RED, YELLOW, fit};
use crate::{clean, state};

/// Lists the reports.
pub(crate) fn run(state_dir: &Path, json: bool) -> Result<(), Failure> {
    let (_, reports) = state::reports(state_dir)?;
    if reports.is_empty() {
        return Err(Failure::no(format!("no reports in {}", state_dir.display())));
    }
    let rows: Vec<Row> = reports.iter().map(Row::of).collect();
    print(&if json { rows.iter().map(Row::json).collect() } else { table(&rows) })
}

struct Row {
    event_id: String,
    state: State,
    when: OffsetDateTime,
    cause: String,
    title: String,
    node: String,
}

impl Row {
    /// A report that cannot be read is listed too: it is there.
    fn of(stored: &Stored) -> Self {
        let mut row = Self {
            event_id: stored.event_id.simple().to_string(),
            state: stored.state,
            when: stored.stored_at.into(),
            cause: String::new(),
            title: "(cannot be read)".to_owned(),
            node: String::new(),
        };
        if let Ok(value) = state::event(stored) {
            let event = Event::new(&value);
            row.when = event.timestamp().unwrap_or(row.when);
            (row.cause, row.node) = (event.cause().to_owned(), event.node().to_owned());
            row.title = event.title();
        }
        row
    }

    fn json(&self) -> String {
        let object = json!({
            "event_id": self.event_id,
            "timestamp": self.when.format(&Rfc3339).unwrap_or_default(),
            "cause": self.cause,
            "title": self.title,
            "node": self.node,
            "state": self.state.word(),
        });
        format!("{}\n", clean::json(&object.to_string()))
    }
}

fn table(rows: &[Row]) -> String {
    let widest = |field: fn(&Row) -> &str, most: usize| {
        rows.iter().map(|row| field(row).chars().count()).max().unwrap_or_default().clamp(5, most)
    };
    let (cause, node) = (widest(|row| &row.cause, 13), widest(|row| &row.node, 20));
    let mut page = Page::new(width());
    let title_width = page.width().saturating_sub(8 + 2 + 16 + 2 + 9 + 2 + cause + 2 + node + 2);
    page.line(&[(
        DIM,
        &format!(
            "{:8}  {:16}  {:9}  {:cause$}  {:node$}  TITLE",
            "ID", "WHEN (UTC)", "STATE", "CAUSE", "NODE"
        ),
    )]);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    for row in rows {
        let colour = match row.state {
            State::Pending => YELLOW,
            State::Sent => GREEN,
            State::SetAside => RED,
        };
        page.line(&[
            (BOLD, row.event_id.get(..8).unwrap_or(&row.event_id)),
            (DIM, &format!("  {}  ", row.when.format(&format).unwrap_or_default())),
            (colour, &format!("{:9}  ", row.state.word())),
            (DIM, &format!("{}  {}  ", fit(&row.cause, cause), fit(&row.node, node))),
            (BOLD, fit(&row.title, title_width).trim_end()),
        ]);
    }
    page.into_text()
}
