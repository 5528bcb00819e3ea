//! A Nim library in a host in C, as liblogosdelivery is in a module's process.
//!
//! 1. A Defect on the library's second Nim thread is reported from the library's own runtime, whatever the host is.
//! 2. A host that exports thousands of names, ours among them, takes no call of ours away.
//! 3. The library's NimMain takes a host's signal handlers; a rearm brings them back.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lifeboat_tests::{Compile, Compiler, Run, repository};

use crate::bench::{Bench, Told, events};
use crate::build::{Build, Nim, bindings};

/// How liblogosdelivery is built, but for the optimiser, which takes its time, and `-Bsymbolic`, which would hide what the
/// package must see to by itself.
const LIBRARY: [&str; 6] =
    ["-d:sentry", "--app:lib", "--noMain", "--nimMainPrefix:gossip", "--debugger:native", "--mm:refc"];
/// More than the names of BoringSSL that were interposed there.
const NAMES: usize = 8500;

/// The example's library in this bench, by this Nim.
pub(crate) fn library(bench: &Bench, nim: Nim) -> PathBuf {
    let source = repository("examples/nim-library/library.nim");
    Build::new(nim, &LIBRARY).compile(&source, &bench.scratch.join("libgossip.so"), &bindings(), &[])
}

/// The example's host, with whatever else is compiled in.
pub(crate) fn host(bench: &Bench, name: &str, more: &[&Path]) -> PathBuf {
    let compile =
        Compile::new(Compiler::Gcc).flags(["-O2", "-g", "-rdynamic", "-std=gnu11", "-Wall", "-Wextra"]);
    let compile = compile.source(repository("examples/nim-library/host.c"));
    let compile = more.iter().fold(compile, |compile, source| compile.source(source));
    compile.flags(["-lpthread", "-ldl"]).build(bench.scratch.join(name))
}

fn check_defect(bench: &Bench, host: &Path, library: &Path) {
    let state_dir = bench.state_dir();
    let arguments = ["--every-ms", "50", "--after-ms", "100", "--die", "defect-thread"];
    let outcome = bench.node(host, &state_dir).arg(library).args(arguments).finish();
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    bench.settle();
    let events = events(&state_dir);
    assert_eq!(events.len(), 1, "{outcome:?}");
    let told = Told::of(&events[0]);
    assert_eq!(told.title, "IndexDefect: index 1 not in 0 .. 0");
    assert_eq!(told.cause, "nim-exception");
    assert_eq!(told.functions()[..3], ["partsOf", "decodeMessage", "deliver"], "{told:?}");
    assert_eq!(events[0]["release"], "nim-library@1.4.2");
    assert_eq!(events[0]["contexts"]["metrics"]["gossip_peers"], 0, "{events:?}");
}

#[test]
fn a_defect_is_reported_and_handlers_come_back() {
    let bench = Bench::new("nim-library");
    let library = library(&bench, Nim::One);
    check_defect(&bench, &host(&bench, "host", &[]), &library);
    check_rearm(&bench, &library);
}

#[test]
fn a_host_full_of_names_takes_nothing_away() {
    let bench = Bench::new("nim-names");
    let library = library(&bench, Nim::Two);
    // What the library, its shim and the reporter call their own.
    let of = |path: &Path, flags: &[&str]| {
        let names = Run::new("nm").args(flags).arg(path).finish().output();
        names.lines().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut names = of(&library, &["--defined-only"]);
    names.extend(of(&bench.scratch.join("lib/liblifeboat_reporter.so"), &["-D", "--defined-only"]));
    names.retain(|name| {
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_word && name.starts_with("lifeboat_")
    });
    names.sort();
    names.dedup();
    for expected in ["lifeboat_api_v1", "lifeboat_table_", "lifeboat_nim_tag", "lifeboat_nim_on_uncaught"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not among {names:?}");
    }
    let mut source = String::from("/* Whoever calls one of these was led astray. */\n");
    for name in names.iter().cloned().chain((0..NAMES).map(|number| format!("BORINGSSL_name_{number}"))) {
        writeln!(source, "void {name}(void); void {name}(void) {{ __builtin_trap(); }}").unwrap();
    }
    let source = bench.scratch.write("names.c", source);
    let host = host(&bench, "host", &[&source]);
    check_defect(&bench, &host, &library);
}

fn check_rearm(bench: &Bench, library: &Path) {
    let compile = Compile::new(Compiler::Gcc).flags(["-O2", "-g", "-DLIFEBOAT_LOAD"]);
    let source = repository("tests/fixtures/nim_host.c");
    let host = compile.source(source).flag("-ldl").build(bench.scratch.join("host-with-its-own"));
    let state_dir = bench.state_dir();
    let outcome = bench.node(&host, &state_dir).arg(library).finish();
    assert_eq!(outcome.stdout, "theirs after NimMain\nours after rearm\n", "{outcome:?}");
    // Nim's handler came after ours.
    assert!(outcome.stderr.contains("SIGSEGV: Illegal storage access"), "{outcome:?}");
    bench.settle();
    let told = Told::of(&events(&state_dir)[0]);
    assert_eq!(told.title, "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)");
    assert_eq!(told.functions()[..2], ["fall", "main"], "{told:?}");
}
