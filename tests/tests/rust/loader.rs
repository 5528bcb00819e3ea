//! The Rust loader judges as the C loader does.
//!
//! 1. Start a node with a good reporter, and with bad ones: each answer is the one for that fault.
//! 2. The node runs on, and its calls say that nothing is started.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use lifeboat_abi::Status;
use lifeboat_tests::{Compile, Compiler, Run, repository};

use crate::bench::{Bench, build};

/// Somebody who is neither root nor the user of these tests.
const STRANGER: u32 = 65_533;

fn node() -> PathBuf {
    build("tests/fixtures/rust/Cargo.toml", "deaths", &["--release", "--features", "load"])
}

/// What the node says with this reporter.
fn said(bench: &Bench, reporter: &Path) -> String {
    let run = bench.on(&node(), &bench.state_dir()).arg("start");
    run.env("LIFEBOAT_REPORTER", reporter).finish().output()
}

fn check(bench: &Bench, reporter: &Path, expected: Status, group: &str) {
    let said = said(bench, reporter);
    let number = expected as i32;
    let text = format!("status {number} tag 4\n{group}\nagain {number} on false\n");
    // A stand-in for the reporter says more, at its end.
    assert!(said.starts_with(&text), "{}: {said:?}, not {text:?}", reporter.display());
}

const OFF: &str = "off true missing false refused false";
const MISSING: &str = "off false missing true refused false";
const REFUSED: &str = "off false missing false refused true";

#[test]
fn good_reporter_starts_once() {
    let bench = Bench::new();
    let expected = "status 0 tag 0\nagain 3 on true\n";
    assert_eq!(said(&bench, &bench.reporter()), expected);
    let link = bench.scratch.join("link.so");
    symlink(bench.reporter(), &link).unwrap();
    // The monitor is found from where the file really is.
    let run = Run::new(node()).arg("start").env("LIFEBOAT_REPORTER", link);
    assert_eq!(run.env("LIFEBOAT_STATE_DIR", bench.state_dir()).finish().output(), expected);
    bench.settle();
}

#[test]
fn bad_paths_and_contents() {
    let bench = Bench::new();
    let bytes = fs::read(bench.reporter()).unwrap();
    let patched = |name: &str, offset: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[offset] = value;
        bench.scratch.write(name, bytes)
    };
    check(&bench, Path::new(""), Status::Off, OFF);
    check(&bench, Path::new("reporter.so"), Status::ReporterNotAbsolute, REFUSED);
    check(&bench, &bench.scratch.join("missing.so"), Status::ReporterMissing, MISSING);
    check(&bench, &bench.reporter().join("below"), Status::ReporterMissing, MISSING);
    check(&bench, bench.scratch.path(), Status::ReporterNotALibrary, REFUSED);
    check(&bench, &bench.scratch.write("text.so", "no library"), Status::ReporterNotALibrary, REFUSED);
    check(&bench, &patched("32-bit.so", 4, 1), Status::ReporterForeign, REFUSED);
    check(&bench, &patched("aarch64.so", 18, 183), Status::ReporterForeign, REFUSED);
    check(&bench, &patched("relocatable.so", 16, 1), Status::ReporterNotALibrary, REFUSED);
    for length in [20, 63, 200, bytes.len() / 2, bytes.len() - 1] {
        let cut = bench.scratch.write("cut.so", &bytes[..length]);
        check(&bench, &cut, Status::ReporterTruncated, REFUSED);
    }
    let stand_in = |name: &str, flag: &str| {
        let compile = Compile::new(Compiler::Gcc).flags(["-shared", "-fPIC", flag]);
        compile.source(repository("tests/fixtures/reporter.c")).build(bench.scratch.join(name))
    };
    check(&bench, &stand_in("foreign.so", "-DFOREIGN"), Status::ReporterForeign, REFUSED);
    check(&bench, &stand_in("refuses.so", "-DREFUSES"), Status::ReporterOtherVersion, REFUSED);
    check(&bench, &stand_in("needs.so", "-DNEEDS"), Status::ReporterLoadFailed, REFUSED);
    // An older reporter has fewer entries: what it does not know is not supported.
    assert!(said(&bench, &stand_in("old.so", "-DOLD")).contains("status 0 tag 5\n"));
}

#[test]
fn unsafe_places() {
    let bench = Bench::new();
    let place = |folder: &str, folder_mode: u32, file_mode: u32| {
        let folder = bench.scratch.join(folder);
        fs::create_dir(&folder).unwrap();
        let file = folder.join("reporter.so");
        fs::copy(bench.reporter(), &file).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(folder_mode)).unwrap();
        file
    };
    for (index, (folder, file)) in
        [(0o755, 0o646), (0o755, 0o664), (0o757, 0o644), (0o775, 0o644)].iter().enumerate()
    {
        let file = place(&format!("unsafe-{index}"), *folder, *file);
        check(&bench, &file, Status::ReporterUnsafe, REFUSED);
    }
    let sticky = place("sticky", 0o1777, 0o644);
    assert!(said(&bench, &sticky).starts_with("status 0 "));
    // A good file, but the link to it, or the way to it, stands where anybody may change it.
    let link = bench.scratch.join("unsafe-2/link.so");
    symlink(bench.reporter(), &link).unwrap();
    check(&bench, &link, Status::ReporterUnsafe, REFUSED);
    check(
        &bench,
        &bench.scratch.join("unsafe-2/../lib/liblifeboat_reporter.so"),
        Status::ReporterUnsafe,
        REFUSED,
    );
    if rustix::process::geteuid().is_root() {
        chown(&sticky, Some(STRANGER), None).unwrap();
        check(&bench, &sticky, Status::ReporterUnsafe, REFUSED);
    }
    bench.settle();
}

#[test]
fn privileged_programs_load_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can make a set-uid program; run the tests as root, too");
        return;
    }
    let bench = Bench::new();
    fs::set_permissions(bench.scratch.path(), Permissions::from_mode(0o755)).unwrap();
    let program = bench.scratch.join("node");
    assert!(Run::new("cp").arg(node()).arg(&program).finish().succeeded());
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let run = Run::new(&program).arg("start").env("LIFEBOAT_REPORTER", bench.reporter()).folder("/");
    let said = run.user(STRANGER, STRANGER).finish().output();
    assert!(said.starts_with(&format!("status {} tag 4\n{REFUSED}\n", Status::Privileged as i32)), "{said}");
}
