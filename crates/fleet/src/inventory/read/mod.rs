//! From what is written to what is meant: defaults are filled in, and all that is wrong is told at once.

mod consul;
mod desk;
mod destinations;
mod engines;
mod fleet;
mod hints;
mod nodes;
mod profiles;
mod registry;
mod wish;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::form::{Form, Log, Paper};
use super::{Inventory, address, file};
use crate::catalogue::Catalogue;
use crate::duration::Duration;
use crate::problem::{Problem, Problems, Source};
use crate::profile::Book;
use crate::render::rate_window;

impl Inventory {
    /// Reads an inventory from its file, and what that names beside it.
    ///
    /// # Errors
    /// All that is wrong with it, with places and remedies.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        match file::text(path) {
            Ok(text) => Self::read(&name, &text),
            Err((what, remedy)) => Err(Problem { file: name, place: None, what, remedy }.into()),
        }
    }

    /// Whether a file is there that this user may read; what stands in it is not looked at.
    ///
    /// # Errors
    /// Why not, and what mends that.
    pub fn look(path: &Path) -> Result<(), Problem> {
        let problem =
            |(what, remedy)| Problem { file: path.display().to_string(), place: None, what, remedy };
        file::open(path).map(drop).map_err(problem)
    }

    /// Reads an inventory; `file` is its name in messages, and what it names lies beside that.
    ///
    /// # Errors
    /// All that is wrong with it, with places and remedies.
    pub fn read(file: &str, text: &str) -> Result<Self, Problems> {
        let log = Log::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let paper = Paper { source: Source { name: file, text }, log: &log };
        let inventory = whole(paper)?;
        let (problems, hints) = log.into_sorted();
        match inventory {
            Some(inventory) if problems.is_empty() => Ok(Self { hints, ..inventory }),
            _ => Err(Problems(problems)),
        }
    }
}

/// What all parts of an inventory are read with.
struct Reader {
    /// Where files lie that it names.
    folder: PathBuf,
    book: Book,
    catalogue: Catalogue,
    /// The window of rules' rates.
    rate_window: Duration,
}

fn whole(paper: Paper<'_>) -> Result<Option<Inventory>, Problems> {
    let Some(table) = paper.table() else { return Ok(None) };
    let form = Form::new(paper, "the inventory", table.get_ref(), 0..0);
    let folder = Path::new(paper.source.name).parent().map(Path::to_path_buf).unwrap_or_default();
    let intervals = engines::intervals(&form);
    let rate_window = rate_window(intervals.scrape);
    let mut reader = Reader { folder, book: Book::ours()?, catalogue: Catalogue::ours()?, rate_window };
    let forms = form.tables("fleet", "[[fleet]]");
    if forms.is_empty() && !form.has("fleet") {
        paper.refuse(0..0, "no fleet", "begin with [[fleet]], its name and its profile");
    }
    let mut seen = Seen::default();
    let fleets: Vec<_> = forms.into_iter().filter_map(|form| reader.fleet(form, &mut seen)).collect();
    let inventory = Inventory {
        file: paper.source.name.to_owned(),
        destinations: destinations::read(&form, &fleets),
        intervals,
        links: engines::links(&form),
        engines: engines::read(&form),
        fleets,
        catalogue: reader.catalogue,
        hints: Vec::new(),
    };
    form.finish();
    hints::give(&inventory, paper);
    Ok(Some(inventory))
}

/// What must not stand twice in an inventory.
#[derive(Default)]
struct Seen {
    fleets: BTreeMap<String, ()>,
    /// Endpoint and where it answers, with the node that has it.
    targets: BTreeMap<(String, String), String>,
}

/// A name that may be a label's value; what is wrong with it is told.
fn name(form: &Form<'_>, key: &'static str) -> Option<Spanned<String>> {
    let text = form.text(key)?;
    let remedy = address::wrong_name(text.get_ref());
    if let Some(remedy) = remedy {
        form.paper.refuse(text.span(), format!("`{key}` {:?} is no name", text.get_ref()), remedy);
        return None;
    }
    Some(Spanned::new(text.span(), text.get_ref().to_string()))
}

fn plain_name(form: &Form<'_>, key: &'static str) -> Option<String> {
    name(form, key).map(Spanned::into_inner)
}

fn version(form: &Form<'_>) -> Option<String> {
    let text = form.text("version")?;
    let remedy = address::wrong_version(text.get_ref());
    if let Some(remedy) = remedy {
        form.paper.refuse(text.span(), format!("`version` {:?} is no version", text.get_ref()), remedy);
    }
    Some(text.get_ref().to_string())
}

/// `host:port`; what is wrong with it is told.
fn host_and_port(form: &Form<'_>, key: &'static str) -> Option<String> {
    address_of(form, key, &form.text(key)?)
}

fn address_of(form: &Form<'_>, key: &str, text: &Spanned<&str>) -> Option<String> {
    match address::host_and_port(text.get_ref()) {
        Ok(address) => Some(address),
        Err(remedy) => {
            form.paper.refuse(text.span(), format!("`{key}` {:?} is no address", text.get_ref()), remedy);
            None
        }
    }
}

/// An absolute path where an engine runs; nobody looks whether it is there.
fn absolute(form: &Form<'_>, text: &Spanned<&str>) -> Option<String> {
    let path = *text.get_ref();
    let is_right = path.starts_with('/') && !path.chars().any(char::is_control);
    if !is_right {
        let what = format!("{path:?} is no absolute path");
        form.paper.refuse(text.span(), what, "write it from the root on: another program opens it");
    }
    is_right.then(|| path.trim_end_matches('/').to_owned())
}
