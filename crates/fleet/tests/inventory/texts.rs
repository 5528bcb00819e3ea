//! What we hand out ourselves: each example is right, and so is each inventory in the book.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_fleet::Inventory;

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn every_example_is_right() {
    let mut count = 0;
    for entry in fs::read_dir(of_repository("examples/fleets")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            Inventory::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
            count += 1;
        }
    }
    assert!(count >= 3, "{count} examples");
}

#[test]
fn ten_lines_make_a_fleet_that_tells_somebody() {
    let text = fs::read_to_string(of_repository("examples/fleets/minimal.toml")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    assert!(lines <= 10, "{lines} lines");
}

/// Keys that the sources read, and the full example shows.
#[test]
fn the_full_example_shows_every_key() {
    let text = fs::read_to_string(of_repository("examples/fleets/full.toml")).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(of_repository("crates/fleet/src/inventory/read")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let calls = [
            "text(",
            "texts(",
            "plain(",
            "flag(",
            "integer(",
            "duration(",
            "table(",
            "tables(",
            "value(",
            "link(",
            "set(",
            "figure(",
        ];
        for (at, _) in source.match_indices('"') {
            let (before, rest) = source.split_at(at);
            let before = before.trim_end_matches("&form, ").trim_end_matches("form, ");
            let key = rest[1..].split('"').next().unwrap();
            let is_key = calls.iter().any(|call| before.ends_with(call))
                || before.ends_with("name(")
                || before.ends_with("port(");
            if !is_key || key == "token" {
                continue;
            }
            count += 1;
            let is_shown = [
                format!("\n{key} = "),
                format!("[[{key}]]"),
                format!("[{key}]"),
                format!(".{key}]"),
                format!("{{ {key} = "),
            ];
            assert!(is_shown.iter().any(|shown| text.contains(shown)), "full.toml does not show `{key}`");
        }
    }
    assert!(count > 40, "{count} keys were found");
}

/// Each inventory of the book; a piece of one gets the fleet that it leaves out.
#[test]
fn every_inventory_of_the_book_is_right() {
    let Ok(book) = fs::read_to_string(of_repository("docs/fleet.md")) else { return };
    let examples = of_repository("examples/fleets/book.toml").display().to_string();
    let mut count = 0;
    for block in book.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap();
        if ["[signal.", "[endpoint.", "[[alert]]", "[[row]]", "[threshold."]
            .iter()
            .any(|word| block.contains(word))
        {
            continue;
        }
        let text = match block {
            block if block.contains("[[fleet]]") => block.to_owned(),
            block
                if block.starts_with("[fleet.node")
                    || block.starts_with("[[fleet.node")
                    || block.starts_with("[fleet.consul") =>
            {
                format!("[[fleet]]\nname = \"logos.test\"\nprofile = \"logos-delivery\"\n{block}")
            }
            block => {
                let fleet = "[[fleet]]\nname = \"logos.test\"\nprofile = \"logos-delivery\"\n[fleet.nodes]\nnode-01 = \"10.1.0.1\"\n";
                format!("{fleet}{block}")
            }
        };
        Inventory::read(&examples, &text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        count += 1;
    }
    assert!(count > 0, "the book has no inventory");
}
