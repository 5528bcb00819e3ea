//! `lifeboat fleet render`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lifeboat_fleet::{Options, Problem, Refusal, Written};
use serde_json::json;

use super::problems;
use crate::output::{Failure, print};

/// Where to, and how.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The folder to write into; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write nothing; end with 1 where a rendering would change something
    #[arg(long)]
    check: bool,
    /// Keep what was changed by hand as NAME.orig, and write in its place
    #[arg(long, conflicts_with = "check")]
    force: bool,
    /// Say as JSON what was done
    #[arg(long)]
    json: bool,
    /// Divide every interval, window and `for` by this: for drills that need not last
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    accelerate: u64,
}

pub(super) fn run(path: &Path, wish: &Wish) -> Result<(), Failure> {
    let inventory = match super::load_for(path, wish.json)? {
        Ok(inventory) => inventory,
        Err(problems) if wish.json => return Err(problems::told_as_json(&problems)?),
        Err(problems) => return Err(problems::told(&problems)),
    };
    let options = Options { accelerate: wish.accelerate };
    let tree = match lifeboat_fleet::render(&inventory, options) {
        Ok(tree) => tree,
        Err(what) => {
            if wish.json {
                let file = inventory.file.clone();
                let problem = Problem { file, place: None, what: what.clone(), remedy: String::new() };
                problems::told_as_json(&problem.into())?;
            }
            return Err(Failure::no(what));
        }
    };
    let written = match (wish.check, wish.force) {
        (true, _) => tree.compare(&wish.out),
        (false, true) => tree.write_with_force(&wish.out),
        (false, false) => tree.write(&wish.out),
    };
    let written = match written {
        Ok(written) => written,
        Err(refusal) => return Err(refused(&refusal, &wish.out, wish.json)?),
    };
    print(&if wish.json { json_of(&written) } else { text_of(&written, wish.check) })?;
    if wish.check && !written.is_nothing() {
        let (changed, removed) = (written.changed.len(), written.removed.len());
        return Err(Failure::no(format!("a rendering would write {changed} files and remove {removed}")));
    }
    Ok(())
}

/// The failure, after what is in the way was told: a line for each file that somebody changed, or all of it as JSON.
fn refused(refusal: &Refusal, out: &Path, as_json: bool) -> Result<Failure, Failure> {
    let by_hand = refusal.by_hand_paths();
    if as_json {
        let what = refusal.to_string();
        print(&problems::line(&json!({"result": "refused", "by_hand": by_hand, "what": what})))?;
    }
    if by_hand.is_empty() {
        return Ok(Failure::no(refusal.to_string()));
    }
    for path in by_hand.iter().filter(|_| !as_json) {
        let path = crate::clean::line(&path.display().to_string());
        anstream::eprintln!("not rendered, or changed since: {path}");
    }
    Ok(Failure::no(format!(
        "nothing was written to {}: {} of its files were not rendered, or changed since; what you add belongs into files of \
         your own; --force keeps each as NAME.orig",
        out.display(),
        by_hand.len()
    )))
}

fn text_of(written: &Written, check: bool) -> String {
    let (wrote, removed) = if check { ("would write", "would remove") } else { ("wrote", "removed") };
    let mut text = String::new();
    for path in &written.changed {
        let by_hand = if check && written.by_hand.contains(path) { ", changed by hand" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{wrote} {}{by_hand}", path.display());
    }
    for path in &written.removed {
        let _ = writeln!(text, "{removed} {}", path.display());
    }
    for path in &written.kept {
        let _ = writeln!(text, "kept {}", path.display());
    }
    if !check {
        let (changed, unchanged) = (written.changed.len(), written.unchanged.len());
        let _ = writeln!(
            text,
            "{changed} files written, {unchanged} unchanged, {} removed",
            written.removed.len()
        );
    }
    let engines = reloads(written);
    if !engines.is_empty() {
        let then = if check { "would then need" } else { "need" };
        let _ = writeln!(text, "these {then} a reload, as README.md there says: {}", engines.join(", "));
    }
    text
}

/// The engines that see what was changed or removed only when they are told to read their files again.
fn reloads(written: &Written) -> Vec<&'static str> {
    const FILES: [(&str, &[&str]); 3] = [
        ("Prometheus", &["prometheus/prometheus.yml", "prometheus/rules"]),
        ("Alertmanager", &["alertmanager"]),
        ("blackbox", &["blackbox"]),
    ];
    let touched = |file: &&str| {
        written.changed.iter().chain(&written.removed).any(|path: &PathBuf| path.starts_with(Path::new(file)))
    };
    FILES.iter().filter(|(_, files)| files.iter().any(&touched)).map(|(name, _)| *name).collect()
}

fn json_of(written: &Written) -> String {
    let document = json!({
        "result": "ok",
        "changed": written.changed,
        "removed": written.removed,
        "kept": written.kept,
        "by_hand": written.by_hand,
        "unchanged": written.unchanged.len(),
        "reload": reloads(written),
    });
    format!("{document}\n")
}
