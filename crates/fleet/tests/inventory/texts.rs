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
            let inventory = Inventory::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
            assert!(!inventory.destinations.is_empty(), "{}: nobody is told", path.display());
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
