//! The example nodes in Nim: they gossip with each other, end cleanly when asked to, and their deaths read as they should.

use std::path::{Path, PathBuf};

use lifeboat_tests::{Running, repository};
use rustix::process::Signal;

use crate::bench::{Bench, Told, address_of, events};
use crate::build::{Build, Nim, bindings};
use crate::library::{host, library};

fn node(bench: &Bench, name: &str, build: &Build) -> PathBuf {
    build.compile(&repository("examples/nim-node/node.nim"), &bench.scratch.join(name), &bindings(), &[])
}

#[test]
fn nodes_and_the_library_gossip() {
    let bench = Bench::new("nim-gossip");
    let state_dir = bench.state_dir();
    let start = |program: &Path, first: &[&Path], name: &str, peers: &[&str]| -> Running {
        let peers = peers.iter().flat_map(|peer| ["--peer", peer]);
        let run = bench.node(program, &state_dir).args(first);
        run.args(["--name", name, "--every-ms", "50"]).args(peers).spawn()
    };
    let fleet = node(&bench, "one", &Build::new(Nim::One, &["-d:sentry", "--mm:orc"]));
    let public = node(&bench, "two", &Build::new(Nim::Two, &["--mm:refc"]));
    let (host, library) = (host(&bench, "host", &[]), library(&bench, Nim::Two));
    let mut ada = start(&fleet, &[], "ada", &[]);
    let address_of_ada = address_of(&mut ada);
    let mut bob = start(&public, &[], "bob", &[&address_of_ada]);
    let address_of_bob = address_of(&mut bob);
    let mut eve = start(&host, &[&library], "eve", &[&address_of_bob]);
    // From one end to the other, through the one between.
    ada.wait_for("ada got eve-");
    eve.wait_for("eve got ada-");
    bob.wait_for("bob got ada-");
    for node in [eve, bob, ada] {
        node.signal(Signal::TERM);
        let outcome = node.finish();
        assert!(outcome.succeeded(), "{outcome:?}");
    }
    bench.settle();
    assert_eq!(events(&state_dir).len(), 0);
}

#[test]
fn a_death_reads_as_it_should() {
    let deaths = [
        ("null", "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)", "signal", "checksum"),
        ("main", "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)", "signal", "checksum"),
        ("exit", "quit: cannot open the message store: no space left on device", "exit", "die"),
        (
            "quit",
            "exit: exited with status 1: Unrecoverable error occurred error=\"no store\"",
            "exit",
            "die",
        ),
        (
            "exception",
            "NodeError: cannot open store.db: database disk image is malformed",
            "nim-exception",
            "openStore",
        ),
        ("defect", "IndexDefect: index 1 not in 0 .. 0", "nim-exception", "partsOf"),
        ("defect-thread", "IndexDefect: index 1 not in 0 .. 0", "nim-exception", "partsOf"),
    ];
    let bench = Bench::new("nim-example");
    let node = node(&bench, "node", &Build::new(Nim::Two, &["-d:sentry", "--mm:orc", "--debugger:native"]));
    for (death, title, cause, function) in deaths {
        let state_dir = bench.state_dir();
        let _ = bench.node(&node, &state_dir).args(["--after-ms", "50", "--die", death]).finish();
        bench.settle();
        let events = events(&state_dir);
        assert_eq!(events.len(), 1, "{death}");
        let told = Told::of(&events[0]);
        assert_eq!((told.title.as_str(), told.cause.as_str()), (title, cause), "{death}: {told:?}");
        assert_eq!(told.functions().first(), Some(&function), "{death}: {told:?}");
        assert_eq!(events[0]["tags"]["role"], "relay", "{death}");
        assert_eq!(events[0]["contexts"]["metrics"]["gossip_peers"], 0, "{death}");
    }
}
