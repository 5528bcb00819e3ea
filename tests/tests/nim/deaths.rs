//! How a Nim node dies, and what its report says.
//!
//! 1. Build one node with both Nims, both kinds of memory management, debug and release, loaded and linked, glibc and musl.
//! 2. Let it die of each cause, in the main thread and in a thread of Nim's.
//! 3. Status and output are those of the node without a reporter; the report's title, cause and first frames tell why.

use std::fs;
use std::path::PathBuf;

use lifeboat_tests::{Outcome, note_death};

use crate::bench::{Bench, Told, delivered, events};
use crate::build::{Build, Nim, bindings, fixture};

/// A native stack that nothing has folded together; machine code says which line of Nim it came from.
const OWN: [&str; 3] = ["readEntry", "lookUp", "handle"];
/// What ends in the hook for exceptions.
const EXCEPTIONS: [&str; 5] = ["defect", "exception", "parent", "async", "reraise"];
const OTHERS: [&str; 6] = ["fault", "handler", "overflow", "log", "words", "caught"];
/// Enough to see that another way to build is no other way to die.
const FEW: [&str; 4] = ["fault", "defect", "exception", "log"];

#[test]
fn nim_1_refc_debug() {
    check_all(&Build::new(Nim::One, &["-d:sentry", "--mm:refc", "--debugger:native"]));
}

#[test]
fn nim_1_refc_release() {
    check_all(&Build::new(Nim::One, &["-d:sentry", "--mm:refc", "--debugger:native", "-d:release"]));
}

#[test]
fn nim_1_orc_debug() {
    check_all(&Build::new(Nim::One, &["-d:sentry", "--mm:orc", "--debugger:native"]));
}

#[test]
fn nim_1_orc_release() {
    check_all(&Build::new(Nim::One, &["-d:sentry", "--mm:orc", "--debugger:native", "-d:release"]));
}

#[test]
fn nim_2_refc_debug_with_full_paths() {
    let flags = &["-d:sentry", "--mm:refc", "--debugger:native", "--excessiveStackTrace:on"];
    check_all(&Build::new(Nim::Two, flags));
}

#[test]
fn nim_2_refc_release() {
    check_all(&Build::new(Nim::Two, &["-d:sentry", "--mm:refc", "--debugger:native", "-d:release"]));
}

#[test]
fn nim_2_orc_debug() {
    check_all(&Build::new(Nim::Two, &["-d:sentry", "--mm:orc", "--debugger:native"]));
}

#[test]
fn nim_2_orc_release() {
    check_all(&Build::new(Nim::Two, &["-d:sentry", "--mm:orc", "--debugger:native", "-d:release"]));
}

#[test]
fn linked() {
    let debug = &["-d:sentry", "-d:lifeboatLink", "--mm:refc", "--debugger:native"];
    check(&Build::new(Nim::One, debug), delivered("nim"), &FEW);
    let release = &["-d:sentry", "-d:lifeboatLink", "--mm:orc", "--debugger:native", "-d:release"];
    check(&Build::new(Nim::Two, release), delivered("nim"), &FEW);
}

#[test]
fn with_musl() {
    let musl =
        &["--mm:refc", "-d:sentry", "--debugger:native", "--gcc.exe:musl-gcc", "--gcc.linkerexe:musl-gcc"];
    check(&Build::new(Nim::Two, musl), bindings(), &FEW);
}

/// Without an unwinder in the process, as with Debian's musl, a Defect is told all the same.
#[test]
fn with_musl_and_no_unwinder() {
    let musl = &["-d:sentry", "-d:release", "--gcc.exe:musl-gcc", "--gcc.linkerexe:musl-gcc"];
    let build = Build::new(Nim::Two, musl);
    let bench = Bench::new("nim-musl");
    let node = build.compile(&fixture("deaths.nim"), &bench.scratch.join("node"), &bindings(), &[]);
    let state_dir = bench.state_dir();
    let outcome = bench.node(&node, &state_dir).arg("defect").finish();
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    bench.settle();
    let told = Told::of(&events(&state_dir)[0]);
    assert_eq!(
        (told.title.as_str(), told.cause.as_str()),
        ("IndexDefect: index 5 not in 0 .. 0", "nim-exception")
    );
}

/// Nim's own C lines where nobody asked for native debug information: the names are Nim's all the same.
#[test]
fn without_native_debug_information() {
    let build = Build::new(Nim::Two, &["-d:sentry", "--mm:refc", "-d:release", "--passC:-g"]);
    let bench = Bench::new("nim-names");
    let node = build.compile(&fixture("deaths.nim"), &bench.scratch.join("node"), &bindings(), &[]);
    let state_dir = bench.state_dir();
    let _ = bench.node(&node, &state_dir).arg("fault").finish();
    bench.settle();
    let told = Told::of(&events(&state_dir)[0]);
    let names: Vec<&str> = told.frames.iter().map(|frame| frame.split(' ').next().unwrap()).collect();
    assert_eq!(names[..3], ["deaths.readEntry", "deaths.lookUp", "deaths.handle"], "{told:?}");
}

/// With `--panics:on` a Defect ends the process where it is raised: the stack is there.
#[test]
fn panics_on() {
    let panics = &["-d:sentry", "--mm:orc", "--debugger:native", "-d:release", "--panics:on"];
    check(&Build::new(Nim::Two, panics), bindings(), &["defect", "exception"]);
}

fn check_all(build: &Build) {
    check(build, bindings(), &[&EXCEPTIONS[..], &OTHERS].concat());
}

/// One way to die.
#[derive(Clone, Copy, Debug)]
struct Case {
    how: &'static str,
    in_thread: bool,
}

fn check(build: &Build, package: PathBuf, deaths: &[&'static str]) {
    let bench = Bench::new("nim");
    let node = build.compile(&fixture("deaths.nim"), &bench.scratch.join("node"), &package, &[]);
    let cases = deaths.iter().flat_map(|how| [false, true].map(|in_thread| Case { how, in_thread }));
    let ended: Vec<_> = cases
        .map(|case| {
            let arguments: &[&str] = if case.in_thread { &[case.how, "thread"] } else { &[case.how] };
            let state_dir = bench.state_dir();
            let outcome = bench.node(&node, &state_dir).args(arguments).finish();
            same_end(build, case, &outcome, &bench.node_off(&node).args(arguments).finish());
            (case, state_dir)
        })
        .collect();
    bench.settle();
    for (case, state_dir) in ended {
        let events = events(&state_dir);
        assert_eq!(events.len(), 1, "{build:?} {case:?}");
        check_report(build, case, &Told::of(&events[0]));
    }
}

fn same_end(build: &Build, case: Case, with: &Outcome, without: &Outcome) {
    assert_eq!(with.status, without.status, "{build:?} {case:?} ends otherwise with a reporter");
    assert_eq!(with.stdout, without.stdout, "{build:?} {case:?} says otherwise with a reporter");
    assert_eq!(with.stderr, without.stderr, "{build:?} {case:?} says otherwise with a reporter");
    let chains = EXCEPTIONS.contains(&case.how);
    assert_eq!(with.stdout.contains("the previous hook"), chains, "{build:?} {case:?}");
    if case.how == "handler" {
        assert!(with.stdout.contains("the node's own handler"), "{build:?}");
        assert_eq!(with.status.code(), Some(1), "{build:?}");
    }
}

fn check_report(build: &Build, case: Case, told: &Told) {
    let what = format!("{build:?} {case:?}: {told:?}");
    let (title, cause) = expected(build, case);
    assert_eq!((told.title.as_str(), told.cause.as_str()), (title.as_str(), cause), "{what}");
    let death = if case.in_thread { format!("{} thread", case.how) } else { case.how.to_owned() };
    let functions = told.functions();
    note_death("Nim", &build.name(), &death, cause, &title, functions.get(..3).unwrap_or(&functions));
    if case.how == "overflow" {
        assert_eq!(told.functions()[..3], ["recurse"; 3], "{what}");
        return;
    }
    // Debian's musl says of no function of its own how to unwind it, and `exit` is one.
    if case.how == "log" && build.has("--gcc.exe:musl-gcc") {
        return;
    }
    let functions = told.functions();
    assert_eq!(functions.first(), Some(&OWN[0]), "{what}");
    let is_optimised = build.has("-d:release");
    let is_exception = EXCEPTIONS.contains(&case.how) || case.how == "caught";
    // An optimiser joins the ends of several raises into one, with the line of any.
    if !is_optimised || !is_exception {
        let mark = if case.how == "handler" { "fault" } else { case.how };
        assert!(told.frames[0].ends_with(&format!(" deaths.nim:{}", line_of(mark))), "{what}");
    }
    // Without traces of its own Nim knows where an exception was raised, and nothing more once the stack is unwound. A
    // Defect's stack was looked at in time.
    if !is_optimised || !is_exception || case.how == "defect" {
        assert_eq!(functions[..3], OWN, "{what}");
    }
}

fn expected(build: &Build, case: Case) -> (String, &'static str) {
    let (title, cause) = match case.how {
        "fault" | "handler" => ("SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)", "signal"),
        "defect" if case.in_thread => ("IndexDefect: index 6 not in 0 .. 1", "nim-exception"),
        "defect" => ("IndexDefect: index 5 not in 0 .. 0", "nim-exception"),
        "exception" => ("StoreError: no such entry", "nim-exception"),
        "parent" => ("StoreError: cannot open; caused by IOError: disk is full", "nim-exception"),
        "async" => ("StoreError: lost", "nim-exception"),
        "reraise" => ("StoreError: raised twice", "nim-exception"),
        "log" => ("exit: exited with status 1: Unrecoverable error occurred error=\"no disk\"", "exit"),
        "words" => ("quit: no peers left", "exit"),
        "caught" => ("StoreError: handled", "error"),
        // A debug build counts its calls and quits.
        "overflow" if !build.has("-d:release") => ("exit: exited with status 1", "exit"),
        "overflow" if case.in_thread => {
            ("SIGSEGV: stack overflow, or access beyond the stack (SEGV_ACCERR)", "signal")
        }
        "overflow" => ("SIGSEGV: stack overflow, or access beyond the stack (SEGV_MAPERR)", "signal"),
        other => panic!("no such death: {other}"),
    };
    (title.to_owned(), cause)
}

/// The number of the fixture's line with this mark.
fn line_of(mark: &str) -> usize {
    let text = fs::read_to_string(fixture("deaths.nim")).unwrap();
    let mark = format!("# MARK {mark}");
    text.lines().position(|line| line.ends_with(&mark)).unwrap() + 1
}
