//! A public build in Nim holds nothing of Lifeboat.
//!
//! 1. Build a program with every call, and itself with blank lines and constants in their place.
//! 2. Strip both: with either Nim and both kinds of memory management a release build has the same bytes.
//! 3. No argument is evaluated; turned off at run time none is evaluated either.

use std::fs;
use std::path::PathBuf;

use lifeboat_tests::{Run, Scratch};

use crate::build::{Build, Nim, bindings, fixture};

/// The build id is taken over debug information, which strip removes.
const RELEASE: [&str; 3] = ["-d:release", "--debugger:native", "--passL:-Wl,--build-id=none"];

#[test]
fn same_bytes_by_nim_1() {
    check_same(&Build::new(Nim::One, &[RELEASE[0], RELEASE[1], RELEASE[2], "--mm:refc"]));
    check_same(&Build::new(Nim::One, &[RELEASE[0], RELEASE[1], RELEASE[2], "--mm:orc"]));
}

#[test]
fn same_bytes_by_nim_2() {
    check_same(&Build::new(Nim::Two, &[RELEASE[0], RELEASE[1], RELEASE[2], "--mm:refc"]));
    check_same(&Build::new(Nim::Two, &[RELEASE[0], RELEASE[1], RELEASE[2], "--mm:orc"]));
}

/// Without debug information even the build id is the same; but where a metric is declared Nim 2 gives the module's other
/// symbols other numbers.
#[test]
fn same_build_id_without_debug_information() {
    let text = fs::read_to_string(fixture("public.nim")).unwrap();
    let is_metric = |line: &str| line.contains("# metric #|");
    assert!(text.lines().filter(|line| is_metric(line)).count() > 10, "the fixture has lost its marks");
    let text = text.lines().map(|line| if is_metric(line) { replaced(line) } else { line.to_owned() });
    check_same_of(&Build::new(Nim::Two, &["-d:release", "--mm:refc"]), &text.collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_argument_is_evaluated() {
    for nim in Nim::ALL {
        let scratch = Scratch::new("nim-evaluated");
        let run = |flags| {
            let build = Build::new(nim, flags);
            let node = build.compile(&fixture("public.nim"), &scratch.join("node"), &bindings(), &[]);
            Run::new(node).finish().output()
        };
        assert!(run(&[]).ends_with("evaluated 0 status 1 on false text 00\n"), "{nim:?}");
        // The two of `start`, which cannot know before, and three amounts; no other call makes a text where no reporter is
        // at work.
        let fleet = run(&["-d:sentry"]);
        assert!(fleet.contains("evaluated 5 status 2 on false"), "{nim:?}: {fleet}");
    }
}

fn check_same(build: &Build) {
    check_same_of(build, &fs::read_to_string(fixture("public.nim")).unwrap());
}

fn check_same_of(build: &Build, text: &str) {
    let scratch = Scratch::new("nim-public");
    assert!(text.matches("#|").count() > 15, "the fixture has lost its marks");
    // The same path both times: the compiler writes it into what it makes.
    let with = compile(build, &scratch, text, "with");
    let without: Vec<String> = text.lines().map(replaced).collect();
    let without = compile(build, &scratch, &(without.join("\n") + "\n"), "without");
    assert!(with == without, "{build:?}: a public build is not the program without the calls");
    let holds = |bytes: &[u8]| bytes.windows(8).any(|window| window.eq_ignore_ascii_case(b"lifeboat"));
    assert!(!holds(&with), "{build:?}");
}

fn compile(build: &Build, scratch: &Scratch, text: &str, name: &str) -> Vec<u8> {
    let source = scratch.write("node.nim", text);
    let program: PathBuf = build.compile(&source, &scratch.join(name), &bindings(), &[]);
    assert!(Run::new("strip").arg(&program).finish().succeeded());
    fs::read(program).unwrap()
}

/// The line as it is without Lifeboat, at the same indent.
fn replaced(line: &str) -> String {
    match line.split_once("#|") {
        Some((code, constant)) => {
            let indent = code.len() - code.trim_start().len();
            " ".repeat(indent) + constant
        }
        None => line.to_owned(),
    }
}
