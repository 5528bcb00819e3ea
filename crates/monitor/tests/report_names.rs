//! Every own frame has its function, file and line, and never a wrong name. 1. compile a program without frame
//! pointers  2. let it wait in a known place  3. capture it  4. move its debug information about  5. report.

#[cfg(test)]
mod common;

#[cfg(test)]
mod names {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use lifeboat_monitor::capture::End;
    use lifeboat_monitor::report::Detail;
    use serde_json::Value;

    use crate::common::event::{event, function, line, own_frames};
    use crate::common::{Node, compile, recorder, run};

    const FLAGS: [&str; 3] = ["-O2", "-g", "-fomit-frame-pointer"];

    fn report(program: &Path) -> Value {
        let node = Node::run(program);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        event(&capture, Detail::Full)
    }

    fn expected_c() -> Vec<(String, u64)> {
        let line = |word| line("deep.c", word);
        [
            ("read_peer", line("WAITS")),
            ("score_peer", line("SCORES")),
            ("handle_message", line("HANDLES")),
            ("main", line("STARTS")),
        ]
        .map(|(name, line)| (name.to_owned(), line))
        .to_vec()
    }

    fn objcopy(arguments: &[&str], from: &Path, to: &Path) {
        run(Command::new("objcopy").args(arguments).arg(from).arg(to));
    }

    /// Leaves the program with nothing but what it needs to run.
    fn strip(program: &Path) {
        run(Command::new("strip").arg("--strip-all").arg(program));
    }

    #[test]
    fn c_with_its_debug_information() {
        let program = compile("deep.c", &FLAGS);
        let event = report(&program);
        assert_eq!(own_frames(&event, &program), expected_c());
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        let read_peer = frames.iter().find(|frame| frame["function"] == "read_peer").unwrap();
        assert_eq!(read_peer["filename"], "deep.c");
        assert_eq!(event["contexts"]["death"].get("notes"), None, "a clean end, nothing guessed");
    }

    #[test]
    fn cpp_names_are_readable() {
        let program = compile("deep.cpp", &FLAGS);
        let event = report(&program);
        let own = own_frames(&event, &program);
        let line = |word| line("deep.cpp", word);
        let lines: Vec<_> = own.iter().map(|(_, line)| *line).collect();
        assert_eq!(lines, [line("WAITS"), line("WARMS"), line("SERVES"), line("STARTS")], "{own:?}");
        assert!(own[0].0.contains("node::Store::open<std::") && !own[0].0.starts_with("_Z"), "{own:?}");
        assert!(own[1].0.starts_with("node::Store::warm("), "{own:?}");
        assert!(own[2].0.starts_with("node::serve(node::Store&"), "{own:?}");
        assert_eq!(own[3].0, "main");
    }

    #[test]
    fn a_debug_file_beside_the_program() {
        let program = compile("deep.c", &FLAGS);
        let debug = program.with_extension("debug");
        objcopy(&["--only-keep-debug"], &program, &debug);
        strip(&program);
        run(Command::new("objcopy").arg("--add-gnu-debuglink").arg(&debug).arg(&program));
        assert_eq!(own_frames(&report(&program), &program), expected_c());
    }

    /// A stripped program that has no build id, and its debug file, which only a checksum ties to it.
    fn linked_by_checksum() -> (PathBuf, PathBuf) {
        let program = compile("deep.c", &[FLAGS.as_slice(), &["-Wl,--build-id=none"]].concat());
        let debug = program.with_extension("debug");
        objcopy(&["--only-keep-debug"], &program, &debug);
        strip(&program);
        run(Command::new("objcopy").arg("--add-gnu-debuglink").arg(&debug).arg(&program));
        (program, debug)
    }

    #[test]
    fn a_debug_file_without_build_id_by_its_checksum() {
        let (program, _) = linked_by_checksum();
        assert_eq!(own_frames(&report(&program), &program), expected_c());
    }

    #[test]
    fn a_debug_file_with_another_checksum_is_not_used() {
        let (program, debug) = linked_by_checksum();
        let mut changed = std::fs::read(&debug).unwrap();
        changed.push(0);
        std::fs::write(&debug, changed).unwrap();
        assert_nameless(&report(&program), &program);
    }

    #[test]
    fn a_debug_file_by_build_id() {
        let flags = [FLAGS.as_slice(), &["-Wl,--build-id=0xabcdef0123456789"]].concat();
        let program = compile("deep.c", &flags);
        let folder = program.parent().unwrap().join(".build-id/ab");
        std::fs::create_dir_all(&folder).unwrap();
        objcopy(&["--only-keep-debug"], &program, &folder.join("cdef0123456789.debug"));
        strip(&program);
        assert_eq!(own_frames(&report(&program), &program), expected_c());
    }

    #[test]
    fn compressed_debug_information() {
        let flags = [FLAGS.as_slice(), &["-gz=zlib"]].concat();
        let program = compile("deep.c", &flags);
        assert_eq!(own_frames(&report(&program), &program), expected_c());
    }

    #[test]
    fn no_symbol_no_name() {
        let program = compile("deep.c", &FLAGS);
        strip(&program);
        assert_nameless(&report(&program), &program);
    }

    #[test]
    fn a_symbol_names_no_more_than_its_own_size() {
        let program =
            compile("deep.c", &[FLAGS.as_slice(), &["-Wl,--export-dynamic-symbol=read_peer"]].concat());
        strip(&program);
        let own = own_frames(&report(&program), &program);
        let names: Vec<_> = own.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.first(), Some(&"read_peer"));
        assert!(names.len() >= 3 && names.iter().skip(1).all(|name| *name == "?"), "{names:?}");
    }

    #[test]
    fn a_debug_file_of_another_build_is_not_used() {
        let other = compile("deep.c", &[FLAGS.as_slice(), &["-Wl,--build-id=0x1111111111111111"]].concat());
        let program = compile("deep.c", &[FLAGS.as_slice(), &["-Wl,--build-id=0xabcdef0123456789"]].concat());
        let debug = program.with_extension("debug");
        objcopy(&["--only-keep-debug"], &other, &debug);
        let folder = program.parent().unwrap().join(".build-id/ab");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(&debug, folder.join("cdef0123456789.debug")).unwrap();
        strip(&program);
        run(Command::new("objcopy").arg("--add-gnu-debuglink").arg(&debug).arg(&program));
        assert_nameless(&report(&program), &program);
    }

    #[test]
    fn a_program_replaced_on_disk_is_not_looked_into() {
        let other = compile("deep.cpp", &FLAGS);
        let program = compile("deep.c", &FLAGS);
        let node = Node::run(&program);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        std::fs::remove_file(&program).unwrap();
        std::fs::copy(&other, &program).unwrap();
        let event = event(&capture, Detail::Full);
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        let package = program.to_str().unwrap().replace("/root/", "~/");
        assert!(frames.iter().all(|frame| frame["package"] != package.as_str() || function(frame).is_none()));
    }

    #[test]
    fn a_corrupt_file_ends_in_a_report() {
        let program = compile("deep.cpp", &FLAGS);
        let node = Node::run(&program);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        let whole = std::fs::read(&program).unwrap();
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize
        };
        for round in 0..60 {
            let mut corrupt = whole.clone();
            for _ in 0..next() % 200 {
                // The first page, with its headers and the build id, is left alone half of the time.
                let first = if round % 2 == 0 { 4096 } else { 64 };
                let at = first + next() % (corrupt.len() - first);
                corrupt[at] = next() as u8;
            }
            corrupt.truncate(if round % 5 == 0 { next() % whole.len() } else { whole.len() });
            std::fs::remove_file(&program).unwrap();
            std::fs::write(&program, corrupt).unwrap();
            event(&capture, Detail::Full);
        }
    }

    #[test]
    fn without_any_file_there_is_still_a_report() {
        let program = compile("deep.c", &FLAGS);
        let node = Node::run(&program);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        let event = event(&capture, Detail::CaptureOnly);
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        assert!(!frames.is_empty() && frames.iter().all(|frame| function(frame).is_none()));
        assert!(frames[0]["image_addr"].is_string() && frames[0]["instruction_addr"].is_string());
    }

    /// The frames are there, with module and address, and no own frame has a name.
    fn assert_nameless(event: &Value, program: &Path) {
        let own = own_frames(event, program);
        assert!(own.len() >= 3, "{own:?}");
        assert!(own.iter().all(|(name, line)| name == "?" && *line == 0), "{own:?}");
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        assert!(frames.iter().all(|frame| frame["instruction_addr"].is_string()));
    }
}
