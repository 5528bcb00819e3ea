//! Link mode, and programs of several parts.
//!
//! 1. Link a node with a stand-in for the reporter: on with `LIFEBOAT=on` or the option, off without, off with `off`.
//! 2. Start from a program and from a shared library in it: one reporter, and both parts' calls reach it.

use lifeboat_tests::{Compile, Compiler, Run, Scratch, repository};

const STATIC: [(Compiler, &str); 4] = [
    (Compiler::Gcc, "-O2"),
    (Compiler::Clang, "-O2"),
    (Compiler::MuslGcc, "-O2"),
    (Compiler::MuslGcc, "-static"),
];

#[test]
fn linked_reporter_waits_to_be_turned_on() {
    let scratch = Scratch::new("link");
    for (compiler, flag) in STATIC {
        let compile = Compile::new(compiler).flags([flag, "-DLIFEBOAT_LINK"]);
        let sources =
            ["host.c", "other_source.c", "reporter.c"].map(|name| repository("tests/fixtures").join(name));
        let node =
            sources.iter().fold(compile, |compile, path| compile.source(path)).build(scratch.join("node"));
        let run = |variable: (&str, &str)| Run::new(&node).env(variable.0, variable.1).finish().output();
        for on in ["on", "ON", "1", "yes", "True"] {
            let said = run(("LIFEBOAT", on));
            assert!(said.contains("status 0 errno 42 ok\nis_on 1 1\ntag role=store\n"), "{on}: {said}");
        }
        let words = ["off", "", "of", "onn", "o", "0"].map(|word| ("LIFEBOAT", word));
        for off in words.into_iter().chain([("UNRELATED", "on"), ("LIFEBOAT_REPORTER", "/x")]) {
            let said = run(off);
            assert!(
                said.contains("status 2 errno 42 ") && said.contains("is_on 0 0\ntag 4\n"),
                "{off:?}: {said}"
            );
            assert!(!said.contains("start app") && said.ends_with("ran on\n"), "{off:?}: {said}");
        }
    }
}

#[test]
fn option_turns_the_linked_reporter_on() {
    let scratch = Scratch::new("option");
    let source = scratch.write(
        "node.c",
        "#include <lifeboat.h>\nint main(void) {\
         return (int)lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .flags = LIFEBOAT_OPTION_ON}); }\n",
    );
    let compile = Compile::new(Compiler::Gcc).flag("-DLIFEBOAT_LINK").source(source);
    let node = compile.source(repository("tests/fixtures/reporter.c")).build(scratch.join("node"));
    assert_eq!(Run::new(&node).finish().shell_status(), 0);
    for word in ["off", "OFF", "No", "of"] {
        assert_eq!(Run::new(&node).env("LIFEBOAT", word).finish().shell_status(), 2, "{word}");
    }
}

#[test]
fn library_and_program_share_the_reporter() {
    let scratch = Scratch::trusted("parts");
    let reporter = Compile::new(Compiler::Gcc).flags(["-shared", "-fPIC"]);
    let reporter =
        reporter.source(repository("tests/fixtures/reporter.c")).build(scratch.join("reporter.so"));
    let part = scratch.write(
        "part.c",
        "#include <lifeboat.h>\nint part(void);\nint part(void) {\
         int before = lifeboat_is_on(), status = (int)lifeboat_start(0);\
         return before * 100 + status * 10 + lifeboat_is_on(); }\n",
    );
    let main = scratch.write(
        "main.c",
        "#include <lifeboat.h>\nint part(void);\nint main(void) {\
         return lifeboat_start(0) == LIFEBOAT_OK && lifeboat_is_on() ? part() : 1; }\n",
    );
    for compiler in [Compiler::Gcc, Compiler::Clang] {
        let load = Compile::new(compiler).flags(["-O2", "-fPIC", "-DLIFEBOAT_LOAD"]);
        let library = load.clone().flag("-shared").source(&part).build(scratch.join("libpart.so"));
        let program = load.source(&main).flag(library).build(scratch.join("main"));
        let outcome = Run::new(program).env("LIFEBOAT_REPORTER", &reporter).finish();
        // Not on before its own start (its table is hidden from the program's), then told that it is started.
        assert_eq!(outcome.shell_status(), 31, "{}{}", outcome.stdout, outcome.stderr);
    }
}
