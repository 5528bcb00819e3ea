//! The C headers say what the crates say and compile wherever users compile them.
//!
//! 1. Generate `lifeboat_abi.h` from `crates/abi` and compare it with the committed one.
//! 2. Compile `lifeboat.h` in its three modes with each compiler and standard, all warnings on.
//! 3. Let a C program print sizes, offsets, status numbers and texts, and compare them with Rust's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::mem::offset_of;

use lifeboat_abi::{Frame, Metric, MetricLabel, Options, Status, Str, Table};
use lifeboat_tests::{Compile, Compiler, Run, Scratch};

mod generate {
    //! `lifeboat_abi.h` as it should be.
    use lifeboat_abi::Status;
    use lifeboat_tests::repository;

    /// Rustdoc's links, and what a reader of C calls the thing.
    const WORDS: &[(&str, &str)] = &[
        ("LIFEBOAT_STATUS_", "LIFEBOAT_"),
        ("LIFEBOAT_LIFEBOAT_", "LIFEBOAT_"),
        ("[`option_flags`]", "LIFEBOAT_OPTION_ON"),
        ("[`Options::flags`]", "lifeboat_options.flags"),
        ("[`MetricKind`]", "lifeboat_metric_kind"),
        ("[`Level`]", "lifeboat_level"),
        ("[`crate::Status`]", "lifeboat_status"),
        ("[`ABI_VERSION`]", "LIFEBOAT_ABI_VERSION"),
        ("`u32::MAX`", "UINT32_MAX"),
        ("`Str`", "lifeboat_str"),
    ];

    pub(crate) fn header() -> String {
        let config = cbindgen::Config::from_file(repository("ffi/cbindgen.toml")).unwrap();
        let mut builder = cbindgen::Builder::new().with_config(config);
        for source in ["table.rs", "options.rs", "metric.rs", "status.rs"] {
            builder = builder.with_src(repository("crates/abi/src").join(source));
        }
        let mut bytes = Vec::new();
        builder.generate().unwrap().write(&mut bytes);
        let mut text = String::from_utf8(bytes).unwrap();
        for (rust, c) in WORDS {
            text = text.replace(rust, c);
        }
        // cbindgen's own trailer would stand outside the guard.
        let guard = "#endif  /* LIFEBOAT_ABI_H */\n";
        text.replace(guard, &format!("{}\n{guard}", trailer()))
    }

    fn trailer() -> String {
        let mut text = String::from(
            "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n\
             /**\n * The one symbol of the reporter: its table, valid for the life of the process, or null where it refuses\n\
             \x20* the host's version. `host_size` is the host's `sizeof(lifeboat_table)`. Any thread; not from a signal handler.\n */\n\
             const lifeboat_table *lifeboat_api_v1(uint32_t host_abi, uint32_t host_size);\n\n\
             #ifdef __cplusplus\n}\n#endif\n\n\
             /** Every status with its sentence, for a macro of two arguments. */\n\
             #define LIFEBOAT_STATUSES(X)",
        );
        for status in Status::ALL {
            let sentence = status.text().to_str().unwrap();
            text.push_str(&format!(" \\\n    X({}, \"{sentence}\")", super::c_name(*status)));
        }
        text.push('\n');
        text
    }
}

const WARNINGS: [&str; 7] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wundef", "-Wunused", "-DLIFEBOAT_WARNINGS_"];

/// `LIFEBOAT_REPORTER_MISSING` for `ReporterMissing`.
fn c_name(status: Status) -> String {
    let mut name = String::from("LIFEBOAT");
    for letter in format!("{status:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[test]
fn committed_header_is_generated() {
    let path = lifeboat_tests::repository("include/lifeboat_abi.h");
    let generated = generate::header();
    if std::env::var_os("LIFEBOAT_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != generated {
        let line = committed.lines().zip(generated.lines()).take_while(|(old, new)| old == new).count();
        panic!(
            "include/lifeboat_abi.h differs from crates/abi from line {} on: run scripts/header and commit it",
            line + 1
        );
    }
}

#[test]
fn compiles_everywhere_in_every_mode() {
    let scratch = Scratch::new("header");
    let source = scratch.write(
        "user.c",
        "#include <lifeboat.h>\n#include <lifeboat.h>\nint user(void);\n\
         int user(void) { return (int)lifeboat_start(0) + lifeboat_is_on(); }\n",
    );
    let abi = scratch.write("abi.c", "#include <lifeboat_abi.h>\nextern const lifeboat_table *table;\n");
    for compiler in Compiler::C.into_iter().chain(Compiler::CXX) {
        let standards = match compiler.is_cxx() {
            true => ["-std=c++11", "-std=c++17", "-std=gnu++20", "-std=gnu++17"],
            false => ["-std=c99", "-std=c11", "-std=gnu17", "-std=gnu99"],
        };
        for standard in standards {
            let compile = Compile::new(compiler).flags(WARNINGS).flags([standard, "-O1", "-c"]);
            compile.clone().source(&abi).build(scratch.join("abi.o"));
            for mode in ["-DPUBLIC", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"] {
                compile.clone().flag(mode).source(&source).build(scratch.join("user.o"));
            }
        }
    }
}

#[test]
fn cxx_header_compiles_with_less_of_the_language() {
    let scratch = Scratch::new("cxx");
    let source = scratch.write(
        "user.cpp",
        "#include <lifeboat.hpp>\n#include <lifeboat.hpp>\nlifeboat::session begin();\n\
         lifeboat::session begin() { return lifeboat_session(LIFEBOAT_OPTIONS.app(\"user\")); }\n",
    );
    for compiler in Compiler::CXX {
        for standard in ["-std=c++11", "-std=c++14", "-std=c++17", "-std=gnu++20"] {
            for without in ["-DALL", "-fno-exceptions", "-fno-rtti"] {
                let compile = Compile::new(compiler).flags(WARNINGS).flags([standard, "-O1", "-c", without]);
                for mode in ["-DPUBLIC", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"] {
                    compile.clone().flag(mode).source(&source).build(scratch.join("user.o"));
                }
            }
        }
    }
}

/// C++20 finds fault with `+=` on what is volatile.
#[test]
fn metrics_are_silent_in_cxx_20() {
    let scratch = Scratch::new("cxx20");
    let source = scratch.write(
        "user.cpp",
        "#include <lifeboat.h>\nextern lifeboat_gauge gauge;\nextern lifeboat_histogram histogram;\nvoid use();\n\
         void use() { lifeboat_gauge_add(&gauge, 1); lifeboat_histogram_observe(&histogram, 1); }\n",
    );
    for compiler in Compiler::CXX {
        for mode in ["-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"] {
            let flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-c", mode];
            Compile::new(compiler).flags(flags).source(&source).build(scratch.join("user.o"));
        }
    }
}

#[test]
fn both_modes_are_refused() {
    let scratch = Scratch::new("both");
    let source = scratch.write("user.c", "#include <lifeboat.h>\n");
    let compile = Compile::new(Compiler::Gcc).flags(["-c", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"]);
    let outcome = compile.source(source).try_build(scratch.join("user.o"));
    assert!(!outcome.succeeded() && outcome.stderr.contains("define one, or none"), "{}", outcome.stderr);
}

/// A project's own warnings must not find fault with our headers.
#[test]
fn silent_under_strict_warnings() {
    let scratch = Scratch::new("strict");
    let source = scratch.write("user.c", "#include <lifeboat.h>\nextern int user;\n");
    let strict = ["-Wmissing-declarations", "-Wconversion", "-Wcast-qual", "-Wredundant-decls", "-Wextra"];
    for compiler in Compiler::C.into_iter().chain(Compiler::CXX) {
        for mode in ["-DPUBLIC", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_LINK"] {
            let compile = Compile::new(compiler).flags(strict).flags(["-c", mode]);
            compile.source(&source).build(scratch.join("user.o"));
        }
    }
}

#[test]
fn numbers_and_texts_are_equal() {
    let scratch = Scratch::new("equal");
    let source = scratch.write("print.c", print_program());
    for compiler in [Compiler::Gcc, Compiler::Clang, Compiler::MuslGcc, Compiler::Gxx, Compiler::Clangxx] {
        let compile = Compile::new(compiler).flags(["-Wall", "-DLIFEBOAT_LOAD"]).source(&source);
        let said = Run::new(compile.build(scratch.join("print"))).finish().output();
        let said: Vec<_> = said.lines().map(str::to_owned).collect();
        assert_eq!(said, expected_lines(), "{compiler:?}");
    }
}

/// A type's size and the offsets of its members, by their names in C.
macro_rules! layout {
    ($c:literal, $rust:ty, $($member:ident),+) => {
        ($c, size_of::<$rust>(), vec![$((stringify!($member), offset_of!($rust, $member))),+])
    };
}

type Layout = (&'static str, usize, Vec<(&'static str, usize)>);

fn layouts() -> Vec<Layout> {
    vec![
        layout!("lifeboat_str", Str, data, length),
        layout!("lifeboat_frame", Frame, function, file, line, column, address),
        layout!("lifeboat_metric_label", MetricLabel, name, value),
        layout!(
            "lifeboat_metric",
            Metric,
            struct_size,
            kind,
            slot,
            labels_count,
            labels,
            module,
            name,
            help,
            unit,
            bounds,
            bounds_count,
            reserved
        ),
        layout!(
            "lifeboat_options",
            Options,
            struct_size,
            flags,
            app,
            version,
            commit,
            environment,
            fleet,
            node,
            tags,
            dsn,
            state_dir,
            reporter,
            monitor,
            capture_timeout_ms,
            series_max,
            environ
        ),
        table_layout(),
    ]
}

fn table_layout() -> Layout {
    layout!(
        "lifeboat_table",
        Table,
        struct_size,
        abi_version,
        start,
        stop,
        is_on,
        thread_attach,
        rearm,
        tag,
        context,
        breadcrumb,
        error,
        fatal,
        check,
        metric_resolve,
        metric_row,
        counter_add,
        gauge_set,
        gauge_add,
        histogram_observe,
        health,
        heartbeat,
        metrics_text,
        status_text,
        uncaught,
        metric_shared,
        info_set
    )
}

fn print_program() -> String {
    let mut text = String::from("#include <lifeboat.h>\n#include <stdio.h>\nint main(void) {\n");
    for status in Status::ALL {
        let name = c_name(*status);
        text.push_str(&format!("printf(\"{name} %d %s\\n\", (int){name}, lifeboat_status_text({name}));\n"));
    }
    for (name, _, members) in layouts() {
        text.push_str(&format!("printf(\"{name} %d\\n\", (int)sizeof({name}));\n"));
        for (member, _) in members {
            text.push_str(&format!("printf(\"{name}.{member} %d\\n\", (int)offsetof({name}, {member}));\n"));
        }
    }
    text + "return 0; }\n"
}

fn expected_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for status in Status::ALL {
        lines.push(format!("{} {} {}", c_name(*status), *status as i32, status.text().to_str().unwrap()));
    }
    for (name, size, members) in layouts() {
        lines.push(format!("{name} {size}"));
        lines.extend(members.iter().map(|(member, offset)| format!("{name}.{member} {offset}")));
    }
    lines
}
