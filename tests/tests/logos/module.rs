//! The example module compiles against Qt 6 as a plugin, and answers with its metrics where a reporter is.
//!
//! 1. `make` builds it for a fleet and for the public; the public one does not know the name.
//! 2. Loaded as a host loads it, the fleet's answers OpenMetrics text with its counts; the public one an empty text.
//!
//! Where there is no Qt 6 this is skipped; `scripts/setup test` installs it.

use std::path::{Path, PathBuf};

use lifeboat_tests::{Compile, Compiler, Run, Scratch, repository};

use crate::bench::{delivered, fixture};

#[test]
fn a_qt_module_returns_its_metrics() {
    let found = Run::new("pkg-config").args(["--exists", "Qt6Core"]).finish();
    if !found.succeeded() {
        eprintln!("skipped: no Qt 6 here; scripts/setup test installs it");
        return;
    }
    let scratch = Scratch::trusted("logos-module");
    let make = Run::new("make").arg("-C").arg(repository("examples/logos-module"));
    let built = make.arg(format!("OUT={}", scratch.path().display())).finish();
    assert!(built.succeeded() && !built.stderr.contains("warning"), "{}", built.stderr);
    let flags = Run::new("pkg-config").args(["--cflags", "--libs", "Qt6Core"]).finish().output();
    let compile = Compile::new(Compiler::Gxx).flags(["-std=c++17", "-fPIC", "-I"]);
    let compile = compile.flag(repository("examples/logos-module/sdk")).source(fixture("load_plugin.cpp"));
    let loader = compile.flags(flags.split_whitespace()).build(scratch.join("load_plugin"));
    let ask = |plugin: &str| ask(&loader, &scratch.join(plugin), &scratch.join("persistence"));
    let fleet = ask("demo_module_plugin.so");
    for expected in [
        "demo_module received 3\n",
        "# TYPE demo_module_messages counter\n",
        "\ndemo_module_messages_total 3\n",
        "\ndemo_module_longest_message_bytes 5\n",
    ] {
        assert!(fleet.contains(expected), "{fleet:?} has {expected:?}");
    }
    assert!(fleet.ends_with("# EOF\n"), "{fleet:?}");
    let public = scratch.join("public/demo_module_plugin.so");
    assert_eq!(ask("public/demo_module_plugin.so"), "demo_module received 3\n");
    assert!(!holds_name(&public) && holds_name(&scratch.join("demo_module_plugin.so")));
}

fn ask(loader: &Path, plugin: &Path, persistence: &PathBuf) -> String {
    let run = Run::new(loader).arg(plugin).arg(persistence);
    let run = run.env("LIFEBOAT_REPORTER", delivered("lib/liblifeboat_reporter.so"));
    run.finish().output()
}

fn holds_name(plugin: &Path) -> bool {
    assert!(Run::new("strip").arg(plugin).finish().succeeded());
    std::fs::read(plugin).unwrap().windows(8).any(|text| text.eq_ignore_ascii_case(b"lifeboat"))
}
