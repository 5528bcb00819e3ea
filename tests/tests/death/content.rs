//! What a report holds, as a server would get it.
//!
//! 1. A node with tags, contexts, 131 breadcrumbs and named threads dies four calls deep on a thread.
//! 2. The event names every own frame by function, file and line, and all that the node and its fleet declared.
//! 3. The same where the debug file lies beside the stripped program, and module and offset where there is none.
//! 4. Nothing of what must stay on the host is in the envelope; Relay's normaliser has no complaint.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::{Compiler, Run, repository};
use serde_json::Value;

use crate::bench::{Bench, delivered, event, events, files};

const FIXTURE: &str = "content";
const OWN: [&str; 5] = ["score_of", "table_lookup", "message_decode", "gossip_receive", "worker"];
const FLAGS: [&str; 2] = ["-fomit-frame-pointer", "-Wl,--build-id=sha1"];
/// What is on the thread's stack, in the environment and on the command line of the node, and nowhere in a report.
const SECRET: &str = "k3y-m4terial-0f-this-n0de-only";

fn fleet(run: Run) -> Run {
    run.env("SENTRY_ENVIRONMENT", "test")
        .env("LIFEBOAT_FLEET", "harbor")
        .env("LIFEBOAT_NODE", "node-07")
        .env("LIFEBOAT_COMMIT", "0123abc")
        .env("LIFEBOAT_TAGS", "dc=do-ams3, stage=sandbox")
        .env("NODE_KEY", SECRET)
}

/// Lets the node die and answers its only event, and where it lies.
fn die(bench: &Bench, arguments: &[&str]) -> (Value, PathBuf) {
    let state_dir = bench.state_dir();
    let outcome = fleet(bench.node(arguments, &state_dir)).finish();
    assert!(!outcome.stderr.contains("error"), "{}", outcome.stderr);
    bench.settle();
    (event(&state_dir), state_dir)
}

/// The number of the fixture's line with this mark.
fn line_of(mark: &str) -> u64 {
    let text = fs::read_to_string(repository("tests/fixtures/content.c")).unwrap();
    let mark = format!("/* MARK {mark} */");
    text.lines().position(|line| line.contains(&mark)).unwrap() as u64 + 1
}

/// The frames of an event's first exception, innermost first.
fn frames(event: &Value) -> Vec<&Value> {
    let values = event["exception"]["values"].as_array().unwrap();
    values.last().unwrap()["stacktrace"]["frames"].as_array().unwrap().iter().rev().collect()
}

fn assert_own_frames(event: &Value) {
    let found: Vec<_> = frames(event)
        .into_iter()
        .take(OWN.len())
        .map(|frame| (frame["function"].as_str(), frame["filename"].as_str(), frame["lineno"].as_u64()))
        .collect();
    let expected: Vec<_> =
        OWN.iter().map(|name| (Some(*name), Some("content.c"), Some(line_of(name)))).collect();
    assert_eq!(found, expected, "innermost first");
    assert!(frames(event).iter().take(OWN.len()).all(|frame| frame["in_app"] == true));
}

#[test]
fn every_own_frame_is_named_however_it_was_built() {
    let builds: [(Compiler, &[&str]); 5] = [
        (Compiler::Gcc, &FLAGS),
        (Compiler::Gcc, &["-fomit-frame-pointer", "-no-pie"]),
        (Compiler::Gcc, &["-gz=zlib"]),
        (Compiler::Clang, &FLAGS),
        (Compiler::MuslGcc, &FLAGS),
    ];
    for (compiler, flags) in builds {
        let bench = Bench::with(compiler, FIXTURE, flags);
        let (event, _) = die(&bench, &[]);
        assert_eq!(event["exception"]["values"][0]["type"], "SIGSEGV", "{compiler:?} {flags:?}");
        assert_own_frames(&event);
    }
}

#[test]
fn declared_metadata_is_there() {
    let (event, _) = die(&Bench::with(Compiler::Gcc, FIXTURE, &FLAGS), &[]);
    for (key, value) in [("release", "content@2.1.0"), ("environment", "test"), ("dist", "0123abc")] {
        assert_eq!(event[key], value, "{key}");
    }
    for (key, value) in [
        ("fleet", "harbor"),
        ("node", "node-07"),
        ("dc", "do-ams3"),
        ("stage", "sandbox"),
        ("role", "relay"),
        ("shard", "4"),
        ("cause", "signal"),
    ] {
        assert_eq!(event["tags"][key], value, "{key}");
    }
    assert_eq!(event["contexts"]["peers"]["connected"], "17");
    assert_eq!(event["contexts"]["peers"]["minimum"], "4");
    // Where it happened, and so which issue it belongs to.
    assert_eq!(event["transaction"], OWN[0]);
    assert_eq!(event["fingerprint"], serde_json::json!(["{{ default }}", OWN[0]]));
    assert_eq!(event["exception"]["values"][0]["value"], "null pointer dereference at 0x4 (SEGV_MAPERR)");
}

#[test]
fn last_hundred_breadcrumbs_are_in_order() {
    let (event, _) = die(&Bench::with(Compiler::Gcc, FIXTURE, &FLAGS), &[]);
    let crumbs = event["breadcrumbs"].as_array().or(event["breadcrumbs"]["values"].as_array()).unwrap();
    assert_eq!(crumbs.len(), 100);
    let (last, gossip) = crumbs.split_last().unwrap();
    for (crumb, number) in gossip.iter().zip(31..) {
        assert_eq!(crumb["message"], format!("message {number}"));
        assert_eq!(crumb["category"], "gossip");
        let is_warning = crumb["level"] == "warning";
        assert_eq!(is_warning, number % 10 == 0, "{crumb}");
    }
    let last = last["message"].as_str().unwrap();
    assert!(!last.contains("203.0.113.7") && last.starts_with("dialing "), "{last}");
}

#[test]
fn all_threads_are_there_with_names() {
    let (event, _) = die(&Bench::with(Compiler::Gcc, FIXTURE, &FLAGS), &[]);
    let threads = event["threads"]["values"].as_array().unwrap();
    let mut names: Vec<_> = threads.iter().map(|thread| thread["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["discovery", "gossip-worker", "node", "storage"]);
    for thread in threads {
        assert_eq!(thread["crashed"] == true, thread["name"] == "gossip-worker", "{thread}");
        let own = |name| {
            let frames = thread["stacktrace"]["frames"].as_array().into_iter().flatten();
            frames.filter(|frame| frame["in_app"] == true).any(|frame| frame["function"] == name)
        };
        let expected = match thread["name"].as_str().unwrap() {
            "node" => Some("main"),
            "gossip-worker" => None,
            _ => Some("idle"),
        };
        assert!(expected.is_none_or(own), "{expected:?} in {thread}");
    }
}

#[test]
fn images_have_build_ids_and_frames_lie_in_them() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    let (event, _) = die(&bench, &[]);
    let images = event["debug_meta"]["images"].as_array().unwrap();
    let id = Run::new("readelf").args(["-n"]).arg(bench.program()).finish().output();
    let id = id.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap();
    let node = images.iter().find(|image| image["code_id"] == id).unwrap();
    assert!(node["name"].as_str().or(node["code_file"].as_str()).unwrap().ends_with("/node"));
    for name in ["libc.so", "liblifeboat_reporter.so"] {
        let image = images.iter().find(|image| image.to_string().contains(name)).unwrap();
        assert!(image["code_id"].as_str().unwrap().len() == 40, "{image}");
    }
    let number =
        |value: &Value| u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let (start, size) = (number(&node["image_addr"]), node["image_size"].as_u64().unwrap());
    for frame in frames(&event).into_iter().take(OWN.len()) {
        let at = number(&frame["instruction_addr"]);
        assert!((start..start + size).contains(&at), "{frame}");
    }
}

#[test]
fn debug_file_beside_a_stripped_program_is_found() {
    let by_link = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    split(&by_link, &by_link.scratch.join("node.debug"), true);
    assert_own_frames(&die(&by_link, &[]).0);

    let by_id = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    let id = Run::new("readelf").args(["-n"]).arg(by_id.program()).finish().output();
    let id = id.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap();
    let (folder, name) = id.split_at(2);
    let folder = by_id.scratch.join(".build-id").join(folder);
    fs::create_dir_all(&folder).unwrap();
    split(&by_id, &folder.join(format!("{name}.debug")), false);
    assert_own_frames(&die(&by_id, &[]).0);
}

#[test]
fn without_a_symbol_there_is_module_and_offset_and_no_name() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    assert!(Run::new("strip").arg(bench.program()).finish().succeeded());
    let (event, _) = die(&bench, &[]);
    let own: Vec<_> = frames(&event).into_iter().filter(|frame| frame["in_app"] == true).collect();
    // Four physical frames: the inlined one cannot be told any more.
    assert!(own.len() >= 4, "{own:?}");
    for frame in own {
        let function = frame["function"].as_str().unwrap_or_default();
        let is_plain = function.is_empty() || function.starts_with("node+0x") || function.starts_with("0x");
        assert!(is_plain && frame["lineno"].is_null(), "{frame}");
        assert!(frame["package"].as_str().unwrap().ends_with("/node"), "{frame}");
        assert!(frame["instruction_addr"].as_str().unwrap().starts_with("0x"), "{frame}");
    }
}

#[test]
fn nothing_that_must_stay_leaves_the_host() {
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    let (event, state_dir) = die(&bench, &["segv", SECRET]);
    let registers = event["exception"]["values"][0]["stacktrace"]["registers"].as_object().unwrap();
    let mut names: Vec<_> = registers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["rbp", "rip", "rsp"]);
    assert_eq!(
        event.to_string().matches("\"registers\"").count(),
        event.to_string().matches("\"rip\"").count()
    );
    for path in all_files(&state_dir) {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [SECRET, "NODE_KEY", "203.0.113.7"] {
            assert!(!text.contains(secret), "{secret} in {}", path.display());
        }
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let is_telling = host.trim().len() > 3;
        assert!(!is_telling || !text.contains(host.trim()), "the host's name in {}", path.display());
    }
    assert!(files(&state_dir, "recorders", "").is_empty(), "a raw capture was left");
}

#[test]
fn last_words_are_the_title_of_an_exit() {
    let (event, _) = die(&Bench::with(Compiler::Gcc, FIXTURE, &FLAGS), &["exit"]);
    let exception = event["exception"]["values"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(exception["type"], "DatabaseError");
    assert_eq!(exception["value"], "disk image is malformed");
    assert_eq!(event["contexts"]["death"]["exit_status"], 3);
    let own = frames(&event).into_iter().find(|frame| frame["in_app"] == true).unwrap();
    assert_eq!((own["function"].as_str(), own["lineno"].as_u64()), (Some("main"), Some(line_of("main"))));
}

#[test]
fn handled_error_is_a_report_of_its_own() {
    let (event, _) = die(&Bench::with(Compiler::Gcc, FIXTURE, &FLAGS), &["error"]);
    assert_eq!(event["level"], "warning");
    let exception = &event["exception"]["values"][0];
    assert_eq!(
        (exception["type"].as_str(), exception["value"].as_str()),
        (Some("DecodeError"), Some("bad varint"))
    );
    assert_eq!(exception["mechanism"]["handled"], true);
    let frame = &exception["stacktrace"]["frames"][0];
    assert_eq!((frame["function"].as_str(), frame["lineno"].as_u64()), (Some("decode"), Some(41)));
}

#[test]
fn relay_takes_every_event_as_it_is() {
    let python = std::env::var_os("LIFEBOAT_TEST_PYTHON")
        .map_or_else(|| repository("target/venv/bin/python"), PathBuf::from);
    assert!(python.is_file(), "{} is not there: run scripts/setup test", python.display());
    let bench = Bench::with(Compiler::Gcc, FIXTURE, &FLAGS);
    for arguments in [&["segv"][..], &["exit"], &["error"]] {
        let (event, _) = die(&bench, arguments);
        let file = bench.scratch.write("event.json", event.to_string());
        let check = repository("crates/monitor/tests/relay_check.py");
        let outcome = Run::new(&python).arg(check).arg(file).finish();
        assert!(outcome.succeeded(), "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn statically_linked_reporter_reports_the_same() {
    for compiler in [Compiler::Gcc, Compiler::MuslGcc] {
        let archive = delivered("lib/liblifeboat_reporter.a");
        let bench = Bench::linked(compiler, FIXTURE, &archive);
        for flags in [&[][..], &["exit"]] {
            let state_dir = bench.state_dir();
            let run = fleet(bench.node_without(flags)).env("LIFEBOAT_STATE_DIR", &state_dir);
            let outcome = run.env("LIFEBOAT", "on").env("LIFEBOAT_MONITOR", bench.monitor()).finish();
            assert_ne!(outcome.shell_status(), 98, "{compiler:?}: lifeboat_start failed");
            bench.settle();
            let [event] = &events(&state_dir)[..] else { panic!("{compiler:?} {flags:?}: one report") };
            if flags.is_empty() {
                assert_own_frames(event);
            }
        }
    }
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(all_files(&path)) } else { found.push(path) }
    }
    found
}

/// Moves the debug information of the bench's program to this file.
fn split(bench: &Bench, debug: &Path, link: bool) {
    let objcopy = |run: Run| assert!(run.finish().succeeded(), "objcopy");
    objcopy(Run::new("objcopy").arg("--only-keep-debug").args([bench.program(), debug]));
    assert!(Run::new("strip").arg(bench.program()).finish().succeeded());
    if link {
        let mut option = std::ffi::OsString::from("--add-gnu-debuglink=");
        option.push(debug);
        objcopy(Run::new("objcopy").arg(option).arg(bench.program()));
    }
}
