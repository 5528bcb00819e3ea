//! Each feature alone: what is not asked for is not there, and what excludes each other is refused.
//!
//! 1. Without a feature the crate has no dependency; its tests pass without and with each feature.
//! 2. `load` and `link` together are a sentence of the compiler, not a riddle.

use lifeboat_tests::{Run, repository};

use crate::bench::{cargo, target_dir};

const MANIFEST: &str = "crates/lifeboat/Cargo.toml";

#[test]
fn without_a_feature_the_crate_stands_alone() {
    let tree = |features: &str| {
        let edges = ["--edges", "normal,build", "--prefix", "none", "--features", features];
        cargo("tree", MANIFEST, &edges).finish().output()
    };
    assert_eq!(tree("").lines().count(), 1, "{}", tree(""));
    // With one it does not: the count sees dependencies.
    assert!(tree("link").lines().any(|line| line.starts_with("lifeboat-core ")));
}

#[test]
fn load_and_link_exclude_each_other() {
    let run = cargo("check", MANIFEST, &["--quiet", "--features", "load,link", "--target-dir"]);
    let outcome = run.arg(target_dir()).finish();
    assert!(!outcome.succeeded());
    assert!(
        outcome.stderr.contains("the features `load` and `link` exclude each other"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn each_feature_keeps_the_rules() {
    let facades = "metrics-facade,prometheus-client";
    let with_facades = format!("load,tracing,{facades}");
    for features in ["load", "link", "tracing", facades, &with_facades] {
        let run =
            cargo("clippy", MANIFEST, &["--quiet", "--all-targets", "--features", features, "--target-dir"]);
        passes(features, run.arg(target_dir()).args(["--", "-D", "warnings"]));
    }
}

#[test]
fn what_stands_apart_is_formatted_too() {
    for manifest in
        ["examples/rust-node/Cargo.toml", "tests/fixtures/rust/Cargo.toml", "benches/hosts/rust/Cargo.toml"]
    {
        let run = Run::new("cargo").inherit_environment().args(["fmt", "--check", "--manifest-path"]);
        passes(manifest, run.arg(repository(manifest)));
    }
}

#[test]
fn what_the_documents_show_is_so_with_features() {
    let features = "load,tracing,metrics-facade,prometheus-client";
    let run = cargo("test", MANIFEST, &["--quiet", "--features", features, "--target-dir"]);
    passes(features, run.arg(target_dir()));
}

fn passes(features: &str, run: Run) {
    let outcome = run.finish();
    assert!(outcome.succeeded(), "{features}:\n{}{}", outcome.stdout, outcome.stderr);
}
