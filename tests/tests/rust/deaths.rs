//! A Rust node's report says what somebody who reads its source expects.
//!
//! 1. Build the fixture: loaded and linked, with unwinding and without, with line tables and as cargo does by default.
//! 2. Let each die in each way: cause, title and the first frames are those of the source; the status is as without us.
//! 3. A panic that somebody catches is no death, and reported only where that is asked for.

use std::path::PathBuf;
use std::sync::LazyLock;

use lifeboat_tests::{Run, note_death, repository};
use serde_json::Value;

use crate::bench::{Bench, build};

const MANIFEST: &str = "tests/fixtures/rust/Cargo.toml";

/// How the fixture is built.
#[derive(Clone, Copy, Debug)]
enum Build {
    /// Loads the reporter.
    Load,
    /// Has it linked in.
    Link,
    /// Loads it, with `panic = "abort"`.
    Abort,
    /// Loads it; names, but no lines: cargo's default release.
    NoLines,
}

struct Programs([PathBuf; 4]);

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    let with = |arguments: &[&str]| build(MANIFEST, "deaths", &[&["--release"], arguments].concat());
    Programs([
        with(&["--features", "load"]),
        with(&["--features", "link"]),
        with(&["--features", "load", "--config", "profile.release.panic=\"abort\""]),
        with(&["--features", "load", "--config", "profile.release.debug=0"]),
    ])
});

fn program(build: Build) -> &'static PathBuf {
    &PROGRAMS.0[build as usize]
}

/// One way to die: the arguments, the status, and what the report says.
struct Case {
    builds: &'static [Build],
    kind: &'static str,
    status: i32,
    cause: &'static str,
    title: &'static str,
    /// The first of the node's own frames: the function, and what stands in the source at its line.
    frames: &'static [(&'static str, &'static str)],
}

const ALL: &[Build] = &[Build::Load, Build::Link];
const ONE: &[Build] = &[Build::Load];
const CHAIN: &[(&str, &str)] = &[
    ("deaths::checksum", "panic!(\"the checksum"),
    ("deaths::decode", "checksum(black_box(kind))"),
    ("deaths::deliver", "_ => decode(kind)"),
];
const CHECKSUM: &str = "panic: the checksum of 3 bytes is wrong";

const fn case(
    builds: &'static [Build],
    kind: &'static str,
    status: i32,
    [cause, title]: [&'static str; 2],
    frames: &'static [(&'static str, &'static str)],
) -> Case {
    Case { builds, kind, status, cause, title, frames }
}

const CASES: &[Case] = &[
    case(ALL, "panic", 101, ["panic", CHECKSUM], CHAIN),
    case(ALL, "thread-panic", 101, ["panic", CHECKSUM], CHAIN),
    case(&[Build::Abort], "panic", 134, ["panic", CHECKSUM], CHAIN),
    case(&[Build::Abort], "thread-panic", 134, ["panic", CHECKSUM], CHAIN),
    case(ONE, "double", 134, ["panic", CHECKSUM], CHAIN),
    case(&[Build::Abort], "double", 134, ["panic", CHECKSUM], CHAIN),
    case(ONE, "later-hook", 134, ["panic", CHECKSUM], &[("deaths::checksum", "panic!(\"the checksum")]),
    case(
        ONE,
        "index",
        101,
        ["panic", "panic: index out of bounds: the len is 3 but the index is 7"],
        &[("deaths::checksum", "bytes[black_box(7)]"), ("deaths::decode", "checksum(")],
    ),
    case(
        ONE,
        "unwrap",
        101,
        ["panic", "panic: called `Option::unwrap()` on a `None` value"],
        &[("deaths::checksum", "unwrap()"), ("deaths::decode", "checksum(")],
    ),
    case(
        ONE,
        "expect",
        101,
        ["panic", "panic: a number is a number: ParseIntError { kind: InvalidDigit }"],
        &[("deaths::checksum", "expect(\"a number"), ("deaths::decode", "checksum(")],
    ),
    case(ONE, "payload", 101, ["panic", "panic: Box<dyn Any>"], &[("deaths::checksum", "panic_any(42)")]),
    case(
        &[Build::Load, Build::Abort],
        "extern-c",
        134,
        ["panic", "panic: nobody unwinds through C"],
        &[
            ("deaths::callback", "panic!(\"nobody"),
            ("deaths::from_c", "callback()"),
            ("deaths::checksum", "from_c()"),
        ],
    ),
    case(
        ONE,
        "tls",
        134,
        ["panic", "panic: the last drop"],
        &[("<deaths::Last as core::ops::drop::Drop>::drop", "panic!(\"the last")],
    ),
    case(
        ALL,
        "thread-tls",
        134,
        ["panic", "panic: the last drop"],
        &[("<deaths::Last as core::ops::drop::Drop>::drop", "panic!(\"the last")],
    ),
    case(
        ALL,
        "exit",
        3,
        ["exit", "ConfigError: the database is from version 8"],
        &[
            ("deaths::give_up", "lifeboat::fatal!"),
            ("deaths::deliver", "give_up()"),
            ("deaths::gossip", "deliver("),
        ],
    ),
    case(
        ALL,
        "fault",
        139,
        ["signal", "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)"],
        &[
            ("deaths::checksum", "read_volatile()"),
            ("deaths::decode", "checksum("),
            ("deaths::deliver", "decode("),
        ],
    ),
    case(
        ALL,
        "thread-fault",
        139,
        ["signal", "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)"],
        &[
            ("deaths::checksum", "read_volatile()"),
            ("deaths::decode", "checksum("),
            ("deaths::deliver", "decode("),
        ],
    ),
    // std's own handler, behind ours, turns it into an abort: as without us.
    case(
        ALL,
        "thread-overflow",
        134,
        ["signal", "SIGSEGV: stack overflow, or access beyond the stack (SEGV_ACCERR)"],
        &[("deaths::endless", "black_box([depth; 64])"), ("deaths::endless", "endless(black_box")],
    ),
    case(
        ONE,
        "formatting",
        134,
        ["signal", "SIGABRT: aborted (SI_TKILL)"],
        &[("<deaths::Unspeakable as core::fmt::Display>::fmt", "panic!(\"and cannot")],
    ),
];

#[test]
fn reports_say_what_a_reader_of_the_source_expects() {
    let bench = Bench::new();
    for case in CASES {
        for build in case.builds {
            check(&bench, case, *build);
        }
    }
}

fn check(bench: &Bench, case: &Case, build: Build) {
    let what = format!("{build:?} {}", case.kind);
    let without = Run::new(program(build)).arg(case.kind).finish();
    let (outcome, events) = bench.die(program(build), &[case.kind]);
    assert_eq!((outcome.shell_status(), without.shell_status()), (case.status, case.status), "{what}");
    assert_eq!((&outcome.stdout, events.len()), (&without.stdout, 1), "{what}: {events:#?}");
    let (event, exception) = (&events[0], exceptions(&events[0]).remove(0));
    assert_eq!(event["contexts"]["death"]["cause"], case.cause, "{what}");
    assert_eq!(title(exception), case.title, "{what}");
    assert_eq!(event["release"], "lifeboat-deaths@1.2.3", "{what}");
    let own = own_frames(exception);
    for (index, (function, source)) in case.frames.iter().enumerate() {
        let frame = own.get(index).unwrap_or_else(|| panic!("{what}: no frame {index} in {exception:#}"));
        assert_eq!(frame["function"], *function, "{what}: {exception:#}");
        let line = source_line(frame);
        assert!(line.contains(source), "{what}: {function} is at {line:?}, not at {source:?}");
    }
    let functions: Vec<_> = own.iter().take(3).filter_map(|frame| frame["function"].as_str()).collect();
    let name = match build {
        Build::Load => "load",
        Build::Link => "link",
        Build::Abort => "load, panic=abort",
        Build::NoLines => "load, no lines",
    };
    note_death("Rust", name, case.kind, case.cause, case.title, &functions);
    // What threw it is not shown: the first frame of all is the node's.
    if case.cause == "panic" {
        assert_eq!(frames(exception)[0]["in_app"], true, "{what}: {exception:#}");
    }
}

#[test]
fn without_lines_the_place_of_the_panic_is_known() {
    let bench = Bench::new();
    let (_, events) = bench.die(program(Build::NoLines), &["panic"]);
    let exception = exceptions(&events[0]).remove(0);
    let own = own_frames(exception);
    let functions: Vec<_> = own.iter().take(3).map(|frame| frame["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["deaths::checksum", "deaths::decode", "deaths::deliver"]);
    assert!(source_line(own[0]).contains("panic!(\"the checksum"), "{exception:#}");
    assert!(own[1]["lineno"].is_null(), "{exception:#}");

    let stripped = bench.scratch.join("stripped");
    assert!(Run::new("strip").arg("-o").arg(&stripped).arg(program(Build::NoLines)).finish().succeeded());
    let (_, events) = bench.die(&stripped, &["panic"]);
    let exception = exceptions(&events[0]).remove(0);
    assert_eq!(title(exception), CHECKSUM);
    assert!(source_line(frames(exception)[0]).contains("panic!(\"the checksum"), "{exception:#}");
}

#[test]
fn a_panic_in_a_thread_is_told_before_the_one_that_it_led_to() {
    let bench = Bench::new();
    let (_, events) = bench.die(program(Build::Load), &["thread-panic"]);
    let titles: Vec<_> = exceptions(&events[0]).into_iter().map(title).collect();
    assert_eq!(titles, [CHECKSUM, "panic: called `Result::unwrap()` on an `Err` value: Any { .. }"]);
    let crumbs = events[0]["breadcrumbs"]["values"].as_array().unwrap();
    let first = crumbs[0]["message"].as_str().unwrap();
    assert!(first.starts_with("the checksum of 3 bytes is wrong (src/deaths.rs:"), "{first}");
    assert!(first.ends_with(", thread gossip)"), "{first}");
}

#[test]
fn what_becomes_of_a_worker_that_panicked_is_up_to_the_node() {
    let bench = Bench::new();
    let (outcome, events) = bench.die(program(Build::Load), &["thread-noticed"]);
    assert_eq!((outcome.shell_status(), events.len()), (1, 1), "{events:#?}");
    let told = title(exceptions(&events[0]).remove(0));
    assert!(
        told.starts_with("exit: exited with status 1: the checksum of 3 bytes is wrong (src/deaths.rs:"),
        "{told}"
    );
    let (outcome, events) = bench.die(program(Build::Load), &["thread-ignored"]);
    assert_eq!((outcome.output().as_str(), events.len()), ("ran to its end\n", 0));
}

#[test]
fn a_caught_panic_is_reported_where_that_is_asked_for() {
    let bench = Bench::new();
    for build in [Build::Load, Build::Link] {
        let (outcome, events) = bench.die(program(build), &["caught"]);
        assert_eq!(
            (outcome.output().as_str(), events.len()),
            ("caught true\nran to its end\n", 0),
            "{build:?}"
        );
        let (outcome, events) = bench.die(program(build), &["caught", "report-caught"]);
        assert_eq!(
            (outcome.output().as_str(), events.len()),
            ("caught true\nran to its end\n", 1),
            "{build:?}"
        );
        let exception = exceptions(&events[0]).remove(0);
        assert_eq!((title(exception).as_str(), &exception["mechanism"]["handled"]), (CHECKSUM, &true.into()));
        assert_eq!(own_frames(exception)[0]["function"], "deaths::checksum", "{build:?}");
    }
    // One that ends the process is told once, with the death.
    let (_, events) = bench.die(program(Build::Load), &["thread-panic", "report-caught"]);
    assert_eq!(events.len(), 1, "{events:#?}");
}

#[test]
fn an_error_has_the_stack_of_its_call() {
    let bench = Bench::new();
    let (outcome, events) = bench.die(program(Build::Load), &["error"]);
    assert_eq!((outcome.output().as_str(), events.len()), ("ran to its end\n", 1));
    let exception = exceptions(&events[0]).remove(0);
    assert_eq!(title(exception), "DatabaseError: cannot open store");
    assert_eq!(frames(exception)[0]["function"], "deaths::store", "{exception:#}");
    assert!(source_line(frames(exception)[0]).contains("lifeboat::error!"), "{exception:#}");
}

/// The one that gives the title first.
fn exceptions(event: &Value) -> Vec<&Value> {
    event["exception"]["values"].as_array().unwrap().iter().rev().collect()
}

fn title(exception: &Value) -> String {
    format!("{}: {}", exception["type"].as_str().unwrap(), exception["value"].as_str().unwrap_or_default())
}

/// Innermost first.
fn frames(exception: &Value) -> Vec<&Value> {
    exception["stacktrace"]["frames"].as_array().unwrap().iter().rev().collect()
}

fn own_frames(exception: &Value) -> Vec<&Value> {
    frames(exception).into_iter().filter(|frame| frame["in_app"] == true).collect()
}

/// What stands in the fixture's source where a frame is.
fn source_line(frame: &Value) -> String {
    let source = std::fs::read_to_string(repository("tests/fixtures/rust/src/deaths.rs")).unwrap();
    assert_eq!(frame["filename"], "deaths.rs", "{frame}");
    let line = frame["lineno"].as_u64().unwrap() as usize;
    source.lines().nth(line - 1).unwrap_or_default().to_owned()
}
