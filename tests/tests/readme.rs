//! What the README and the guide say is so.
//!
//! 1. Write the README's C program and its fleet into an empty folder, with `dist/` beside it.
//! 2. Run every command of its `sh` blocks that is no script, in order, and look at status and output.
//! 3. The guide's table of answers is the one of the contract.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lifeboat_abi::Status;
use lifeboat_tests::{Compile, Compiler, Outcome, Run, Scratch, repository};

/// How long a report may take to be on disk: a bound for a test that hangs, no promise.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// The README's commands in their order, the status that each ends with, and a text that its output holds.
const README_COMMANDS: &[(&str, i32, &str)] = &[
    ("gcc -O2 -g -DLIFEBOAT_LOAD -Idist/include node.c -o node -ldl", 0, ""),
    ("LIFEBOAT_REPORTER=$PWD/dist/lib/liblifeboat_reporter.so ./node die", 1, ""),
    ("dist/bin/lifeboat reports", 0, "ConfigError"),
    ("gcc -O2 -g -DLIFEBOAT_LINK -Idist/include node.c dist/lib/liblifeboat_reporter.a -o node", 0, ""),
    ("LIFEBOAT=on LIFEBOAT_MONITOR=$PWD/dist/bin/lifeboat-monitor ./node die", 1, ""),
    ("dist/bin/lifeboat reports", 0, "ConfigError"),
    ("gcc -O2 -Idist/include node.c -o node", 0, ""),
    ("dist/bin/lifeboat audit node", 0, "node"),
    ("dist/bin/lifeboat run -- ./node die", 1, ""),
    ("dist/bin/lifeboat reports", 0, "exited with status 1"),
    ("LIFEBOAT_METRICS=127.0.0.1:9464 dist/bin/lifeboat run -- sleep 3 &", 0, ""),
    (
        "curl -s --retry 9 --retry-delay 1 --retry-connrefused http://127.0.0.1:9464/metrics",
        0,
        "lifeboat_node_up 1",
    ),
    ("dist/bin/lifeboat fleet check fleet.toml", 0, "logos.test"),
    ("dist/bin/lifeboat fleet render fleet.toml --out rendered", 0, "written"),
];

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let scratch = Scratch::trusted("readme");
    scratch.write("node.c", blocks(&readme, "c").join("\n"));
    scratch.write("fleet.toml", blocks(&readme, "toml").join("\n"));
    let copied = Run::new("cp").arg("-r").arg(dist()).arg(scratch.join("dist")).finish();
    assert!(copied.succeeded(), "dist/ could not be copied: {}", copied.stderr);

    let commands: Vec<String> = blocks(&readme, "sh").iter().flat_map(|block| commands(block)).collect();
    let table: Vec<&str> = README_COMMANDS.iter().map(|(command, ..)| *command).collect();
    assert_eq!(commands, table, "README.md and this test differ");

    // Each way of wiring has a state directory of its own, so that its own report is found.
    let mut ways = 0;
    for (command, status, says) in README_COMMANDS {
        ways += usize::from(command.starts_with("gcc"));
        check(&scratch, command, &scratch.join(format!("state-{ways}")), *status, says);
    }
}

/// The Rust block is compiled by the crate's own documentation tests.
#[test]
fn the_programs_of_the_readme_compile() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let scratch = Scratch::new("readme-programs");
    for flag in ["-DLIFEBOAT_LOAD", "-UNOTHING"] {
        let compile = Compile::new(Compiler::Gxx).flags(["-O2", "-Wall", "-Wextra", "-Werror", flag]);
        let source = scratch.write("node.cpp", blocks(&readme, "cpp").join("\n"));
        let program = compile.source(source).build(scratch.join("node-cpp"));
        assert!(Run::new(program).finish().succeeded());
    }
    scratch.write("node.nim", blocks(&readme, "nim").join("\n"));
    let nim = std::env::var_os("LIFEBOAT_TEST_NIM").unwrap_or("nim".into());
    for flag in ["-d:sentry", "-d:nothing"] {
        let run = Run::new(&nim).args(["c", "--hints:off", "--nimcache:cache", "-r", flag]);
        let outcome = run
            .arg(format!("--path:{}", repository("nim-bindings").display()))
            .arg("node.nim")
            .inherit_environment()
            .folder(scratch.path())
            .finish();
        assert!(outcome.succeeded(), "{outcome:?}");
    }
}

/// A report appears a moment after the death: a command that should speak of it is asked again.
fn check(scratch: &Scratch, command: &str, state_dir: &PathBuf, status: i32, says: &str) {
    let begin = Instant::now();
    loop {
        let run = Run::new("bash").args(["-c", command]).folder(scratch.path());
        let outcome: Outcome = run.env("LIFEBOAT_STATE_DIR", state_dir).finish();
        if outcome.shell_status() == status && outcome.stdout.contains(says) {
            return;
        }
        let Outcome { stdout, stderr, .. } = &outcome;
        let left = outcome.shell_status();
        assert!(
            !says.is_empty() && begin.elapsed() < REPORT_TIMEOUT,
            "`{command}` ended with {left}, not with {status} and \"{says}\":\n{stdout}\n{stderr}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

fn dist() -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    assert!(dist.join("lib").is_dir(), "{} is not there: run scripts/build", dist.display());
    dist
}

/// The insides of the blocks of one language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let insides = markdown.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    insides.map(str::to_owned).collect()
}

fn commands(block: &str) -> Vec<String> {
    let lines = block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with("scripts/")).map(str::to_owned).collect()
}

#[test]
fn the_guide_lists_every_answer() {
    let guide = fs::read_to_string(repository("docs/guide.md")).unwrap();
    let rows: Vec<&str> =
        guide.lines().filter(|line| line.contains("| `LIFEBOAT_") && line.starts_with("| ")).collect();
    for status in Status::ALL {
        let number = format!("| {} | `LIFEBOAT_", *status as i32);
        let sentence = format!("| {} |", status.text().to_str().unwrap());
        let listed = rows.iter().any(|row| row.starts_with(&number) && row.ends_with(&sentence));
        assert!(listed, "docs/guide.md lacks the row of {status:?}: {number}… {sentence}");
    }
    let numbered = rows.iter().filter(|row| row.as_bytes().get(2).is_some_and(u8::is_ascii_digit)).count();
    assert_eq!(numbered, Status::ALL.len(), "docs/guide.md lists an answer that there is not");
}

#[test]
fn the_guide_lists_every_variable() {
    let guide = fs::read_to_string(repository("docs/guide.md")).unwrap();
    let doctor = fs::read_to_string(repository("crates/cli/src/doctor/settings.rs")).unwrap();
    let mut read = std::collections::BTreeSet::new();
    for folder in ["crates/core/src", "crates/monitor/src"] {
        variables_below(&repository(folder), &mut read);
    }
    assert!(read.contains("LIFEBOAT_METRICS") && read.contains("LIFEBOAT_SERIES_MAX"), "{read:?}");
    // Of the build, and from one role of the monitor to another.
    for internal in ["LIFEBOAT_BUILD_COMMIT", "LIFEBOAT_POST_DSN"] {
        read.remove(internal);
    }
    let is_row = |name: &str| guide.contains(&format!("\n| `{name}` | "));
    let missing: Vec<&String> = read.iter().filter(|name| !is_row(name)).collect();
    assert!(missing.is_empty(), "not in the guide's table: {missing:?}");
    let unknown: Vec<&String> = read.iter().filter(|name| !doctor.contains(&format!("\"{name}\""))).collect();
    assert!(unknown.is_empty(), "`lifeboat doctor` calls them unknown: {unknown:?}");
}

/// Texts in code that are a variable's name and nothing else.
fn variables_below(folder: &PathBuf, found: &mut std::collections::BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            variables_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let named = text.split('"').filter(|text| text.starts_with("LIFEBOAT_"));
            let is_name = |text: &&str| {
                !text.ends_with('_') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            };
            found.extend(named.filter(is_name).map(str::to_owned));
        }
    }
}
