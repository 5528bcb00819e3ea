//! A public build of a module and of a frontend holds nothing of Lifeboat.
//!
//! 1. Build the frontend of the stand-in, and itself without its lines of Lifeboat: the same bytes when stripped.
//! 2. Neither knows the name, and no compiler warns, in any mode.

use std::fs;

use lifeboat_tests::{Compile, Compiler, Run};

use crate::bench::{Bench, fixture};

#[test]
fn a_frontend_without_lifeboat_is_the_same_program() {
    let bench = Bench::new("logos-public");
    let source = fs::read_to_string(fixture("host.cpp")).unwrap();
    let ours = |line: &&str| {
        line.contains("LIFEBOAT_") || line.contains("modules.poll();") || line.contains("lifeboat")
    };
    let without: String =
        source.split_inclusive('\n').map(|line| if ours(&line) { "\n" } else { line }).collect();
    assert_ne!(source, without);
    let folder = bench.scratch.join("source");
    fs::create_dir(&folder).unwrap();
    for compiler in Compiler::CXX {
        for level in ["-O1", "-O2"] {
            let build = |text: &str| {
                // One path for both: its name is in the program, too.
                fs::write(folder.join("host.cpp"), text).unwrap();
                let compile = Compile::new(compiler).flags([level, "-std=c++11", "-I"]).flag(fixture(""));
                let compile =
                    compile.source(folder.join("host.cpp")).flag(bench.scratch.join("liblogos_core.so"));
                let program = compile.flag("-Wl,--allow-shlib-undefined").build(folder.join("program"));
                assert!(Run::new("strip").arg(&program).finish().succeeded());
                fs::read(&program).unwrap()
            };
            let with = build(&source);
            assert!(
                !with.windows(8).any(|text| text.eq_ignore_ascii_case(b"lifeboat")),
                "{compiler:?} {level}"
            );
            assert!(with == build(&without), "{compiler:?} {level}: see {}", folder.display());
        }
    }
}

#[test]
fn no_compiler_warns() {
    let bench = Bench::new("logos-warnings");
    let warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-DLIFEBOAT_WARNINGS_"];
    for compiler in Compiler::CXX {
        for mode in ["-DPUBLIC", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"] {
            let compile = Compile::new(compiler).flags(warnings).flags(["-std=c++11", mode, "-O1", "-c"]);
            compile.source(fixture("host.cpp")).build(bench.scratch.join("host.o"));
        }
    }
}
