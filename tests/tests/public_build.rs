//! A public build holds nothing of Lifeboat.
//!
//! 1. Build a program with every call, and itself without the calls: blank lines and constants in their place.
//! 2. Strip both: gcc, g++, clang and clang++ at -O0 to -O3 make the same bytes of them.
//! 3. No argument is evaluated, no compiler warns, and the example node's public build does not know the name.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use lifeboat_tests::{Compile, Compiler, Run, Scratch, repository};

const LEVELS: [&str; 4] = ["-O0", "-O1", "-O2", "-O3"];
const WARNINGS: [&str; 6] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wunused-value", "-Wunused-variable", "-Wshadow"];

/// Every call of lifeboat.h.
const CALLS: &str = "public.c";
/// What lifeboat.hpp adds.
const SESSION: &str = "public_session.cpp";

/// What becomes of the fixture's marked lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Kept,
    Replaced,
}

#[test]
fn same_bytes_with_handles_in_c_by_gcc() {
    check_levels(Compiler::Gcc);
}

#[test]
fn same_bytes_with_handles_in_c_by_clang() {
    check_levels(Compiler::Clang);
}

#[test]
fn same_bytes_with_handles_in_c_with_musl() {
    check_levels(Compiler::MuslGcc);
}

#[test]
fn same_bytes_with_handles_in_cxx_by_gxx() {
    check_levels(Compiler::Gxx);
}

#[test]
fn same_bytes_with_handles_in_cxx_by_clangxx() {
    check_levels(Compiler::Clangxx);
}

/// At -O0 clang keeps the name of a session, and what is called of it stays a call.
#[test]
fn same_bytes_with_sessions() {
    check_same(Compiler::Gxx, SESSION, "-O0", false, Some("-Wl,--build-id=none"));
    for compiler in Compiler::CXX {
        for level in ["-O1", "-O2", "-O3"] {
            check_same(compiler, SESSION, level, true, None);
        }
    }
}

#[test]
fn no_argument_is_evaluated() {
    let of_sessions = Compiler::CXX.map(|compiler| (compiler, SESSION));
    let of_calls = [Compiler::Gcc, Compiler::Clang, Compiler::Gxx, Compiler::Clangxx];
    for (compiler, fixture) in of_calls.map(|compiler| (compiler, CALLS)).into_iter().chain(of_sessions) {
        let scratch = Scratch::new("evaluated");
        let build = |flag: &str, name: &str| {
            let source = write_fixture(&scratch, fixture, Lines::Kept, true);
            let program =
                Compile::new(compiler).flags(["-O0", flag]).source(source).build(scratch.join(name));
            Run::new(program).finish().output()
        };
        assert!(build("-DPUBLIC", "public").starts_with("evaluated 0 status 1"), "{compiler:?}");
        // The same count in a build that has the calls: the fixture does notice.
        assert!(!build("-DLIFEBOAT_LOAD", "fleet").starts_with("evaluated 0 "), "{compiler:?}");
    }
}

#[test]
fn no_compiler_warns() {
    let standards = |compiler: Compiler| match compiler.is_cxx() {
        true => ["-std=c++11", "-std=c++17", "-std=gnu++20"],
        false => ["-std=c99", "-std=c11", "-std=gnu17"],
    };
    let scratch = Scratch::new("warnings");
    let source = write_fixture(&scratch, CALLS, Lines::Kept, true);
    for compiler in Compiler::C.into_iter().chain(Compiler::CXX) {
        for standard in standards(compiler) {
            let compile = Compile::new(compiler).flags(WARNINGS).flags([standard, "-O2"]);
            compile.source(&source).build(scratch.join("program"));
        }
    }
    let source = write_fixture(&scratch, SESSION, Lines::Kept, true);
    for compiler in Compiler::CXX {
        for standard in ["-std=c++11", "-std=c++14", "-std=c++17", "-std=gnu++20"] {
            let compile = Compile::new(compiler).flags(WARNINGS).flags([standard, "-O2"]);
            compile.source(&source).build(scratch.join("program"));
        }
    }
}

#[test]
fn examples_know_no_name() {
    let scratch = Scratch::new("example");
    for compiler in Compiler::C.into_iter().chain(Compiler::CXX) {
        let compile = Compile::new(compiler).flags(WARNINGS).flags(["-O2", "-g"]);
        let source = if compiler.is_cxx() { "examples/cpp-node/node.cpp" } else { "examples/c-node/node.c" };
        let program = compile.source(repository(source)).flag("-lpthread");
        let public = program.build(scratch.join("public"));
        let symbols = Run::new("nm").arg(&public).finish().output();
        assert!(!symbols.to_lowercase().contains("lifeboat"), "{compiler:?}: {symbols}");
        assert!(!holds(&strip(&public), "lifeboat"), "{compiler:?}");
        // The fleet build does know it: the search can find it.
        let fleet = program.flag("-DLIFEBOAT_LOAD").build(scratch.join("fleet"));
        assert!(holds(&strip(&fleet), "lifeboat"), "{compiler:?}");
    }
}

/// Both programs at each level. At -O0 compilers keep the name of an unused static object in the symbol table,
/// and the linker's build id is taken over that table: there the handles are compared without a build id.
fn check_levels(compiler: Compiler) {
    for level in LEVELS {
        if level == "-O0" {
            check_same(compiler, CALLS, level, false, None);
            check_same(compiler, CALLS, level, true, Some("-Wl,--build-id=none"));
        } else {
            check_same(compiler, CALLS, level, true, None);
        }
    }
}

fn check_same(compiler: Compiler, fixture: &str, level: &str, handles: bool, linker_flag: Option<&str>) {
    let scratch = Scratch::new("same");
    let build = |lines: Lines, name: &str| {
        // One path for both sources: its name is in the program, too.
        let source = write_fixture(&scratch, fixture, lines, handles);
        let compile = Compile::new(compiler).flag(level).flags(linker_flag);
        strip(&compile.source(source).build(scratch.join(name)))
    };
    let with = build(Lines::Kept, "with");
    let without = build(Lines::Replaced, "without");
    assert!(!holds(&with, "telltale"), "{compiler:?} {level}: an argument is left in the program");
    assert!(with == without, "{compiler:?} {level}, handles {handles}: see {}", scratch.path().display());
}

/// Writes the fixture, its lines as asked; without `handles` the lines of the static handles are blank in both.
fn write_fixture(scratch: &Scratch, fixture: &str, lines: Lines, handles: bool) -> PathBuf {
    let fixture = std::fs::read_to_string(repository("tests/fixtures").join(fixture)).unwrap();
    let mut text = String::new();
    for line in fixture.lines() {
        let replace = lines == Lines::Replaced;
        let is_blank = (line.ends_with(" STATEMENT */") && replace)
            || (line.ends_with("HANDLE STATEMENT */") && !handles);
        if is_blank {
            // The line stays, so that line numbers do.
        } else if let (true, Some((_, constant))) = (replace, line.split_once("/* VALUE ")) {
            text.push_str(&replace_call(line, constant.trim_end_matches(" */")));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    scratch.write("fixture.c", text)
}

/// The line with its one call replaced by a constant.
fn replace_call(line: &str, constant: &str) -> String {
    let start = line.find("lifeboat_").unwrap_or_else(|| panic!("no call in {line:?}"));
    let mut depth = 0;
    for (index, letter) in line.char_indices().skip(start) {
        match letter {
            '(' => depth += 1,
            ')' if depth == 1 => return [&line[..start], constant, &line[index + 1..]].concat(),
            ')' => depth -= 1,
            _ => {}
        }
    }
    panic!("no end of the call in {line:?}")
}

fn strip(program: &Path) -> Vec<u8> {
    let stripped = program.with_extension("stripped");
    let outcome = Run::new("strip").arg("-o").arg(&stripped).arg(program).finish();
    assert!(outcome.succeeded(), "{}", outcome.stderr);
    std::fs::read(stripped).unwrap()
}

/// Whether the bytes hold a word, in small letters or not.
fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.to_ascii_lowercase().windows(word.len()).any(|window| window == word.as_bytes())
}
