//! The hooks for exceptions among others, and what one exception leaves for the next.
//!
//! 1. A node puts a hook of its own over ours and starts a second time; or it recovers from a Defect.
//! 2. It dies of an exception as without a reporter, and the report tells that exception, and nothing of the Defect.

use crate::bench::{Bench, Told, events};
use crate::build::{Build, Nim, bindings, fixture};

const BUILDS: [&[&str]; 4] = [
    &["-d:sentry", "--mm:refc", "--debugger:native"],
    &["-d:sentry", "--mm:orc", "--debugger:native"],
    &["-d:sentry", "--mm:refc", "--debugger:native", "-d:release"],
    &["-d:sentry", "--mm:orc", "--debugger:native", "-d:release"],
];

fn check(nim: Nim) {
    for flags in BUILDS {
        let build = Build::new(nim, flags);
        let bench = Bench::new("nim-hooks");
        let node = build.compile(&fixture("hooks.nim"), &bench.scratch.join("node"), &bindings(), &[]);
        for words in [&["recover"][..], &["chain", "again"], &["again", "chain", "again"]] {
            let state_dir = bench.state_dir();
            let with = bench.node(&node, &state_dir).args(words).finish();
            let without = bench.node_off(&node).args(words).finish();
            let end = |outcome: &lifeboat_tests::Outcome| {
                (outcome.status, outcome.stdout.clone(), outcome.stderr.clone())
            };
            assert_eq!(end(&with), end(&without), "{build:?} {words:?}");
            assert_eq!(with.status.code(), Some(1), "{build:?} {words:?}");
            bench.settle();
            let events = events(&state_dir);
            assert_eq!(events.len(), 1, "{build:?} {words:?}");
            let told = Told::of(&events[0]);
            assert_eq!(told.title, "ValueError: no such peer: alice", "{build:?} {words:?}");
            assert_eq!(told.functions().first(), Some(&"connect"), "{build:?} {words:?}: {told:?}");
            assert!(!told.functions().contains(&"recover"), "{build:?} {words:?}: {told:?}");
        }
    }
}

#[test]
fn nim_1() {
    check(Nim::One);
}

#[test]
fn nim_2() {
    check(Nim::Two);
}
