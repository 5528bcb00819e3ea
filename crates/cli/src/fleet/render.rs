//! `lifeboat fleet render`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lifeboat_fleet::{Inventory, Options, Written};
use serde_json::json;

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

pub(super) fn run(inventory: &Inventory, wish: &Wish) -> Result<(), Failure> {
    let tree =
        lifeboat_fleet::render(inventory, Options { accelerate: wish.accelerate }).map_err(Failure::no)?;
    let written = match (wish.check, wish.force) {
        (true, _) => tree.compare(&wish.out),
        (false, true) => tree.write_with_force(&wish.out),
        (false, false) => tree.write(&wish.out),
    };
    let written = written.map_err(|refusal| Failure::no(refusal.to_string()))?;
    print(&if wish.json { json_of(&written) } else { text_of(&written, wish.check) })?;
    if wish.check && !written.is_nothing() {
        let (changed, removed) = (written.changed.len(), written.removed.len());
        return Err(Failure::no(format!("a rendering would write {changed} files and remove {removed}")));
    }
    Ok(())
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
        "changed": written.changed,
        "removed": written.removed,
        "kept": written.kept,
        "by_hand": written.by_hand,
        "unchanged": written.unchanged.len(),
        "reload": reloads(written),
    });
    format!("{document}\n")
}
