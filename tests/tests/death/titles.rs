//! What a report is called and where it begins, for each language that has deaths of its own, loaded and linked.
//!
//! 1. A node dies in one of its ways; without a reporter it ends with the same status and says the same.
//! 2. The report's cause, its title and the first three functions of the node's own are those of the table.
//! 3. Of an exception the stack starts where it was thrown, not where the process gave up.

use lifeboat_tests::{Compiler, Run, note_death};
use serde_json::Value;

use crate::bench::{Bench, delivered, event, events, same_end};

const C: &str = "titles";
const CXX: &str = "titles_cpp";
const QT: &str = "titles_qt";
/// The usual way down to a mistake.
const WAY: &[&str] = &["checksum", "decode", "deliver"];
/// The way to a throw.
const THROWN: &[&str] = &["raise_as_asked", "checksum", "decode"];
const NULL: &str = "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)";

/// Arguments, cause, title (after `…` only how it ends), own functions on top.
type Row = (&'static [&'static str], &'static str, &'static str, &'static [&'static str]);

const C_ROWS: &[Row] = &[
    (&["fault"], "signal", NULL, WAY),
    (&["fault", "thread"], "signal", NULL, WAY),
    (&["abort"], "signal", "SIGABRT: aborted (SI_TKILL)", WAY),
    (&["abort", "thread"], "signal", "SIGABRT: aborted (SI_TKILL)", WAY),
    (&["assert"], "signal", "…titles.c:40: checksum: Assertion `text' failed.", WAY),
    (&["survived"], "signal", "SIGABRT: aborted (SI_TKILL)", WAY),
    (&["exit"], "exit", "DatabaseError: disk image is malformed", WAY),
    (&["exit", "thread"], "exit", "DatabaseError: disk image is malformed", WAY),
];

const CXX_ROWS: &[Row] = &[
    (&["fault"], "signal", NULL, WAY),
    (&["fault", "thread"], "signal", NULL, WAY),
    (&["exit"], "exit", "DatabaseError: disk image is malformed", WAY),
    (&["throw"], "cpp-exception", "gossip::bad_peer: bad varint", THROWN),
    (&["throw", "thread"], "cpp-exception", "gossip::bad_peer: bad varint", THROWN),
    (&["number"], "cpp-exception", "int: 42", THROWN),
    (&["text"], "cpp-exception", "char const*: no such peer", THROWN),
    (&["no-text"], "cpp-exception", "char const*", THROWN),
    (&["string"], "cpp-exception", "std::string: no such peer", THROWN),
    (&["odd"], "cpp-exception", "gossip::odd: its what() threw int", THROWN),
    (
        &["deep"],
        "cpp-exception",
        "gossip::bad_peer: cannot deliver; caused by std::logic_error: cannot read; \
         caused by gossip::bad_peer: bad varint",
        THROWN,
    ),
    (&["joinable"], "cpp-exception", "std::terminate: called without an active exception", WAY),
    (&["joinable", "thread"], "cpp-exception", "std::terminate: called without an active exception", WAY),
    (&["static"], "cpp-exception", "gossip::bad_peer: bad varint", THROWN),
];

#[test]
fn in_c_loaded() {
    check(&Bench::with(Compiler::Gcc, C, &[]), C_ROWS, Bench::on);
}

#[test]
fn in_c_linked() {
    check(&Bench::linked(Compiler::Gcc, C, &archive()), C_ROWS, linked);
}

#[test]
fn in_cxx_loaded() {
    check(&Bench::with(Compiler::Gxx, CXX, &[]), CXX_ROWS, Bench::on);
}

#[test]
fn in_cxx_linked() {
    check(&Bench::linked(Compiler::Gxx, CXX, &archive()), CXX_ROWS, linked);
}

#[test]
fn in_cxx_by_clang() {
    check(
        &Bench::with(Compiler::Clangxx, CXX, &["-std=c++20", "-fno-optimize-sibling-calls"]),
        CXX_ROWS,
        Bench::on,
    );
}

/// A pure virtual call begins in the constructor that makes it.
#[test]
fn of_a_pure_virtual_call() {
    let bench = Bench::with(Compiler::Gxx, CXX, &["-O0"]);
    check(
        &bench,
        &[(&["pure"], "cpp-exception", "std::terminate: called without an active exception", PURE)],
        Bench::on,
    );
}

const PURE: &[&str] = &["codec::open", "codec::codec", "varint_codec::varint_codec"];

/// Who promised not to throw and did is on the stack; gcc also keeps whoever threw.
#[test]
fn of_a_broken_noexcept() {
    let title = "gossip::bad_peer: bad varint";
    let flags = ["-fno-optimize-sibling-calls"];
    let kept: &[_] = &["raise_as_asked", "pass", "checksum"];
    for (compiler, own) in [(Compiler::Gxx, kept), (Compiler::Clangxx, &["pass", "checksum", "decode"])] {
        let rows: &[Row] = &[(&["noexcept"], "cpp-exception", title, own)];
        check(&Bench::with(compiler, CXX, &flags), rows, Bench::on);
    }
}

/// Qt's event loop catches nothing, and its fatal messages abort. Its threads catch what leaves them, to terminate: of that
/// there is no stack any more, but the title.
#[test]
fn beside_qt() {
    let asked = Run::new("sh").args(["-c", "pkg-config --cflags --libs Qt6Core"]).finish();
    if !asked.succeeded() {
        eprintln!("not tried: no Qt here; apt-get install --no-install-recommends pkg-config qt6-base-dev");
        return;
    }
    let flags: Vec<_> = asked.stdout.split_whitespace().chain(["-fPIC", "-std=c++17"]).collect();
    let (headers, libraries): (Vec<&str>, Vec<&str>) = flags.iter().partition(|flag| !flag.starts_with("-l"));
    let flags = [headers, vec!["-Wl,--no-as-needed"], libraries].concat();
    let bench = Bench::with(Compiler::Gxx, QT, &flags);
    let title = "std::runtime_error: bad varint";
    let rows: &[Row] = &[
        (&["throw"], "cpp-exception", title, WAY),
        (&["throw", "thread"], "cpp-exception", title, &[]),
        (&["fault"], "signal", NULL, WAY),
        (&["fault", "thread"], "signal", NULL, WAY),
        (&["fatal"], "signal", "SIGABRT: aborted (SI_TKILL)", WAY),
    ];
    check(&bench, rows, Bench::on);
    bench.check(&["stop"], &[]);
}

/// What a session's end means: destroyed in its turn a clean one; destroyed by an exception, or released, none.
#[test]
fn end_of_a_session() {
    let bench = Bench::with(Compiler::Gxx, CXX, &[]);
    for (way, reports) in [("caught", 0), ("released", 1), ("unwound", 1)] {
        let state_dir = bench.state_dir();
        assert_eq!(bench.node(&[way], &state_dir).finish().shell_status(), 4, "{way}");
        bench.settle();
        assert_eq!(events(&state_dir).len(), reports, "{way}");
    }
}

fn archive() -> std::path::PathBuf {
    delivered("lib/liblifeboat_reporter.a")
}

fn linked(bench: &Bench, run: Run, state_dir: &std::path::Path) -> Run {
    let run = run.env("LIFEBOAT", "on").env("LIFEBOAT_MONITOR", bench.monitor());
    run.env("LIFEBOAT_STATE_DIR", state_dir)
}

fn check(bench: &Bench, rows: &[Row], turn_on: impl Fn(&Bench, Run, &std::path::Path) -> Run) {
    for (arguments, cause, title, functions) in rows {
        let state_dir = bench.state_dir();
        let with = turn_on(bench, bench.node_without(arguments), &state_dir).finish();
        same_end(arguments, &with, &bench.die_without(arguments));
        bench.settle();
        let event = event(&state_dir);
        assert_eq!(event["contexts"]["death"]["cause"], *cause, "{arguments:?}");
        let found = title_of(&event);
        let is_good = match title.strip_prefix('…') {
            Some(end) => found.ends_with(end),
            None => found == *title,
        };
        assert!(is_good, "{arguments:?} is called {found:?}, not {title:?}");
        assert_eq!(own_functions(&event), *functions, "{arguments:?}");
        let [language, build] = bench.kind;
        note_death(language, build, &arguments.join(" "), cause, &found, functions);
        let is_thrown = *cause == "cpp-exception" && !functions.is_empty();
        assert!(!is_thrown || frames(&event).last().unwrap()["in_app"] == true, "{arguments:?}: {event}");
    }
}

fn exception(event: &Value) -> &Value {
    event["exception"]["values"].as_array().unwrap().last().unwrap()
}

fn title_of(event: &Value) -> String {
    let exception = exception(event);
    let kind = exception["type"].as_str().unwrap();
    exception["value"].as_str().map_or_else(|| kind.to_owned(), |value| format!("{kind}: {value}"))
}

fn frames(event: &Value) -> &[Value] {
    exception(event)["stacktrace"]["frames"].as_array().unwrap()
}

/// The first three functions of the node's own, innermost first; without what they take, which clang tells, too.
fn own_functions(event: &Value) -> Vec<&str> {
    let own = frames(event).iter().rev().filter(|frame| frame["in_app"] == true);
    let names = own.map(|frame| frame["function"].as_str().unwrap());
    names.map(|name| name.split('(').next().unwrap()).take(3).collect()
}
