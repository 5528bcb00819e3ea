//! What the package says while it is compiled, that its words are those of the C header, and how it reads a log.

use std::fs;

use lifeboat_tests::{Run, Scratch, repository};

use crate::bench::delivered;
use crate::build::{Build, Nim, bindings, fixture};

const PROGRAM: &str = "from lifeboat import nil\nlifeboat.start(app = \"a\")\nlifeboat.stop()\n";

#[test]
fn a_flag_that_does_not_arrive_is_told() {
    for nim in Nim::ALL {
        let scratch = Scratch::new("required");
        let source = scratch.write("node.nim", PROGRAM);
        let said = |flags| {
            let build = Build::new(nim, flags);
            let outcome = build.try_compile(&source, &scratch.join("node"), &bindings(), &[]);
            assert!(outcome.succeeded(), "{}", outcome.stderr);
            outcome.stdout + &outcome.stderr
        };
        assert!(said(&["-d:sentryRequired"]).contains("-d:sentry did not arrive"), "{nim:?}");
        assert!(!said(&["-d:sentryRequired", "-d:sentry"]).contains("did not arrive"), "{nim:?}");
        assert!(!said(&[]).contains("did not arrive"), "{nim:?}");
    }
}

#[test]
fn an_archive_that_is_not_there_is_told() {
    let scratch = Scratch::new("archive");
    let source = scratch.write("node.nim", PROGRAM);
    let build = Build::new(Nim::Two, &["-d:sentry", "-d:lifeboatLink", "-d:lifeboatLib=/nowhere/reporter.a"]);
    let outcome = build.try_compile(&source, &scratch.join("node"), &bindings(), &[]);
    assert!(!outcome.succeeded());
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("is not at /nowhere/reporter.a: say where it is with -d:lifeboatLib="), "{said}");
    // Named, it is taken from anywhere.
    let mut flag = std::ffi::OsString::from("-d:lifeboatLib=");
    flag.push(delivered("lib/liblifeboat_reporter.a"));
    let build = Build::new(Nim::Two, &["-d:sentry", "-d:lifeboatLink"]);
    let node = build.compile(&source, &scratch.join("node"), &bindings(), &[flag]);
    assert!(Run::new(node).finish().succeeded());
}

#[test]
fn statuses_are_those_of_the_header() {
    let header = fs::read_to_string(repository("include/lifeboat_abi.h")).unwrap();
    let words = fs::read_to_string(repository("nim-bindings/lifeboat/words.nim")).unwrap();
    // `LIFEBOAT_NO_ROOM = 7,` and `statusNoRoom* = Status(7)`.
    let begin = header.find("enum lifeboat_status").unwrap();
    let end = begin + header[begin..].find("};").unwrap();
    let in_header = header[begin..end].lines().filter_map(|line| {
        let (name, number) = line.trim().strip_prefix("LIFEBOAT_")?.strip_suffix(',')?.split_once(" = ")?;
        Some((name.replace('_', "").to_lowercase(), number.to_owned()))
    });
    let in_words = words.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("status")?.split_once("* = Status(")?;
        Some((name.to_lowercase(), rest.split_once(')')?.0.to_owned()))
    });
    let in_header: Vec<_> = in_header.collect();
    assert!(in_header.len() > 20, "the header could not be read: {in_header:?}");
    assert_eq!(in_words.collect::<Vec<_>>(), in_header);
}

#[test]
fn lines_of_a_log_are_read() {
    let scratch = Scratch::new("log");
    for (nim, flags) in [(Nim::One, &["-d:sentry", "--mm:refc"]), (Nim::Two, &["-d:sentry", "--mm:orc"])] {
        let build = Build::new(nim, flags);
        let program = build.compile(&fixture("log_lines.nim"), &scratch.join("log"), &bindings(), &[]);
        let outcome = Run::new(program).finish();
        assert!(outcome.succeeded(), "{nim:?}: {}", outcome.stderr);
    }
}
