//! `lifeboat audit`: says what telemetry code a program holds, and by what one can see it. Strings are looked
//! for in the whole file, so that stripping hides nothing; symbols and needed libraries name the rest.

mod elf;
mod scan;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use serde_json::json;

use crate::output::{Failure, print, width};
use crate::show::page::{BOLD, DIM, GREEN, PLAIN, Page, RED, YELLOW};
use elf::Structure;
use scan::Mark;

/// What is printed of each list; the rest is counted.
const SHOWN_MAX: usize = 12;
/// Names that the reporter itself reads; a loader and the public build have no use for them.
const REPORTER_WORDS: [&str; 4] = ["LIFEBOAT_NODE", "LIFEBOAT_FLEET", "LIFEBOAT_TAGS", "LIFEBOAT_COMMIT"];
const API_SYMBOL: &str = "lifeboat_api_v1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    Loader,
    Reporter,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Loader => "loader",
            Self::Reporter => "reporter",
        }
    }
}

/// What was found in one file.
#[derive(Debug, Default)]
struct Findings {
    /// One sentence for each thing that shows telemetry code.
    evidence: Vec<String>,
    /// Marks that only debug information holds: names of files, not code.
    debug_only: Vec<String>,
    /// Other makers' crash reporters.
    others: Vec<String>,
}

/// Audits one file.
pub(crate) fn run(program: &Path, json: bool) -> Result<(), Failure> {
    let unreadable = |error: String| Failure::usage(format!("{}: {error}", program.display()));
    // A pipe or a device would keep us waiting.
    let metadata = std::fs::metadata(program).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("this is no regular file".into()));
    }
    let file = File::open(program).map_err(|error| unreadable(error.to_string()))?;
    let structure = elf::read(&file).map_err(unreadable)?;
    let marks = scan::whole(&file).map_err(|error| unreadable(error.to_string()))?;
    let (verdict, findings) = judge(&structure, &marks);
    print(&if json { as_json(verdict, &findings) } else { page(program, verdict, &findings) })?;
    match verdict {
        Verdict::Nothing => Ok(()),
        found => Err(Failure::no(format!("{} holds telemetry code: {}", program.display(), found.word()))),
    }
}

fn judge(structure: &Structure, marks: &[Mark]) -> (Verdict, Findings) {
    let mut findings = Findings::default();
    for symbol in structure.symbols.iter().filter(|symbol| is_ours(&symbol.name)) {
        let kind = if symbol.is_defined { "defines" } else { "needs" };
        push_new(&mut findings.evidence, format!("{kind} the symbol {}", symbol.name));
    }
    for library in structure.needed.iter().filter(|library| is_ours(library)) {
        push_new(&mut findings.evidence, format!("needs the library {library}"));
    }
    for section in structure.sections.iter().filter(|section| is_ours(&section.name)) {
        push_new(&mut findings.evidence, format!("has the section {}", section.name));
    }
    for mark in marks {
        let section = structure.section_at(mark.offset);
        let place = section.map_or("outside all sections", |section| section.name.as_str());
        let is_debug = section.is_some_and(|section| section.is_debug);
        let list = match (mark.is_ours, is_debug) {
            (true, false) => &mut findings.evidence,
            (true, true) => &mut findings.debug_only,
            (false, false) => &mut findings.others,
            (false, true) => continue,
        };
        push_new(list, format!("the text \"{}\" at {:#x} ({place})", mark.text, mark.offset));
    }
    others_by_structure(structure, &mut findings);
    // What decides comes first.
    findings
        .evidence
        .sort_by_key(|sentence| !(sentence.contains(API_SYMBOL) || sentence.starts_with("needs the lib")));
    (verdict(structure, marks, &findings), findings)
}

fn verdict(structure: &Structure, marks: &[Mark], findings: &Findings) -> Verdict {
    let defines_api = structure.symbols.iter().any(|symbol| symbol.name == API_SYMBOL && symbol.is_defined);
    let in_code = |mark: &&Mark| !structure.section_at(mark.offset).is_some_and(|section| section.is_debug);
    let words: BTreeSet<&str> = marks
        .iter()
        .filter(in_code)
        .flat_map(|mark| REPORTER_WORDS.into_iter().filter(|word| mark.text.contains(word)))
        .collect();
    match (findings.evidence.is_empty(), defines_api || words.len() >= 2) {
        (_, true) => Verdict::Reporter,
        (false, false) => Verdict::Loader,
        (true, false) => Verdict::Nothing,
    }
}

fn others_by_structure(structure: &Structure, findings: &mut Findings) {
    for symbol in structure.symbols.iter().filter(|symbol| scan::is_other(&symbol.name)) {
        push_new(&mut findings.others, format!("the symbol {}", symbol.name));
    }
    for library in structure.needed.iter().filter(|library| scan::is_other(library)) {
        push_new(&mut findings.others, format!("needs the library {library}"));
    }
}

fn is_ours(name: &str) -> bool {
    name.to_ascii_lowercase().contains("lifeboat")
}

fn push_new(list: &mut Vec<String>, sentence: String) {
    // A text that stands in many places is told once for each of its first places.
    if !list.contains(&sentence) {
        list.push(sentence);
    }
}

fn as_json(verdict: Verdict, findings: &Findings) -> String {
    let object = json!({
        "verdict": verdict.word(),
        "evidence": findings.evidence,
        "debug_only": findings.debug_only,
        "others": findings.others,
    });
    format!("{}\n", crate::clean::json(&object.to_string()))
}

fn page(program: &Path, verdict: Verdict, findings: &Findings) -> String {
    let mut page = Page::new(width());
    let (style, words) = match verdict {
        Verdict::Nothing => (GREEN, "no telemetry code"),
        Verdict::Loader => (YELLOW, "can load the reporter at run time"),
        Verdict::Reporter => (RED, "holds the reporter"),
    };
    page.line(&[
        (style.bold(), verdict.word()),
        (PLAIN, "  "),
        (BOLD, &program.display().to_string()),
        (DIM, &format!("  {words}")),
    ]);
    list(&mut page, "", &findings.evidence);
    if !findings.debug_only.is_empty() {
        let count = findings.debug_only.len();
        page.line(&[(
            DIM,
            &format!("  debug information, which is no code, has the name in {count} places (--json)"),
        )]);
    }
    list(&mut page, "warning: another crash reporter seems to be in it:", &findings.others);
    page.into_text()
}

fn list(page: &mut Page, head: &str, sentences: &[String]) {
    if !head.is_empty() && !sentences.is_empty() {
        page.line(&[(YELLOW, head)]);
    }
    for sentence in sentences.iter().take(SHOWN_MAX) {
        page.line(&[(DIM, "  "), (PLAIN, sentence)]);
    }
    if let Some(more @ 1..) = sentences.len().checked_sub(SHOWN_MAX) {
        page.line(&[(DIM, &format!("  … and {more} more (--json has all)"))]);
    }
}
