//! The table of deaths: what the tests of each language found in the reports, as docs/deaths.md shows it.
//!
//! A row is written where `LIFEBOAT_DEATHS` names a file; `scripts/deaths` does that and makes the page.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes one death whose report was as its test expects.
///
/// # Panics
/// Where the file cannot be written.
pub fn note_death(language: &str, build: &str, death: &str, cause: &str, title: &str, frames: &[&str]) {
    let Some(path) = std::env::var_os("LIFEBOAT_DEATHS") else { return };
    // Sources are where this repository happens to lie.
    let title = title.replace(&format!("{}/", crate::repository(".").display()).replace("/./", "/"), "");
    let cells = [language, build, death, cause, &title, &frames.join(" ← ")];
    let row = cells.map(|cell| cell.replace(['\t', '\n'], " ")).join("\t") + "\n";
    let file = OpenOptions::new().append(true).create(true).open(path);
    // One write a row: several tests write at once.
    if let Err(error) = file.and_then(|mut file| file.write_all(row.as_bytes())) {
        panic!("LIFEBOAT_DEATHS: {error}");
    }
}
