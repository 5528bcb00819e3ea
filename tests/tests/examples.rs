//! The example nodes talk to each other, whatever language they are in, and die as they are asked to.
//!
//! 1. Nodes in a row, each in another language: what the first says arrives at the last, and the other way round.
//! 2. Asked to stop they end with 0, and there is no report.
//! 3. Each dies in each of its ways, beside a peer; its report has the cause, the title, the peer and the trail.
//!
//! A language is added by a line in `ways` and its deaths.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Run, Running, Scratch, repository};
use rustix::process::Signal;
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A node lives so long before it dies: long enough to meet its peer on a busy machine.
const LIFE_MS: &str = "3000";
const ABORTED: i32 = 134;
const FAULTED: i32 = 139;

/// A way to build a node.
struct Way {
    name: &'static str,
    build: fn(&Path) -> PathBuf,
    deaths: &'static [Death],
}

/// `--die`, the status it ends with, the report's cause and title, the function on top of the node's own.
type Death = (&'static str, i32, &'static str, &'static str, &'static str);

const NULL: &str = "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)";
const STORE: &str = "DatabaseError: cannot open the message store: disk image is malformed";
const INDEX: &str = "panic: index out of bounds: the len is 16 but the index is 16";
const TAB: &str = "(anonymous namespace)::bad_message: a tab in a gossip's text";

fn ways() -> [Way; 3] {
    [
        Way {
            name: "c",
            build: |program| {
                let compile = Compile::new(Compiler::Gcc).flags(["-O2", "-g", "-DLIFEBOAT_LOAD"]);
                compile.source(repository("examples/c-node/node.c")).flag("-lpthread").build(program)
            },
            deaths: &[
                ("null", FAULTED, "signal", NULL, "fold"),
                ("main", FAULTED, "signal", NULL, "fold"),
                ("exit", 1, "exit", STORE, "die"),
                ("abort", ABORTED, "signal", "SIGABRT: aborted (SI_TKILL)", "die"),
            ],
        },
        Way {
            name: "cpp",
            build: |program| {
                let compile = Compile::new(Compiler::Gxx).flags(["-O2", "-g", "-DLIFEBOAT_LOAD"]);
                compile.source(repository("examples/cpp-node/node.cpp")).flag("-pthread").build(program)
            },
            deaths: &[
                ("null", FAULTED, "signal", NULL, "fold"),
                ("main", FAULTED, "signal", NULL, "fold"),
                ("exit", 1, "exit", STORE, "die"),
                ("throw", ABORTED, "cpp-exception", TAB, "checksum"),
                ("throw-thread", ABORTED, "cpp-exception", TAB, "checksum"),
                (
                    "nested",
                    ABORTED,
                    "cpp-exception",
                    "std::runtime_error: cannot read a message from cpp-nested; caused by \
                     (anonymous namespace)::bad_message: a tab in a gossip's text",
                    "decode_carefully",
                ),
            ],
        },
        Way {
            name: "rust",
            build: |program| {
                let manifest = repository("examples/rust-node/Cargo.toml");
                let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-programs");
                let run = Run::new("cargo").inherit_environment().timeout(10 * TIMEOUT).env("RUSTFLAGS", "");
                let run = run.args(["build", "--quiet", "--locked", "--release", "--features", "load"]);
                let run = run.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target);
                assert!(run.finish().succeeded());
                let built = target.join("release/rust-node");
                assert!(Run::new("cp").arg(built).arg(program).finish().succeeded());
                program.to_path_buf()
            },
            deaths: &[
                ("null", FAULTED, "signal", NULL, "rust_node::checksum"),
                ("main", FAULTED, "signal", NULL, "rust_node::checksum"),
                ("exit", 1, "exit", STORE, "rust_node::die"),
                ("panic", 101, "panic", INDEX, "rust_node::checksum"),
                ("panic-main", 101, "panic", INDEX, "rust_node::checksum"),
            ],
        },
    ]
}

/// Programs and what is delivered, in a folder that the loader trusts.
struct Bench {
    scratch: Scratch,
}

impl Bench {
    fn new(name: &str) -> Self {
        let bench = Self { scratch: Scratch::trusted(name) };
        let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
        assert!(dist.join("lib").is_dir(), "{} is not there: run scripts/build", dist.display());
        // Not by this process, which may have a child that would keep the copy open for writing.
        let copy = Run::new("cp").arg("-r").arg(dist).arg(bench.scratch.join("dist")).finish();
        assert!(copy.succeeded(), "{}", copy.stderr);
        for way in ways() {
            (way.build)(&bench.program(&way));
        }
        bench
    }

    fn program(&self, way: &Way) -> PathBuf {
        self.scratch.join(format!("{}-node", way.name))
    }

    /// A node that keeps its reports under its name.
    fn node(&self, way: &Way, name: &str, arguments: &[&str]) -> Run {
        let run = Run::new(self.program(way)).args(["--name", name]).args(arguments);
        let reporter = self.scratch.join("dist/lib/liblifeboat_reporter.so");
        run.env("LIFEBOAT_REPORTER", reporter)
            .env("LIFEBOAT_STATE_DIR", self.state_dir(name))
            .timeout(TIMEOUT)
    }

    fn state_dir(&self, name: &str) -> PathBuf {
        self.scratch.join(format!("state-{name}"))
    }

    fn lifeboat(&self, arguments: &[&str], name: &str) -> String {
        let run = Run::new(self.scratch.join("dist/bin/lifeboat")).args(arguments);
        run.arg("--state-dir").arg(self.state_dir(name)).finish().stdout
    }

    /// The one report of a node that died, once it is there.
    fn report(&self, name: &str) -> Value {
        let until = Instant::now() + TIMEOUT;
        loop {
            let shown = self.lifeboat(&["show", "latest", "--json"], name);
            if let Ok(event) = serde_json::from_str(&shown) {
                return event;
            }
            assert!(Instant::now() < until, "no report of {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Starts a node that listens, and answers its address.
fn listening(run: Run) -> (Running, String) {
    let mut node = run.args(["--listen", "127.0.0.1:0"]).spawn();
    let said = node.wait_for_line("listening on ", "");
    let address = said.trim_start_matches("listening on ").to_owned();
    (node, address)
}

#[test]
fn nodes_of_all_languages_gossip() {
    let bench = Bench::new("gossip");
    let ways = ways();
    // Each dials the one before it; the first language comes again at the end, so that each speaks both ways.
    let row: Vec<_> = ways.iter().chain(ways.first()).enumerate().collect();
    let mut nodes: Vec<(String, Running, String)> = Vec::new();
    for (number, way) in row {
        let name = format!("{}-{number}", way.name);
        let run = match nodes.last() {
            Some((_, _, address)) => bench.node(way, &name, &["--every-ms", "100", "--peer", address]),
            None => bench.node(way, &name, &["--every-ms", "100"]),
        };
        let (node, address) = listening(run);
        nodes.push((name, node, address));
    }
    let names: Vec<_> = nodes.iter().map(|(name, ..)| name.clone()).collect();
    let (first, last) = (names.first().unwrap(), names.last().unwrap());
    let beside_last = &names[names.len() - 2];
    // Early messages may have gone out before the row was whole: any number will do.
    let mut wait = |number: usize, of: &str, from: &str| {
        nodes[number].1.wait_for_line(&format!("{} got {of}-", names[number]), &format!(" from {from}"))
    };
    wait(names.len() - 1, first, beside_last);
    wait(0, last, &names[1]);
    for (name, node, _) in nodes {
        node.signal(Signal::TERM);
        let outcome = node.finish();
        assert!(outcome.succeeded(), "{name}: {} {}", outcome.shell_status(), outcome.stderr);
        assert_eq!(bench.lifeboat(&["reports", "--json"], &name), "", "{name} was asked to stop");
    }
}

#[test]
fn each_node_dies_as_it_is_asked_to() {
    let bench = Bench::new("deaths");
    let ways = ways();
    for (number, way) in ways.iter().enumerate() {
        let other = &ways[(number + 1) % ways.len()];
        let (harbor, address) = listening(bench.node(other, "harbor", &[]));
        let arguments = |kind| ["--peer", &address, "--after-ms", LIFE_MS, "--die", kind];
        let name = |kind: &str| format!("{}-{kind}", way.name);
        let dying =
            way.deaths.iter().map(|(kind, ..)| bench.node(way, &name(kind), &arguments(kind)).spawn());
        let dying: Vec<_> = dying.collect();
        for (death, node) in way.deaths.iter().zip(dying) {
            let outcome = node.finish();
            assert_eq!(outcome.shell_status(), death.1, "{}: {}", name(death.0), outcome.stderr);
            check_report(&bench.report(&name(death.0)), death, &name(death.0));
        }
        harbor.signal(Signal::TERM);
        assert!(harbor.finish().succeeded());
        // Its monitor may still note that it stopped.
        let until = Instant::now() + TIMEOUT;
        while fs::remove_dir_all(bench.state_dir("harbor")).is_err() {
            assert!(Instant::now() < until, "the monitor of {} goes on writing", way.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_node_that_hangs_is_reported_while_it_lives() {
    let bench = Bench::new("hangs");
    let all = ways();
    let hanging = all.iter().filter(|way| ["c", "rust"].contains(&way.name));
    let nodes: Vec<_> = hanging
        .map(|way| (way.name, bench.node(way, way.name, &["--after-ms", "300", "--die", "hang"]).spawn()))
        .collect();
    for (name, node) in nodes {
        let event = bench.report(name);
        assert_eq!(event["contexts"]["death"]["cause"], "hang", "{name}");
        let exception = &event["exception"]["values"][0];
        let late = exception["value"].as_str().unwrap();
        assert!(late.starts_with("heartbeat gossip: ") && late.ends_with(" s old, due every 2 s"), "{late}");
        let frames = exception["stacktrace"]["frames"].as_array().unwrap();
        let mut functions = frames.iter().filter_map(|frame| frame["function"].as_str());
        assert!(functions.any(|function| function.ends_with("wait_for_room")), "{name}: {frames:#?}");
        node.signal(Signal::KILL);
        assert_eq!(node.finish().shell_status(), 137, "{name}");
        let until = Instant::now() + TIMEOUT;
        while bench.report(name)["contexts"]["death"]["cause"] != "killed" {
            assert!(Instant::now() < until, "no report of the end of {name}");
        }
        let hung = &bench.report(name)["contexts"]["death"]["hung"];
        assert!(hung.as_str().is_some_and(|hung| hung.starts_with("heartbeat gossip: ")), "{name}: {hung}");
    }
}

fn check_report(event: &Value, (_, _, cause, title, function): &Death, name: &str) {
    assert_eq!(event["contexts"]["death"]["cause"], *cause, "{name}");
    let exception = event["exception"]["values"].as_array().unwrap().last().unwrap();
    let found = format!(
        "{}: {}",
        exception["type"].as_str().unwrap(),
        exception["value"].as_str().unwrap_or_default()
    );
    assert_eq!(found, *title, "{name}");
    let frames = exception["stacktrace"]["frames"].as_array().unwrap();
    let top = frames.iter().rev().find(|frame| frame["in_app"] == true).unwrap();
    assert_eq!(top["function"], *function, "{name}");
    assert_eq!(event["tags"]["role"], "relay", "{name}");
    assert_eq!(event["contexts"]["node"]["peers"], "1", "{name}");
    let heard: u32 = event["contexts"]["node"]["messages"].as_str().unwrap().parse().unwrap();
    assert!(heard > 0, "{name}");
    let crumbs = event["breadcrumbs"].as_array().or(event["breadcrumbs"]["values"].as_array()).unwrap();
    let has = |category: &str, start: &str| {
        let of_category = crumbs.iter().filter(|crumb| crumb["category"] == category);
        let mut messages = of_category.filter_map(|crumb| crumb["message"].as_str());
        messages.any(|message| message.starts_with(start))
    };
    assert!(has("peer", "connected harbor"), "{name}");
    assert!(has("gossip", "harbor-"), "{name}");
}
