//! The terminate handler among others: a node's own, a second of ours, one in a plugin that is gone.
//!
//! 1. A node has sessions in several places, and a handler of its own that calls the one before; then it throws.
//! 2. It ends as without a reporter, and the report tells the exception.
//! 3. Of a pointer that may point to freed memory only the type is told.

use std::path::Path;

use lifeboat_tests::{Compile, Compiler, Scratch};

use crate::bench::{Bench, event, same_end, source};

fn part(compiler: Compiler, flags: &[&str], output: &Path) {
    let compile = Compile::new(compiler).flags(["-O2", "-g", "-DLIFEBOAT_LOAD"]).flags(flags);
    compile.source(source("terminate_part")).build(output);
}

fn bench(compiler: Compiler) -> Bench {
    let scratch = Scratch::trusted("terminate-part");
    let plain = scratch.join("part.o");
    part(compiler, &["-fno-exceptions", "-c"], &plain);
    let bench = Bench::with(compiler, "terminate", &[plain.to_str().unwrap(), "-ldl"]);
    part(compiler, &["-fPIC", "-shared"], &bench.scratch.join("plugin.so"));
    bench
}

fn check(bench: &Bench, words: &[&str], title: [Option<&str>; 2]) {
    let state_dir = bench.state_dir();
    let with = bench.node(words, &state_dir).finish();
    same_end(words, &with, &bench.die_without(words));
    assert_eq!(with.shell_status(), 134, "{words:?}: {with:?}");
    bench.settle();
    let event = event(&state_dir);
    assert_eq!(event["contexts"]["death"]["cause"], "cpp-exception", "{words:?}");
    let exception = event["exception"]["values"].as_array().unwrap().last().unwrap();
    assert_eq!([exception["type"].as_str(), exception["value"].as_str()], title, "{words:?}");
}

const BOOM: [Option<&str>; 2] = [Some("std::runtime_error"), Some("boom")];

#[test]
fn handlers_make_no_ring() {
    for compiler in [Compiler::Gxx, Compiler::Clangxx] {
        let bench = bench(compiler);
        for words in [
            &["chain"][..],
            &["chain", "again"],
            &["part"],
            &["part", "again"],
            &["chain", "part", "again"],
            &["plugin"],
            &["plugin", "again"],
            &["chain", "plugin", "again", "part", "plugin"],
        ] {
            check(&bench, words, BOOM);
        }
    }
}

#[test]
fn a_plugin_that_was_closed_leaves_nothing_that_fails() {
    let bench = bench(Compiler::Gxx);
    for words in [&["closed"][..], &["closed", "chain"], &["chain", "closed", "closed", "again"]] {
        check(&bench, words, BOOM);
    }
}

#[test]
fn no_freed_memory_is_told() {
    let bench = bench(Compiler::Gxx);
    check(&bench, &["pointer"], [Some("char*"), None]);
    check(&bench, &["const-pointer"], [Some("char const*"), None]);
}
