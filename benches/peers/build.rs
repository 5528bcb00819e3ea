//! Compiles the C that the hosts share, and for Lifeboat's host the call of its header.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=src/hosts/host.c");
    cc::Build::new()
        .file("src/hosts/host.c")
        .flags(["-fomit-frame-pointer", "-fno-optimize-sibling-calls"])
        .opt_level(2)
        .compile("peers_host");
    if std::env::var_os("CARGO_FEATURE_LIFEBOAT").is_some() {
        let include = Path::new("..").join("..").join("include");
        println!("cargo::rerun-if-changed=src/hosts/lifeboat.c");
        println!("cargo::rerun-if-changed={}", include.display());
        cc::Build::new()
            .file("src/hosts/lifeboat.c")
            .include(include)
            .define("LIFEBOAT_LOAD", None)
            .compile("peers_lifeboat");
    }
}
