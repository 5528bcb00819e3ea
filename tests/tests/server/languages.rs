//! The example nodes in C++, Rust and Nim, and a Nim program that holds nothing of Lifeboat. 1. each dies in ways of its
//! language  2. the server has an issue for each, called after what happened, where it happened.

use std::path::{Path, PathBuf};

use lifeboat_tests::{Compile, Compiler, Run, repository};

use crate::fleet::Fleet;

/// Long enough to start; there is no peer to meet.
const LIFE: [&str; 2] = ["--after-ms", "100"];

/// `--die`, the status, how the issue's title starts, its place.
type Death = (&'static str, i32, &'static str, &'static str);

fn check(fleet: &Fleet, node: &Path, deaths: &[Death]) {
    for (die, status, title, place) in deaths {
        fleet.die(node, &[&["--die", die], &LIFE[..]].concat(), *status);
        let issue = fleet.project.wait_for_issue(title, 1);
        assert_eq!((issue.place.as_str(), issue.events), (*place, 1), "{die}");
    }
    fleet.sent(deaths.len());
}

#[test]
fn the_node_in_cxx() {
    let fleet = Fleet::new("cpp-node");
    let compile = Compile::new(Compiler::Gxx).flags(["-O2", "-g", "-pthread", "-DLIFEBOAT_LOAD"]);
    let node = compile.source(repository("examples/cpp-node/node.cpp")).build(fleet.path("node"));
    check(
        &fleet,
        &node,
        &[
            ("throw", 134, "(anonymous namespace)::bad_message: a tab in a gossip's text", "checksum"),
            ("nested", 134, "std::runtime_error: cannot read a message from", "decode_carefully"),
        ],
    );
}

#[test]
fn the_node_in_rust() {
    let fleet = Fleet::new("rust-node");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rust-programs");
    let run = Run::new("cargo")
        .inherit_environment()
        .env("RUSTFLAGS", "")
        .timeout(std::time::Duration::from_secs(600));
    let run =
        run.args(["build", "--quiet", "--locked", "--release", "--features", "load", "--manifest-path"]);
    let run = run.arg(repository("examples/rust-node/Cargo.toml")).arg("--target-dir").arg(&target);
    let built = run.finish();
    assert!(built.succeeded(), "{}{}", built.stdout, built.stderr);
    let node = fleet.path("node");
    assert!(Run::new("cp").arg(target.join("release/rust-node")).arg(&node).finish().succeeded());
    check(
        &fleet,
        &node,
        &[("panic-main", 101, "panic: index out of bounds: the len is 16", "rust_node::checksum")],
    );
}

fn nim(fleet: &Fleet, source: &str, flags: &[&str]) -> PathBuf {
    let (program, cache) = (fleet.path("node"), fleet.path("cache"));
    let compile =
        Run::new(std::env::var_os("LIFEBOAT_TEST_NIM").unwrap_or("nim".into())).inherit_environment();
    let compile = compile.args(["c", "--hints:off", "--threads:on", "--debugger:native"]).args(flags);
    let compile = compile.arg(format!("--path:{}", repository("nim-bindings").display()));
    let compile =
        compile.arg(format!("--nimcache:{}", cache.display())).arg(format!("-o:{}", program.display()));
    let outcome = compile.arg(repository(source)).finish();
    assert!(outcome.succeeded(), "{}{}", outcome.stdout, outcome.stderr);
    program
}

#[test]
fn the_node_in_nim() {
    let fleet = Fleet::new("nim-node");
    let node = nim(&fleet, "examples/nim-node/node.nim", &["-d:sentry"]);
    check(
        &fleet,
        &node,
        &[
            ("defect-thread", 1, "IndexDefect: index 1 not in 0 .. 0", "partsOf"),
            ("exit", 1, "quit: cannot open the message store", "gossip.die"),
        ],
    );
}

/// The incident of logos-delivery #4064: a thread of a program without telemetry takes from an empty deque.
#[test]
fn an_unmodified_program_that_takes_from_an_empty_deque() {
    let fleet = Fleet::new("partitions");
    let program = nim(&fleet, "tests/fixtures/run_partitions.nim", &["--mm:refc"]);
    let lifeboat = fleet.path("bin/lifeboat");
    let arguments = ["run", "--", program.to_str().unwrap()];
    // Without a reporter of its own.
    let outcome = fleet.node(&lifeboat, &arguments).env("LIFEBOAT_REPORTER", "").finish();
    assert_eq!(outcome.shell_status(), 1, "{}{}", outcome.stdout, outcome.stderr);
    let issue = fleet.project.wait_for_issue("IndexDefect: Empty deque.", 1);
    let functions = fleet.project.events(&issue)[0].functions();
    assert!(functions.iter().any(|name| name.ends_with("rotatePartitions")), "{functions:?}");
    fleet.sent(1);
}
