//! Which words a report is called after. 1. a recorder with panics and last words of this age by that thread  2. an end by
//! signal or status  3. cause and titles, the main one last.

#[cfg(test)]
mod common;

#[cfg(test)]
mod words {
    use std::sync::atomic::Ordering::Relaxed;

    use lifeboat_abi::Origin;
    use lifeboat_monitor::capture::{Capture, End, Subject};
    use lifeboat_monitor::report::Detail;
    use lifeboat_recorder::{DeathStage, FrameText, Outcome, Record, RecordKind, Recorder, Stamp};
    use serde_json::Value;

    use crate::common::{Node, recorder};

    /// The thread that ends the process.
    const OWN: u32 = 0;
    const OTHER: u32 = 77;
    const HOUR_MS: u64 = 3_600_000;

    struct Said {
        origin: Origin,
        tid: u32,
        age_ms: u64,
        message: &'static str,
    }

    const fn panic(tid: u32, age_ms: u64, message: &'static str) -> Said {
        Said { origin: Origin::Panic, tid, age_ms, message }
    }

    const fn said(origin: Origin, tid: u32, message: &'static str) -> Said {
        Said { origin, tid, age_ms: 1, message }
    }

    fn write(recorder: &Recorder, own: u32, said: &Said) {
        let to = if said.origin == Origin::Panic { RecordKind::Panic } else { RecordKind::LastWords };
        let kind = [&b"fatal"[..], b"panic", b"IndexDefect", b"std::out_of_range"][said.origin as usize];
        let tid = if said.tid == OWN { own } else { said.tid };
        let stamp = Stamp { realtime_ns: recorder::now_ns() - said.age_ms * 1_000_000, tid };
        let record = Record { level: 4, origin: said.origin as u32, kind, message: said.message.as_bytes() };
        let none = std::iter::empty::<FrameText<'_>>();
        assert_eq!(recorder.record(to, stamp, record, none), Outcome::Written);
    }

    fn with_fault(recorder: &Recorder, tid: u32, signal: u32) {
        let death = recorder.death();
        death.signal.store(signal, Relaxed);
        death.tid.store(tid, Relaxed);
        death.realtime_ns.store(recorder::now_ns(), Relaxed);
        death.generation.store(1, Relaxed);
        death.stage.store(DeathStage::Complete as u32, Relaxed);
    }

    /// Type and value of each exception; of a signal its name.
    fn titles(event: &Value) -> Vec<String> {
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let exceptions = event["exception"]["values"].as_array().unwrap().iter();
        let title = |one: &Value| match text(one, "type") {
            signal if signal.starts_with("SIG") => signal,
            kind => format!("{kind}: {}", text(one, "value")),
        };
        exceptions.map(title).collect()
    }

    /// Cause and titles of an end, after these words.
    fn check(said: &[Said], end: End, cause: &str, expected: &[&str]) {
        let (node, recorder) = (Node::start("deep.c", &["-O0"]), recorder::recorder());
        said.iter().for_each(|words| write(&recorder, node.pid(), words));
        if let End::Signaled(signal) = end {
            with_fault(&recorder, node.pid(), signal as u32);
        }
        let capture: Capture = recorder::capture(&node, &recorder, end);
        let event = crate::common::event::event(&capture, Detail::CaptureOnly);
        assert_eq!(
            (event["tags"]["cause"].as_str(), titles(&event)),
            (Some(cause), expected.iter().map(|title| (*title).to_owned()).collect())
        );
    }

    const ABORT: End = End::Signaled(6);

    #[test]
    fn a_panic_that_aborts_is_the_reason() {
        check(&[panic(OWN, 1, "no peers")], ABORT, "panic", &["SIGABRT", "panic: no peers"]);
    }

    #[test]
    fn a_panic_that_leaves_main_is_the_reason_however_long_its_destructors_take() {
        check(&[panic(OWN, HOUR_MS, "no peers")], End::Exited(101), "panic", &["panic: no peers"]);
    }

    #[test]
    fn a_panic_that_was_caught_is_not() {
        check(&[panic(OWN, HOUR_MS, "caught")], ABORT, "signal", &["SIGABRT"]);
        check(&[panic(OTHER, 1, "caught")], ABORT, "signal", &["SIGABRT"]);
        check(&[panic(OWN, 1, "caught")], End::Signaled(11), "signal", &["SIGSEGV"]);
        check(&[panic(OWN, 1000, "caught")], End::Exited(1), "exit", &["exit: exited with status 1"]);
        check(&[panic(OTHER, 1, "caught")], End::Exited(101), "exit", &["exit: exited with status 101"]);
    }

    #[test]
    fn what_the_runtime_adds_when_it_gives_up_is_no_title() {
        let chain = [
            panic(OWN, HOUR_MS, "caught long ago"),
            panic(OWN, 3, "the first"),
            panic(OWN, 2, "in drop"),
            panic(OWN, 1, "panic in a destructor during cleanup"),
        ];
        let titles =
            ["SIGABRT", "panic: panic in a destructor during cleanup", "panic: in drop", "panic: the first"];
        check(&chain, ABORT, "panic", &titles);
        let chain = [panic(OWN, 3, "in a callback"), panic(OWN, 1, "panic in a function that cannot unwind")];
        let titles = ["SIGABRT", "panic: panic in a function that cannot unwind", "panic: in a callback"];
        check(&chain, ABORT, "panic", &titles);
    }

    #[test]
    fn the_panic_of_a_joined_thread_is_the_title() {
        let joined = "called `Result::unwrap()` on an `Err` value: Any { .. }";
        let titles = [&format!("panic: {joined}"), "panic: in a worker"];
        let words = [panic(OTHER, HOUR_MS, "in a worker"), panic(OWN, 1, joined)];
        check(&words, End::Exited(101), "panic", &titles);
        // Of two it is not known which was joined.
        let words = [panic(OTHER, HOUR_MS, "in a worker"), panic(78, 9, "caught"), panic(OWN, 1, joined)];
        check(&words, End::Exited(101), "panic", &[&format!("panic: {joined}")]);
    }

    #[test]
    fn last_words_say_their_language() {
        let nim = [said(Origin::Nim, OWN, "index 7 not in 0 .. 3")];
        check(&nim, End::Exited(1), "nim-exception", &["IndexDefect: index 7 not in 0 .. 3"]);
        let cpp = [said(Origin::Cpp, OWN, "vector")];
        let titles = ["SIGABRT", "std::out_of_range: vector"];
        check(&cpp, ABORT, "cpp-exception", &titles);
        // A fault of another thread came in between.
        let nim = [said(Origin::Nim, OTHER, "late")];
        check(&nim, End::Signaled(11), "signal", &["IndexDefect: late", "SIGSEGV"]);
        let both = [panic(OWN, 2, "a panic"), said(Origin::Other, OWN, "and its reason")];
        check(&both, End::Exited(1), "exit", &["panic: a panic", "fatal: and its reason"]);
    }

    #[test]
    fn an_exit_without_words_says_the_last_error_of_the_trail() {
        let (node, recorder) = (Node::start("deep.c", &["-O0"]), recorder::recorder());
        let crumb = |level, age_ms: u64, message: &str| {
            let realtime_ns = recorder::now_ns() - age_ms * 1_000_000;
            let written =
                recorder.breadcrumb(Stamp { realtime_ns, tid: 1 }, level, b"log", message.as_bytes());
            assert_eq!(written, Outcome::Written);
        };
        let value = |end| {
            let event =
                crate::common::event::event(&recorder::capture(&node, &recorder, end), Detail::CaptureOnly);
            event["exception"]["values"][0]["value"].as_str().unwrap().to_owned()
        };
        crumb(3, 11_000, "long ago");
        crumb(2, 1, "a warning");
        assert_eq!(value(End::Exited(1)), "exited with status 1");
        crumb(4, 2, "the database is gone");
        crumb(1, 1, "stopping");
        assert_eq!(value(End::Exited(1)), "exited with status 1: the database is gone");
    }

    #[test]
    fn a_caught_panic_is_reported_as_a_handled_error() {
        let (node, recorder) = (Node::start("deep.c", &["-O0"]), recorder::recorder());
        write(&recorder, node.pid(), &panic(OTHER, 1, "caught"));
        let mut capture = recorder::capture(&node, &recorder, End::StillAlive);
        capture.subject = Subject::Panic(0);
        let event = crate::common::event::event(&capture, Detail::CaptureOnly);
        assert_eq!(titles(&event), ["panic: caught"]);
        assert_eq!(event["exception"]["values"][0]["mechanism"]["handled"], true);
        assert_eq!(event["tags"]["cause"], "error");
        assert_eq!(event.get("level"), None, "an error, which Sentry takes for granted");
    }
}
