//! `audit`: the verdict on small programs, however they are linked and stripped.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{lifeboat, run};

const PUBLIC: &str = "int main(void) { return 0; }";
const LOADER: &str = "#include <stdlib.h>\n#include <stdio.h>\n\
    int main(void) { puts(\"lifeboat_api_v1\"); return getenv(\"LIFEBOAT_REPORTER\") != 0; }";
const REPORTER: &str = "#include <stdlib.h>\n\
    int main(void) { return getenv(\"LIFEBOAT_NODE\") != getenv(\"LIFEBOAT_FLEET\"); }";

fn compile(dir: &tempfile::TempDir, source: &str, flags: &[&str]) -> PathBuf {
    let (file, program) = (dir.path().join("program.c"), dir.path().join("program"));
    fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    assert!(cc.arg("-o").arg(&program).arg(&file).args(flags).status().unwrap().success());
    program
}

fn audit(program: &PathBuf) -> (i32, Value) {
    let said = run(lifeboat().args(["audit", "--json"]).arg(program));
    (said.code, serde_json::from_str(&said.stdout).unwrap_or_default())
}

#[test]
fn the_verdict_does_not_depend_on_how_a_program_is_linked_or_stripped() {
    let dir = tempfile::tempdir().unwrap();
    for flags in [
        &[][..],
        &["-g"],
        &["-s"],
        &["-static", "-s"],
        &["-static-pie", "-s"],
        &["-no-pie"],
        &["-shared", "-fPIC", "-s"],
    ] {
        for (source, verdict) in [(PUBLIC, "nothing"), (LOADER, "loader"), (REPORTER, "reporter")] {
            let (code, said) = audit(&compile(&dir, source, flags));
            assert_eq!(
                (said["verdict"].as_str(), code),
                (Some(verdict), i32::from(verdict != "nothing")),
                "{flags:?} {said}"
            );
        }
    }
}

#[test]
fn a_library_that_defines_the_symbol_is_the_reporter() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = audit(&compile(&dir, "int lifeboat_api_v1(void) { return 0; }", &["-shared", "-s"]));
    assert_eq!((code, said["verdict"].as_str()), (1, Some("reporter")));
    assert_eq!(said["evidence"][0], "defines the symbol lifeboat_api_v1");
}

#[test]
fn a_needed_library_is_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("liblifeboat.so");
    fs::copy(compile(&dir, "int boat(void) { return 0; }", &["-shared", "-fPIC"]), &library).unwrap();
    let source = "int boat(void); int main(void) { return boat(); }";
    let (_, said) = audit(&compile(&dir, source, &["-L", dir.path().to_str().unwrap(), "-llifeboat"]));
    assert_eq!(
        (said["verdict"].as_str(), &said["evidence"][0]),
        (Some("loader"), &Value::from("needs the library liblifeboat.so"))
    );
}

#[test]
fn names_in_debug_information_are_told_and_are_no_code() {
    let dir = tempfile::tempdir().unwrap();
    let source = "enum { LIFEBOAT_OFF = 1 }; struct lifeboat_options { int lifeboat; } o; int main(void) { return LIFEBOAT_OFF + o.lifeboat; }";
    let (code, said) = audit(&compile(&dir, source, &["-g3"]));
    assert_eq!((code, said["verdict"].as_str()), (0, Some("nothing")), "{said}");
    assert_ne!(said["debug_only"], Value::Array(Vec::new()));
}

#[test]
fn a_mark_is_found_wherever_it_stands_in_a_large_file() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(&dir, PUBLIC, &["-s"]);
    let mut file = fs::File::options().write(true).open(&program).unwrap();
    // Across the border of the pieces that are read at a time, 17 MiB into a file with holes.
    file.seek(SeekFrom::Start((17 << 20) - 4)).unwrap();
    file.write_all(b"\0LiFeBoAt\0").unwrap();
    let (code, said) = audit(&program);
    assert_eq!((code, said["verdict"].as_str()), (1, Some("loader")));
    assert!(said["evidence"][0].as_str().unwrap().contains("\"LiFeBoAt\" at 0x10ffffd"), "{said}");
}

#[test]
fn damaged_section_headers_hide_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(&dir, LOADER, &["-s"]);
    let mut bytes = fs::read(&program).unwrap();
    // e_shoff, beyond the end: the kernel does not look at it.
    bytes[0x28..0x30].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&program, bytes).unwrap();
    assert!(Command::new(&program).status().unwrap().success());
    assert_eq!(audit(&program).1["verdict"], "loader");
}

#[test]
fn other_crash_reporters_are_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let source = "int sentry_init(void) { return 0; } int main(void) { return sentry_init(); }";
    let (code, said) = audit(&compile(&dir, source, &[]));
    assert_eq!((code, said["verdict"].as_str()), (0, Some("nothing")));
    assert_ne!(said["others"], Value::Array(Vec::new()));
    let settings = "#include <stdlib.h>\nint main(void) { return getenv(\"SENTRY_DSN\") != 0; }";
    assert_eq!(audit(&compile(&dir, settings, &["-s"])).1["others"], Value::Array(Vec::new()));
}

#[test]
fn what_is_no_program_is_wrong_use() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("libnode.a");
    fs::write(&archive, "!<arch>\nlifeboat").unwrap();
    let said = run(lifeboat().arg("audit").arg(archive));
    assert!(said.code == 2 && said.stderr.contains("libnode.a: an archive: "), "{}", said.stderr);
    let text = dir.path().join("text");
    fs::write(&text, "lifeboat").unwrap();
    for path in [text, dir.path().join("absent"), dir.path().to_path_buf()] {
        let said = run(lifeboat().arg("audit").arg(path));
        assert!(said.code == 2 && said.stdout.is_empty() && !said.stderr.is_empty(), "{}", said.stderr);
    }
}
