//! `lifeboat reports`: what lies in the state directory, newest first.

use std::path::Path;

use lifeboat_monitor::spool::{State, Stored};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use unicode_width::UnicodeWidthStr;

use crate::event::Event;
use crate::output::{Failure, print, table_width};
use crate::show::page::{BOLD, DIM, GREEN, Page, RED, YELLOW, cut, cut_start, fit};
use crate::{clean, state};

/// So many columns the title keeps before the release is left out.
const TITLE_MIN: usize = 24;
/// A release that is cut to less tells nothing.
const RELEASE_MIN: usize = 8;

/// Lists the reports.
pub(crate) fn run(state_dir: &Path, json: bool) -> Result<(), Failure> {
    let (_, reports) = state::reports(state_dir)?;
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
    release: String,
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
            release: String::new(),
        };
        if let Ok(value) = state::event(stored) {
            let event = Event::new(&value);
            row.when = event.timestamp().unwrap_or(row.when);
            (row.cause, row.node) = (event.cause().to_owned(), event.node().to_owned());
            row.title = event.title();
            row.release = event.text("/release").unwrap_or_default().to_owned();
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
            "release": self.release,
            "state": self.state.word(),
        });
        format!("{}\n", clean::json(&object.to_string()))
    }
}

fn table(rows: &[Row]) -> String {
    let width = table_width();
    let columns = Columns::of(rows, width);
    let Columns { cause, node, release, title } = columns;
    let mut page = Page::new(width.unwrap_or(usize::MAX));
    let named =
        |name: &str, width: Option<usize>| width.map(|width| fit(name, width) + "  ").unwrap_or_default();
    page.line(&[(
        DIM,
        &format!(
            "{:8}  {:16}  {:9}  {:cause$}  {:node$}  {}TITLE",
            "ID",
            "WHEN (UTC)",
            "STATE",
            "CAUSE",
            "NODE",
            named("RELEASE", release)
        ),
    )]);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    for row in rows {
        let colour = match row.state {
            State::Pending => YELLOW,
            State::Sent => GREEN,
            State::SetAside => RED,
        };
        // The end of a release says more: there is its version.
        let cut_release = cut_start(&row.release, release.unwrap_or_default());
        page.line(&[
            (BOLD, row.event_id.get(..8).unwrap_or(&row.event_id)),
            (DIM, &format!("  {}  ", row.when.format(&format).unwrap_or_default())),
            (colour, &format!("{:9}  ", row.state.word())),
            (DIM, &format!("{}  {}  ", fit(&row.cause, cause), fit(&row.node, node))),
            (DIM, &named(&cut_release, release)),
            (BOLD, cut(&clean::line(&row.title), title).trim_end()),
        ]);
    }
    page.into_text()
}

/// How wide the columns are whose texts differ in length.
struct Columns {
    cause: usize,
    node: usize,
    /// None where no report has a release, or the titles need the room.
    release: Option<usize>,
    title: usize,
}

impl Columns {
    fn of(rows: &[Row], width: Option<usize>) -> Self {
        let widest = |field: fn(&Row) -> &str| {
            rows.iter().map(|row| clean::line(field(row)).width()).max().unwrap_or_default()
        };
        let (cause, node) = (widest(|row| &row.cause).max(5), widest(|row| &row.node).max(5));
        let full = widest(|row| &row.release);
        let wanted = Some(full.max(RELEASE_MIN)).filter(|_| full > 0);
        let Some(width) = width else {
            return Self { cause, node, release: wanted, title: usize::MAX };
        };
        let (cause, node) = (cause.min(13), node.min(20));
        let room = width.saturating_sub(8 + 2 + 16 + 2 + 9 + 2 + cause + 2 + node + 2);
        let left = room.saturating_sub(TITLE_MIN + 2);
        let release = wanted.map(|wanted| wanted.min(left)).filter(|release| *release >= RELEASE_MIN);
        Self { cause, node, release, title: room.saturating_sub(release.map_or(0, |release| release + 2)) }
    }
}
