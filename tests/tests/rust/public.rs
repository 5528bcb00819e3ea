//! A Rust node's public build holds nothing of Lifeboat.
//!
//! 1. Compile the example node as it is, against the crate without a feature; and with its lines of Lifeboat left blank.
//! 2. Stripped by the linker, as `strip = true` asks for, both are the same bytes.
//! 3. No symbol, text or library of it knows the name; a build that has Lifeboat does.
//! 4. Off at run time it makes the system calls of the public build.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::{Run, Scratch, repository};

use crate::bench::build;

const EXAMPLE: &str = "examples/rust-node/Cargo.toml";

#[test]
fn same_bytes_as_with_the_lines_left_blank() {
    let scratch = Scratch::new("rust-public");
    let crate_file = rustc(
        &scratch,
        &repository("crates/lifeboat/src/lib.rs"),
        "liblifeboat.rlib",
        &["--crate-type=rlib", "--crate-name=lifeboat", "-O"],
    );
    let source = fs::read_to_string(repository("examples/rust-node/src/main.rs")).unwrap();
    let handles: Vec<&str> = source.lines().filter_map(declared).collect();
    let is_ours = |line: &str| is_call(line) || declared(line).is_some() || is_use(line, &handles);
    let blank: Vec<&str> = source.lines().map(|line| if is_ours(line) { "" } else { line }).collect();
    assert!(source.lines().filter(|line| is_call(line)).count() > 8, "the example has calls of each kind");
    assert!(source.lines().filter(|line| is_use(line, &handles)).count() > 3, "and of each metric");
    for level in ["1", "2", "3", "s"] {
        let compile = |text: &str, name: &str| {
            // One path for both sources: its name is in the program, too.
            let main = scratch.write("main.rs", text);
            let given = format!("--extern=lifeboat={}", crate_file.display());
            let level = format!("-Copt-level={level}");
            let flags = ["--crate-name=rust_node", "-Cmetadata=x", "-Cstrip=symbols", &level, &given];
            fs::read(rustc(&scratch, &main, name, &flags)).unwrap()
        };
        let (with, without) = (compile(&source, "with"), compile(&blank.join("\n"), "without"));
        assert!(!holds(&with, "lifeboat") && !holds(&with, "sentry"), "-O{level}");
        assert!(with == without, "-O{level}: see {}", scratch.path().display());
    }
}

#[test]
fn the_public_build_does_not_know_the_name() {
    let public = build(EXAMPLE, "rust-node", &["--release"]);
    let fleet = build(EXAMPLE, "rust-node", &["--release", "--features", "load"]);
    let symbols =
        |program: &Path| Run::new("nm").arg("--demangle").arg(program).finish().output().to_lowercase();
    assert!(!symbols(&public).contains("lifeboat"), "{}", symbols(&public));
    assert!(!without_paths(&public, "lifeboat"));
    assert!(symbols(&fleet).contains("lifeboat") && without_paths(&fleet, "lifeboat"));
    let needed = |program: &Path| {
        let dynamic = Run::new("readelf").args(["-d", "-W"]).arg(program).finish().output();
        dynamic.lines().filter(|line| line.contains("NEEDED")).map(str::to_owned).collect::<Vec<_>>()
    };
    let names: Vec<String> = needed(&public);
    assert!(
        names.iter().all(|line| ["libc.so", "libgcc_s", "ld-linux"].iter().any(|own| line.contains(own))),
        "{names:?}"
    );
}

#[test]
fn off_makes_no_system_call_of_ours() {
    let scratch = Scratch::new("rust-off");
    let public = build(EXAMPLE, "rust-node", &["--release"]);
    let calls = |program: &Path, environment: &[(&str, &str)]| {
        let log = scratch.join("strace.log");
        let settings = environment.iter().map(|(key, value)| format!("-E{key}={value}"));
        // It ends before its first thread: no clock makes the list another each time.
        let run = Run::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(settings).arg(program);
        let _ = run.args(["--listen", "nowhere", "--every-ms", "0"]).finish();
        opened_and_started(&fs::read_to_string(&log).unwrap())
    };
    let expected = calls(&public, &[]);
    assert!(expected.iter().any(|call| call.starts_with("execve")), "strace shows nothing: {expected:?}");
    for features in ["load", "link"] {
        let fleet = build(EXAMPLE, "rust-node", &["--release", "--features", features]);
        assert_eq!(calls(&fleet, &[]), expected, "{features}");
        assert_eq!(
            calls(&fleet, &[("LIFEBOAT", "off"), ("LIFEBOAT_REPORTER", "/x")]),
            expected,
            "{features}"
        );
        // Turned on it makes more: the comparison would see one.
        let on = calls(&fleet, &[("LIFEBOAT", "on"), ("LIFEBOAT_REPORTER", "/dev/null")]);
        assert_ne!(on, expected, "{features}");
    }
}

/// The calls that open, start, signal or map; how much memory a program of another size asks for differs.
fn opened_and_started(log: &str) -> Vec<String> {
    let calls = log.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim().to_owned());
    let kinds = [
        "execve",
        "open",
        "clone",
        "socket",
        "rt_sigaction",
        "prctl",
        "memfd",
        "sigaltstack",
        "readlink",
        "exit",
    ];
    let wanted = calls.filter(|call| kinds.iter().any(|kind| call.starts_with(kind)));
    // Addresses and the program's own path differ.
    wanted
        .map(|call| {
            call.split(['(', ','])
                .take(3)
                .filter(|part| !part.contains("0x") && !part.contains("kept"))
                .collect()
        })
        .collect()
}

fn is_call(line: &str) -> bool {
    let code = line.trim_start();
    code.starts_with("lifeboat::") || code.starts_with("use lifeboat::")
}

/// The name of a metric that the line declares.
fn declared(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("static ")?.split_once(": ")?;
    ["Counter = ", "Gauge = ", "Histogram = "].iter().any(|kind| rest.starts_with(kind)).then_some(name)
}

fn is_use(line: &str, handles: &[&str]) -> bool {
    let code = line.trim_start().trim_start_matches("let _timer = ");
    code.split_once('.').is_some_and(|(name, _)| handles.contains(&name))
}

fn rustc(scratch: &Scratch, source: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let output = scratch.join(name);
    let run =
        Run::new("rustc").inherit_environment().args(["--edition=2024", "--cap-lints=allow"]).args(flags);
    // The folder's name is in the program, too.
    let run = run.arg(format!("--remap-path-prefix={}=.", scratch.path().display()));
    let run = run.env("CARGO_PKG_NAME", "rust-node").env("CARGO_PKG_VERSION", "1.4.2");
    let outcome = run.arg("-o").arg(&output).arg(source).finish();
    assert!(outcome.succeeded(), "{}", outcome.stderr);
    output
}

/// Whether the program's texts hold the word other than in the path of a source: a checkout may be called so.
fn without_paths(program: &Path, word: &str) -> bool {
    let texts = Run::new("strings").arg(program).finish().output().to_lowercase();
    let root = repository("").to_string_lossy().to_lowercase();
    texts.replace(&root, "").contains(word)
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.to_ascii_lowercase().windows(word.len()).any(|window| window == word.as_bytes())
}
