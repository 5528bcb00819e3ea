//! What real programs export: one line of `tests/facts/*.txt` for each metric.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One metric of one generation.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) name: String,
    /// As the program types it: `gauge`, `counter`, `histogram`, `untyped`.
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    /// None where all have it.
    pub(crate) generation: Option<String>,
    /// Why no profile asks for it.
    pub(crate) left_out: Option<String>,
}

/// The facts of one file.
pub(crate) fn of_file(file: &str) -> Vec<Fact> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts").join(file);
    let text = fs::read_to_string(&path).unwrap();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(of_line).collect()
}

/// All facts by name.
pub(crate) fn all() -> BTreeMap<String, Fact> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let facts = files.flat_map(|file| of_file(file.to_str().unwrap()));
    facts.map(|fact| (fact.name.clone(), fact)).collect()
}

fn of_line(line: &str) -> Fact {
    let (words, reason) =
        line.split_once(" # ").map_or((line, None), |(words, reason)| (words, Some(reason)));
    let words: Vec<&str> = words.split(' ').collect();
    let [_, name, kind, labels, generation] = words.as_slice() else { panic!("{line}: five words") };
    Fact {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        labels: labels.split(',').filter(|label| *label != "-").map(str::to_owned).collect(),
        generation: Some((*generation).to_owned()).filter(|generation| generation != "any"),
        left_out: reason.map(str::to_owned),
    }
}
