//! The loader takes a good reporter and says what is wrong with any other, and the node runs on.
//!
//! 1. Build a node in load mode, and stand-ins for the reporter: a good one and each kind of bad one.
//! 2. Run the node with each: the status that it prints is the one for that fault, and its last line is there.
//! 3. Off: the node makes the same system calls as one that has no call of Lifeboat in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use lifeboat_abi::Status;
use lifeboat_tests::{Compile, Compiler, Run, Scratch, repository};

/// Somebody who is neither root nor the user of these tests.
const STRANGER: u32 = 65_533;

#[test]
fn good_reporter_works_in_each_libc() {
    for compiler in Compiler::C {
        let bench = Bench::new(compiler);
        let reporter = bench.reporter("good.so", &[]);
        let said = bench.run(&reporter);
        check(&said, Status::Ok);
        let start =
            format!("start app=demo version=1.4.2 commit=- environ=1 reporter={}", reporter.display());
        for line in [start.as_str(), "is_on 1 1", "tag role=store", "null 0", "tag =", "attach 5", "stop 0"] {
            assert!(said.lines().any(|said| said == line), "{compiler:?}: no {line:?} in\n{said}");
        }
        for line in ["counter gossip_messages 3", "metrics 0", "text from the reporter", "heartbeat 5"] {
            assert!(said.lines().any(|said| said == line), "{compiler:?}: no {line:?} in\n{said}");
        }
    }
}

#[test]
fn bad_paths() {
    let bench = Bench::new(Compiler::Gcc);
    let good = bench.reporter("good.so", &[]);
    let text = bench.scratch.write("text.so", "not a library at all");
    check(&bench.run(Path::new("good.so")), Status::ReporterNotAbsolute);
    check(&bench.run(Path::new("./good.so")), Status::ReporterNotAbsolute);
    check(&bench.run(&bench.scratch.join("missing.so")), Status::ReporterMissing);
    check(&bench.run(&good.join("below-a-file.so")), Status::ReporterMissing);
    check(&bench.run(bench.scratch.path()), Status::ReporterNotALibrary);
    check(&bench.run(&text), Status::ReporterNotALibrary);
    check(&bench.run(&bench.scratch.write("empty.so", "")), Status::ReporterNotALibrary);
    let pipe = bench.scratch.join("pipe.so");
    assert!(Run::new("mkfifo").arg(&pipe).finish().succeeded());
    check(&bench.run(&pipe), Status::ReporterNotALibrary);
}

#[test]
fn bad_content() {
    let bench = Bench::new(Compiler::Gcc);
    let bytes = fs::read(bench.reporter("good.so", &[])).unwrap();
    let patched = |name: &str, offset: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[offset] = value;
        bench.scratch.write(name, bytes)
    };
    // Offsets in the ELF header: class, data, type, machine; the address of the section headers' last byte.
    check(&bench.run(&patched("32-bit.so", 4, 1)), Status::ReporterForeign);
    check(&bench.run(&patched("big-endian.so", 5, 2)), Status::ReporterForeign);
    check(&bench.run(&patched("aarch64.so", 18, 183)), Status::ReporterForeign);
    check(&bench.run(&patched("relocatable.so", 16, 1)), Status::ReporterNotALibrary);
    check(&bench.run(&patched("far-sections.so", 47, 0x7f)), Status::ReporterTruncated);
    for length in [4, 20, 63, 64, 200, bytes.len() / 4, bytes.len() / 2, bytes.len() - 1] {
        let cut = bench.scratch.write("cut.so", &bytes[..length]);
        check(&bench.run(&cut), Status::ReporterTruncated);
    }
    // Without section headers, as sstrip leaves a library, its segments alone say how long it is.
    let mut bare = bytes.clone();
    bare[40..48].fill(0);
    bare[60..62].fill(0);
    check(&bench.run(&bench.scratch.write("bare.so", &bare)), Status::Ok);
    check(
        &bench.run(&bench.scratch.write("bare-cut.so", &bare[..bytes.len() / 4])),
        Status::ReporterTruncated,
    );
    check(&bench.run(&bench.reporter("foreign.so", &["-DFOREIGN"])), Status::ReporterForeign);
    check(&bench.run(&bench.reporter("refuses.so", &["-DREFUSES"])), Status::ReporterOtherVersion);
    check(&bench.run(&bench.reporter("needs.so", &["-DNEEDS"])), Status::ReporterLoadFailed);
    check(&bench.run(&bench.host("itself", &[])), Status::ReporterLoadFailed);
    check(&bench.run(&bench.host("fixed", &["-no-pie", "-fno-pie"])), Status::ReporterNotALibrary);
}

#[test]
fn unsafe_places() {
    let bench = Bench::new(Compiler::Gcc);
    let good = bench.reporter("good.so", &[]);
    let place = |folder: &str, folder_mode: u32, file_mode: u32| {
        let folder = bench.scratch.join(folder);
        fs::create_dir(&folder).unwrap();
        let file = folder.join("reporter.so");
        fs::copy(&good, &file).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(folder_mode)).unwrap();
        file
    };
    check(&bench.run(&place("safe", 0o755, 0o644)), Status::Ok);
    check(&bench.run(&place("sticky", 0o1777, 0o644)), Status::Ok);
    check(&bench.run(&place("file-world", 0o755, 0o646)), Status::ReporterUnsafe);
    check(&bench.run(&place("file-group", 0o755, 0o664)), Status::ReporterUnsafe);
    check(&bench.run(&place("folder-world", 0o757, 0o644)), Status::ReporterUnsafe);
    check(&bench.run(&place("folder-group", 0o775, 0o644)), Status::ReporterUnsafe);
    let link = |target: &Path, name: &str| {
        let link = bench.scratch.join(name);
        symlink(target, &link).unwrap();
        link
    };
    check(&bench.run(&link(&good, "link.so")), Status::Ok);
    check(
        &bench.run(&link(&bench.scratch.join("folder-world/reporter.so"), "bad.so")),
        Status::ReporterUnsafe,
    );
    // A good file, but the link to it stands where anybody may change it.
    check(&bench.run(&link(&good, "folder-world/link.so")), Status::ReporterUnsafe);
    check(&bench.run(&link(&good, "sticky/link.so")), Status::Ok);
    check(&bench.run(&bench.scratch.join("folder-world/../good.so")), Status::ReporterUnsafe);
}

#[test]
fn strangers_files() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can give files away; run the tests as root, too");
        return;
    }
    let bench = Bench::new(Compiler::Gcc);
    let good = bench.reporter("good.so", &[]);
    let owned = bench.reporter("owned.so", &[]);
    chown(&owned, Some(STRANGER), None).unwrap();
    check(&bench.run(&owned), Status::ReporterUnsafe);
    let folder = bench.scratch.join("folder");
    fs::create_dir(&folder).unwrap();
    fs::copy(&good, folder.join("reporter.so")).unwrap();
    check(&bench.run(&folder.join("reporter.so")), Status::Ok);
    chown(&folder, Some(STRANGER), None).unwrap();
    check(&bench.run(&folder.join("reporter.so")), Status::ReporterUnsafe);
    // In a sticky folder anybody may set up a link; whose it is decides.
    let sticky = bench.scratch.join("sticky");
    fs::create_dir(&sticky).unwrap();
    fs::set_permissions(&sticky, Permissions::from_mode(0o1777)).unwrap();
    let link = sticky.join("link.so");
    symlink(&good, &link).unwrap();
    check(&bench.run(&link), Status::Ok);
    std::os::unix::fs::lchown(&link, Some(STRANGER), None).unwrap();
    check(&bench.run(&link), Status::ReporterUnsafe);
}

#[test]
fn privileged_programs_load_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can make a set-uid program; run the tests as root, too");
        return;
    }
    let bench = Bench::new(Compiler::Gcc);
    let good = bench.reporter("good.so", &[]);
    fs::set_permissions(bench.scratch.path(), Permissions::from_mode(0o755)).unwrap();
    let run = || {
        let run = Run::new(&bench.node).env("LIFEBOAT_REPORTER", &good).folder("/");
        run.user(STRANGER, STRANGER).finish().output()
    };
    check(&run(), Status::Ok);
    fs::set_permissions(&bench.node, Permissions::from_mode(0o4755)).unwrap();
    check(&run(), Status::Privileged);
}

#[test]
fn refusal_may_be_mended() {
    let bench = Bench::new(Compiler::Gcc);
    let source = bench.scratch.write(
        "twice.c",
        "#include <lifeboat.h>\n#include <stdio.h>\nint main(int c, char **v) { (void)c;\
         for (int i = 1; v[i]; i++) printf(\"%d \", (int)lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .reporter = v[i]}));\
         return 0; }",
    );
    let program =
        Compile::new(Compiler::Gcc).flag("-DLIFEBOAT_LOAD").source(source).build(bench.scratch.join("twice"));
    let foreign = bench.reporter("foreign.so", &["-DFOREIGN"]);
    let good = bench.reporter("good.so", &[]);
    // Both are opened as the same descriptor; the good one must not be taken for the one before it.
    let said = Run::new(program).args([&foreign, &good, &good]).finish().output();
    assert!(said.starts_with("25 ") && said.ends_with("0 3 "), "{said}");
}

#[test]
fn table_sizes_both_ways() {
    let bench = Bench::new(Compiler::Gcc);
    let old = bench.run(&bench.reporter("old.so", &["-DOLD"]));
    check(&old, Status::Ok);
    for line in ["is_on 1 1", "tag 5", "attach 5", "metrics 0", "text unknown status", "stop 0"] {
        assert!(old.lines().any(|said| said == line), "no {line:?} in\n{old}");
    }
    let lacks = bench.run(&bench.reporter("lacks.so", &["-DLACKS"]));
    assert!(lacks.contains("tag 5\n") && !lacks.contains("counter "), "{lacks}");
    let newer = bench.run(&bench.reporter("newer.so", &["-DNEWER"]));
    assert!(newer.contains("tag role=store\n") && newer.contains("tag 0\n"), "{newer}");
    let short = bench.host("short", &["-DSHORT"]);
    let good = bench.reporter("good.so", &[]);
    let said = Run::new(short).args(["demo", "1"]).env("LIFEBOAT_REPORTER", good).finish().output();
    assert!(said.contains("start app=demo version=1 commit=- environ=1"), "{said}");
}

#[test]
fn one_of_many_starts_wins() {
    let bench = Bench::new(Compiler::Gcc);
    let good = bench.reporter("good.so", &[]);
    for compiler in Compiler::C {
        let source = repository("tests/fixtures/race.c");
        let compile = Compile::new(compiler).flags(["-O2", "-DLIFEBOAT_LOAD"]).source(source);
        let race = compile.flag("-lpthread").build(bench.scratch.join(compiler.command()));
        let good = if compiler == Compiler::MuslGcc {
            Bench::new(compiler).reporter_in(&bench.scratch, "musl.so", &[])
        } else {
            good.clone()
        };
        for _ in 0..20 {
            let said = Run::new(&race).env("LIFEBOAT_REPORTER", &good).finish().output();
            assert_eq!(said.matches("start ").count(), 1, "{said}");
            assert_eq!(said.matches("asked\n").count(), 1, "{said}");
            assert!(said.ends_with("began 1 late 7 other 0 on 1\n"), "{said}");
        }
    }
}

#[test]
fn off_makes_no_system_call() {
    for compiler in Compiler::C {
        let bench = Bench::new(compiler);
        let good = bench.reporter("good.so", &[]);
        let without = bench.host("without", &["-DWITHOUT"]);
        let expected = system_calls(&bench.scratch, &without, &[]);
        assert!(expected.iter().any(|call| call == "execve"), "strace shows nothing: {expected:?}");
        let good = ("LIFEBOAT_REPORTER", good.to_str().unwrap());
        let off: [&[(&str, &str)]; 5] = [
            &[],
            &[("LIFEBOAT", "off"), good],
            &[("LIFEBOAT", "No"), good],
            &[("LIFEBOAT", "of"), good],
            &[("LIFEBOAT", "on"), ("LIFEBOAT_REPORTER", "")],
        ];
        for environment in off {
            assert_eq!(system_calls(&bench.scratch, &bench.node, environment), expected, "{compiler:?}");
        }
        // With a reporter there are more: the comparison would see one.
        let on = system_calls(&bench.scratch, &bench.node, &[("LIFEBOAT_REPORTER", "/missing")]);
        assert_ne!(on, expected, "{compiler:?}");
    }
}

/// The names of a program's system calls, its writes to standard output left out.
fn system_calls(scratch: &Scratch, program: &Path, environment: &[(&str, &str)]) -> Vec<String> {
    let log = scratch.join("strace.log");
    let settings = environment.iter().map(|(key, value)| format!("-E{key}={value}"));
    let run = Run::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(settings).arg(program);
    assert!(run.finish().succeeded());
    let text = fs::read_to_string(log).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().nth(1)?.split_once('('));
    names
        .filter(|(name, rest)| !(name.starts_with("write") && rest.starts_with('1')))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The status that a node printed, that its errno was kept, and that it ran to its end.
fn check(said: &str, expected: Status) {
    let number = expected as i32;
    let sentence = expected.text().to_str().unwrap();
    let line = format!("status {number} errno 42 {sentence}");
    assert!(said.lines().any(|said| said == line), "expected {line:?}, not\n{said}");
    assert!(said.ends_with("ran on\n"), "{said}");
    if expected != Status::Ok {
        assert!(said.contains("is_on 0 0\n") && said.contains("\ntag 4\n"), "{said}");
    }
}

/// A folder with a node, and what it takes to make reporters in it.
struct Bench {
    compiler: Compiler,
    scratch: Scratch,
    node: PathBuf,
}

impl Bench {
    fn new(compiler: Compiler) -> Self {
        let mut bench = Self { compiler, scratch: Scratch::trusted("load"), node: PathBuf::new() };
        bench.node = bench.host("node", &[]);
        bench
    }

    /// Builds the node with more flags.
    fn host(&self, name: &str, flags: &[&str]) -> PathBuf {
        let compile = Compile::new(self.compiler).flags(["-O2", "-DLIFEBOAT_LOAD"]).flags(flags);
        let sources = compile.source(repository("tests/fixtures/host.c"));
        sources.source(repository("tests/fixtures/other_source.c")).build(self.scratch.join(name))
    }

    fn reporter(&self, name: &str, flags: &[&str]) -> PathBuf {
        self.reporter_in(&self.scratch, name, flags)
    }

    fn reporter_in(&self, scratch: &Scratch, name: &str, flags: &[&str]) -> PathBuf {
        let compile = Compile::new(self.compiler).flags(["-shared", "-fPIC"]).flags(flags);
        let library = compile.source(repository("tests/fixtures/reporter.c")).build(scratch.join(name));
        fs::set_permissions(&library, Permissions::from_mode(0o755)).unwrap();
        library
    }

    /// What the node says with this reporter.
    fn run(&self, reporter: &Path) -> String {
        let run = Run::new(&self.node).args(["demo", "1.4.2"]).env("LIFEBOAT_REPORTER", reporter);
        run.folder(self.scratch.path()).finish().output()
    }
}
