//! The role `report` as `watch` starts it. 1. a capture on standard input  2. the program runs  3. one envelope lies
//! in the spool; a bare recorder will do; what is neither is refused, with a sentence.

#[cfg(test)]
mod common;

#[cfg(test)]
mod role {
    use std::fs::File;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output, Stdio};

    use lifeboat_monitor::capture::{self, End};
    use lifeboat_monitor::envelope::Envelope;
    use serde_json::Value;

    use crate::common::{Node, recorder};

    const FLAGS: [&str; 3] = ["-O2", "-g", "-fomit-frame-pointer"];

    fn run(state_dir: &Path, input: &[u8]) -> Output {
        let place = state_dir.with_extension("input");
        std::fs::write(&place, input).unwrap();
        let mut role = Command::new(env!("CARGO_BIN_EXE_lifeboat-monitor"));
        role.arg("report").arg("--state-dir").arg(state_dir).stdin(File::open(&place).unwrap());
        let from = std::time::Instant::now();
        let output = role.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        println!("a report in {:?}", from.elapsed());
        output
    }

    fn envelopes(state_dir: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(state_dir.join("spool")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn only_event(state_dir: &Path) -> Value {
        let paths = envelopes(state_dir);
        assert_eq!(paths.len(), 1, "{paths:?}");
        let bytes = std::fs::read(&paths[0]).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        let name = format!("{}.envelope", envelope.event_id().unwrap());
        assert_eq!(paths[0].file_name().unwrap().to_str().unwrap().replace('-', ""), name.replace('-', ""));
        envelope.event().unwrap()
    }

    fn scene() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        (folder, state_dir)
    }

    #[test]
    fn a_capture_becomes_one_envelope_even_if_it_comes_twice() {
        let (_folder, state_dir) = scene();
        let node = Node::start("deep.c", &FLAGS);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        let bytes = capture::encode(&capture).unwrap();
        for _ in 0..2 {
            let output = run(&state_dir, &bytes);
            assert!(output.status.success(), "{output:?}");
        }
        let event = only_event(&state_dir);
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        assert!(frames.iter().any(|frame| frame["function"] == "score_peer"));
        assert_eq!(event["contexts"]["death"].get("notes"), None);
    }

    #[test]
    fn a_bare_recorder_will_do() {
        let (_folder, state_dir) = scene();
        let output = run(&state_dir, &recorder::bytes(&recorder::declared()));
        assert!(output.status.success(), "{output:?}");
        let event = only_event(&state_dir);
        assert_eq!(event["tags"]["cause"], "unknown");
        assert_eq!(event["breadcrumbs"]["values"].as_array().unwrap().len(), 100);
    }

    #[test]
    fn what_is_neither_is_refused() {
        let (_folder, state_dir) = scene();
        let node = Node::start("deep.c", &FLAGS);
        let capture = recorder::capture(&node, &recorder::declared(), End::Exited(1));
        let whole = capture::encode(&capture).unwrap();
        for input in [b"".as_slice(), b"LIFEBOAT", b"#!/bin/sh", &whole[..whole.len() / 2]] {
            let output = run(&state_dir, input);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(output.stderr.starts_with(b"lifeboat-monitor: "), "{output:?}");
        }
        assert_eq!(envelopes(&state_dir), Vec::<PathBuf>::new());
    }
}
