//! Where a Defect comes from in a release build that was stripped, as fleets run them: no name is left to tell Nim's own
//! machinery and Lifeboat's hook from the node.
//!
//! 1. Build a node that dies of each kind of Defect in a procedure of its own; strip a copy.
//! 2. The innermost frame of each report is in that procedure, says the symbol table of the program before it was stripped.
//! 3. With both Nims, both kinds of memory management, loaded and linked, with LTO and by clang.

use std::path::Path;

use lifeboat_tests::Run;

use crate::bench::{Bench, delivered, events};
use crate::build::{Build, Nim, bindings, fixture};

const DEFECTS: [&str; 8] = ["index", "assert", "raise", "range", "overflow", "division", "object", "field"];

#[test]
fn nim_1() {
    check(&Build::new(Nim::One, &["-d:sentry", "-d:release", "--mm:refc"]), &DEFECTS);
    check(&Build::new(Nim::One, &["-d:sentry", "-d:release", "--mm:orc"]), &DEFECTS);
}

#[test]
fn nim_2() {
    check(&Build::new(Nim::Two, &["-d:sentry", "-d:release", "--mm:refc"]), &DEFECTS);
    check(&Build::new(Nim::Two, &["-d:sentry", "-d:release", "--mm:orc"]), &DEFECTS);
}

#[test]
fn joined_by_the_linker() {
    let lto = &["-d:sentry", "-d:release", "--mm:refc", "-d:lto", "--passL:-flto=auto"];
    check(&Build::new(Nim::Two, lto), &["index", "assert", "raise"]);
}

#[test]
fn by_clang() {
    let clang = &["-d:sentry", "-d:release", "--mm:orc", "--cc:clang"];
    check(&Build::new(Nim::Two, clang), &DEFECTS);
}

#[test]
fn linked() {
    let link = &["-d:sentry", "-d:lifeboatLink", "-d:release", "--mm:orc"];
    check(&Build::new(Nim::Two, link), &DEFECTS);
}

fn check(build: &Build, defects: &[&str]) {
    let bench = Bench::new("nim-places");
    let package = if build.has("-d:lifeboatLink") { delivered("nim") } else { bindings() };
    let node = build.compile(&fixture("places.nim"), &bench.scratch.join("node"), &package, &[]);
    let stripped = bench.scratch.join("stripped");
    assert!(Run::new("strip").arg("-s").arg("-o").arg(&stripped).arg(&node).finish().succeeded());
    let symbols = symbols(&node);
    let deaths = defects.iter().flat_map(|defect| [vec![*defect], vec![*defect, "thread"]]);
    let ended: Vec<_> = deaths
        .map(|arguments| {
            let state_dir = bench.state_dir();
            let _ = bench.node(&stripped, &state_dir).args(&arguments).finish();
            (arguments, state_dir)
        })
        .collect();
    bench.settle();
    for (arguments, state_dir) in ended {
        let events = events(&state_dir);
        let values = events[0]["exception"]["values"].as_array().unwrap();
        let frames = values.last().unwrap()["stacktrace"]["frames"].as_array().unwrap();
        let innermost = frames.last().unwrap()["function"].as_str().unwrap();
        let what = format!("{build:?} {arguments:?}: {innermost}");
        let offset = innermost.strip_prefix("stripped+0x").unwrap_or_else(|| panic!("{what}"));
        let place = name_at(&symbols, u64::from_str_radix(offset, 16).unwrap());
        let expected = format!("placeof{}", arguments[0]);
        assert!(place.to_lowercase().starts_with(&expected), "{what} is {place}");
        assert_eq!(events[0]["transaction"], innermost, "{what}");
    }
}

/// Functions by their addresses.
fn symbols(program: &Path) -> Vec<(u64, String)> {
    let text = Run::new("nm").args(["-n", "--defined-only"]).arg(program).finish().output();
    let symbol = |line: &str| {
        let mut words = line.split(' ');
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let is_function = matches!(words.next()?, "t" | "T");
        words.next().filter(|_| is_function).map(|name| (address, name.to_owned()))
    };
    text.lines().filter_map(symbol).collect()
}

fn name_at(symbols: &[(u64, String)], address: u64) -> &str {
    let end = symbols.partition_point(|(start, _)| *start <= address);
    symbols[..end].last().map_or("", |(_, name)| name)
}
