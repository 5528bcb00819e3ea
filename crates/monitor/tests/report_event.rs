//! What an event says of a death, and what it keeps to itself. 1. a recorder as a node leaves it, with canaries
//! planted  2. registers and stack of a real program in its death slot  3. report  4. read the event.

#[cfg(test)]
mod common;

#[cfg(test)]
mod event {
    use std::sync::atomic::Ordering::Relaxed;

    use lifeboat_monitor::capture::{Capture, CoursePoint, End, OutOfMemory, Process, Subject};
    use lifeboat_monitor::report::{Detail, make};
    use lifeboat_recorder::{DeathStage, FrameText, Outcome, Record, RecordKind, Recorder, Stamp};
    use serde_json::Value;

    use crate::common::{Node, recorder};

    const FLAGS: [&str; 3] = ["-O2", "-g", "-fomit-frame-pointer"];
    const OTHER_REGISTER: u64 = 0x00CA_9A12_C0FF_EE00;

    fn event(capture: &Capture) -> Value {
        crate::common::event::event(capture, Detail::Full)
    }

    /// Puts a fault of the main thread into the recorder, as the handler does, and takes the thread out of the rest.
    fn with_fault(
        mut capture: Capture,
        recorder: &Recorder,
        signal: u32,
        code: i32,
        address: u64,
    ) -> Capture {
        let pid = capture.process_id();
        let thread = capture.threads.iter_mut().find(|thread| thread.tid == pid).unwrap();
        let death = recorder.death();
        thread.registers[0] = OTHER_REGISTER;
        for (slot, value) in death.registers.iter().zip(&thread.registers) {
            slot.store(*value, Relaxed);
        }
        death.registers_count.store(thread.registers.len() as u32, Relaxed);
        death.stack_start.store(thread.stack_start, Relaxed);
        death.stack_bytes.store(thread.stack.len() as u64, Relaxed);
        let stack = std::mem::take(&mut thread.stack);
        thread.registers.clear();
        // SAFETY: the recorder keeps 64 KiB for the stack, and a captured stack is no longer.
        unsafe {
            std::ptr::copy_nonoverlapping(
                stack.as_ptr(),
                recorder.death_stack().as_ptr(),
                stack.len().min(65_536),
            )
        };
        death.signal.store(signal, Relaxed);
        death.code.store(code as u32, Relaxed);
        death.fault_address.store(address, Relaxed);
        death.tid.store(pid, Relaxed);
        death.realtime_ns.store(recorder::now_ns(), Relaxed);
        death.generation.store(1, Relaxed);
        death.stage.store(DeathStage::Complete as u32, Relaxed);
        capture.recorder = recorder::bytes(recorder);
        capture.end = End::Signaled(signal as i32);
        capture
    }

    trait ProcessId {
        fn process_id(&self) -> u32;
    }

    impl ProcessId for Capture {
        fn process_id(&self) -> u32 {
            lifeboat_recorder::Snapshot::read(&self.recorder).unwrap().control().pid
        }
    }

    fn last_words(recorder: &Recorder, tid: u32, kind: &str, message: &str) {
        let stamp = Stamp { realtime_ns: recorder::now_ns(), tid };
        let record = Record { level: 4, origin: 0, kind: kind.as_bytes(), message: message.as_bytes() };
        let none = std::iter::empty::<FrameText<'_>>();
        assert_eq!(recorder.record(RecordKind::LastWords, stamp, record, none), Outcome::Written);
    }

    #[test]
    fn a_fault() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let capture = with_fault(recorder::capture(&node, &recorder, End::Unknown), &recorder, 11, 1, 0x10);
        let event = event(&capture);
        let exceptions = event["exception"]["values"].as_array().unwrap();
        assert_eq!(exceptions.len(), 1);
        let fault = &exceptions[0];
        assert_eq!(
            (fault["type"].as_str(), fault["value"].as_str()),
            (Some("SIGSEGV"), Some("null pointer dereference at 0x10 (SEGV_MAPERR)"))
        );
        assert_eq!(fault["mechanism"]["type"], "signalhandler");
        assert_eq!(fault["mechanism"]["handled"], false);
        assert_eq!(fault["mechanism"].get("synthetic"), None);
        assert_eq!(fault["mechanism"]["meta"]["signal"]["number"], 11);
        assert_eq!(fault["mechanism"]["meta"]["signal"]["code_name"], "SEGV_MAPERR");
        let registers = fault["stacktrace"]["registers"].as_object().unwrap();
        assert_eq!(registers.keys().collect::<Vec<_>>(), ["rbp", "rip", "rsp"]);
        assert_eq!(event["release"], "testnode@1.2.3");
        assert_eq!(event["dist"], "0123abcd");
        assert_eq!(event["server_name"], "node-01");
        assert_eq!(event["tags"]["fleet"], "test.fleet");
        assert_eq!(event["tags"]["cause"], "signal");
        assert_eq!(event["tags"]["dc"], "do-ams3");
        assert_eq!(event["contexts"]["node"]["peers"], "17");
        assert_eq!(event["contexts"]["death"]["fault_address_class"], "null page");
        let package = |name: &str, version: &str| serde_json::json!({"name": name, "version": version});
        let packages = [
            package("lifeboat-monitor", lifeboat_monitor::VERSION),
            package("lifeboat-reporter", "0.1.0 (0123456789ab)"),
        ];
        assert_eq!(event["sdk"]["packages"], serde_json::json!(packages));
        assert_eq!(event["sdk"]["version"], env!("CARGO_PKG_VERSION"));
        let text = event.to_string();
        assert!(!text.contains(&format!("{OTHER_REGISTER:x}")) && !text.contains("203.0.113.7"));
    }

    #[test]
    fn the_last_hundred_breadcrumbs_in_order() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let event = event(&recorder::capture(&node, &recorder, End::Exited(1)));
        let crumbs = event["breadcrumbs"]["values"].as_array().unwrap();
        let texts: Vec<_> =
            crumbs.iter().map(|crumb| crumb["message"].as_str().unwrap().to_owned()).collect();
        let expected: Vec<_> = (20..120).map(|number| format!("step {number} from [ip]")).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn every_thread_has_a_name_and_a_stack() {
        let (node, recorder) = (Node::start("threads.c", &["-O2", "-g", "-pthread"]), recorder::declared());
        let capture = with_fault(recorder::capture(&node, &recorder, End::Unknown), &recorder, 6, -6, 0);
        let from = std::time::Instant::now();
        let event = event(&capture);
        println!("a report of 65 threads in {:?}", from.elapsed());
        let threads = event["threads"]["values"].as_array().unwrap();
        assert_eq!(threads.len(), 65);
        let crashed: Vec<_> = threads.iter().filter(|thread| thread["crashed"] == true).collect();
        assert_eq!(crashed.len(), 1);
        assert_eq!(crashed[0].get("stacktrace"), None, "its stack stands in the exception");
        assert_eq!(crashed[0]["id"], event["exception"]["values"][0]["thread_id"]);
        let workers = threads.iter().filter(|thread| thread["name"].as_str().unwrap().starts_with("worker-"));
        let of_work = workers.filter(|thread| {
            let frames = thread["stacktrace"]["frames"].as_array().unwrap();
            frames.iter().any(|frame| frame["function"] == "work" && frame["lineno"].is_u64())
        });
        assert_eq!(of_work.count(), 64);
    }

    #[test]
    fn last_words_of_the_dying_thread_are_the_title() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        last_words(&recorder, node.pid(), "panic", "index 7 is out of range in /home/alice/store.rs");
        let capture = with_fault(recorder::capture(&node, &recorder, End::Unknown), &recorder, 6, -6, 0);
        let event = event(&capture);
        let exceptions = event["exception"]["values"].as_array().unwrap();
        assert_eq!(
            (exceptions[0]["type"].as_str(), exceptions[1]["type"].as_str()),
            (Some("SIGABRT"), Some("panic"))
        );
        assert_eq!(exceptions[1]["value"], "index 7 is out of range in ~/store.rs");
        assert!(exceptions[1]["stacktrace"]["frames"].as_array().unwrap().len() >= 4);
        assert_eq!(exceptions[1]["mechanism"]["meta"]["signal"]["number"], 6);
    }

    #[test]
    fn the_course_of_the_last_minutes() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let mut capture = recorder::capture(&node, &recorder, End::Signaled(9));
        let now_ms = recorder::now_ns() / 1_000_000;
        capture.captured_realtime_ns = now_ms * 1_000_000;
        capture.restarts = Some(3);
        capture.process = Process::default();
        let point = |number: u64| CoursePoint {
            at_ms: now_ms - number * 15_000,
            resident_bytes: Some((u64::MAX >> 20) - (number << 20)),
            cgroup_bytes: None,
            cpu_ratio: Some(1.0 / 3.0).filter(|_| number < 40),
            open_fds: Some(1_048_576 - number),
            threads: Some(100_000 + number),
        };
        capture.course = (0..41).rev().map(point).collect();
        let event = event(&capture);
        assert_eq!(event["contexts"]["death"]["restarts"], 3);
        let process = &event["contexts"]["process"];
        assert_eq!(
            process["open_fds_course"],
            "10 min ago 1048536 · 5 min ago 1048556 · 1 min ago 1048572 · last 1048576"
        );
        assert_eq!(
            (process["open_fds"].as_u64(), process["resident_bytes"].as_u64()),
            (Some(1_048_576), Some(u64::MAX >> 20))
        );
        let course = event["contexts"]["course"].as_object().unwrap();
        assert_eq!(course["cpu_ratio"][0], Value::Null);
        assert_eq!(
            (course["cpu_ratio"][1].as_f64(), course["seconds_before"][0].as_u64()),
            (Some(0.333), Some(600))
        );
        assert!(
            ["resident_bytes", "open_fds", "threads", "cpu_ratio"].iter().all(|name| course[*name]
                .as_array()
                .unwrap()
                .len()
                == 41)
        );
        assert_eq!(course.get("cgroup_bytes"), None);
    }

    #[test]
    fn an_exit() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let capture = recorder::capture(&node, &recorder, End::Exited(1));
        let plain = event(&capture);
        assert_eq!(plain["exception"]["values"][0]["type"], "exit");
        assert_eq!(plain["exception"]["values"][0]["value"], "exited with status 1");
        assert_eq!(plain["exception"]["values"][0]["mechanism"]["type"], "exit");
        let own = &plain["threads"]["values"][0];
        assert_eq!((own["crashed"].as_bool(), own.get("stacktrace")), (Some(true), None));
        last_words(&recorder, node.pid(), "Defect", "no peers left");
        let worded = event(&recorder::capture(&node, &recorder, End::Exited(1)));
        assert_eq!(worded["exception"]["values"].as_array().unwrap().len(), 1);
        assert_eq!(worded["exception"]["values"][0]["type"], "Defect");
        assert_eq!(worded["contexts"]["death"]["exit_status"], 1);
        assert_eq!(worded["tags"]["cause"], "exit");
    }

    #[test]
    fn ends_without_a_record() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let killed = event(&recorder::capture(&node, &recorder, End::Signaled(9)));
        assert_eq!(killed["tags"]["cause"], "killed");
        assert_eq!(killed["exception"]["values"][0]["type"], "SIGKILL");
        let mut starved = recorder::capture(&node, &recorder, End::Signaled(9));
        starved.out_of_memory =
            OutOfMemory { group_kills: Some(1), is_alone: true, ..OutOfMemory::default() };
        let alone = event(&starved);
        assert_eq!(alone["tags"]["cause"], "oom-kill");
        assert_eq!(alone["exception"]["values"][0]["value"], "killed by the kernel for want of memory");
        let death = &alone["contexts"]["death"];
        assert!(
            death["evidence"].as_str().unwrap().contains("killed 1 process")
                && death.get("suspected").is_none()
        );
        starved.out_of_memory = OutOfMemory { machine_kills: Some(2), ..OutOfMemory::default() };
        let suspected = event(&starved);
        assert_eq!(suspected["tags"]["cause"], "killed");
        let death = &suspected["contexts"]["death"];
        assert_eq!(death["suspected"], "out of memory");
        assert!(
            death["suspected_evidence"].as_str().unwrap().contains("2 processes on this machine"),
            "{death}"
        );
        let unknown = event(&recorder::capture(&node, &recorder, End::Unknown));
        assert_eq!(unknown["tags"]["cause"], "unknown");
    }

    #[test]
    fn a_handled_error() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let stamp = Stamp { realtime_ns: recorder::now_ns(), tid: 77 };
        let record =
            Record { level: 2, origin: 0, kind: b"DbError", message: b"locked: postgres://u:secret@db/x" };
        let frame = FrameText {
            function: b"store.open",
            file: b"/root/node/store.nim",
            line: 12,
            column: 3,
            address: 0,
        };
        assert_eq!(recorder.record(RecordKind::Error, stamp, record, [frame].into_iter()), Outcome::Written);
        let mut capture = recorder::capture(&node, &recorder, End::Unknown);
        capture.subject = Subject::Error(0);
        let event = event(&capture);
        let error = &event["exception"]["values"][0];
        assert_eq!((event["level"].as_str(), error["type"].as_str()), (Some("warning"), Some("DbError")));
        assert_eq!(error["value"], "locked: postgres://[credentials]@db/x");
        assert_eq!(error["mechanism"]["handled"], true);
        let frame = &error["stacktrace"]["frames"][0];
        assert_eq!(
            (frame["function"].as_str(), frame["abs_path"].as_str()),
            (Some("store.open"), Some("~/node/store.nim"))
        );
        assert_eq!(frame["lineno"], 12);
        capture.subject = Subject::Error(5);
        assert!(make(&capture, Detail::Full).unwrap_err().is_malformed());
    }

    #[test]
    fn the_same_capture_makes_the_same_id() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let capture = recorder::capture(&node, &recorder, End::Exited(1));
        let id = make(&capture, Detail::Full).unwrap().event_id;
        assert_eq!(make(&capture, Detail::CaptureOnly).unwrap().event_id, id);
    }

    #[test]
    fn a_corrupt_capture_ends_in_a_report_or_an_error() {
        let (node, recorder) = (Node::start("deep.c", &FLAGS), recorder::declared());
        let capture = with_fault(recorder::capture(&node, &recorder, End::Unknown), &recorder, 11, 1, 0x10);
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for _ in 0..40 {
            let mut corrupt = capture.clone();
            for _ in 0..next() % 40 {
                let at = next() as usize % corrupt.recorder.len();
                corrupt.recorder[at] = next() as u8;
                let at = next() as usize % corrupt.maps.len();
                corrupt.maps[at] = next() as u8;
                // The death slot: its registers and its stack.
                let slot =
                    recorder.death_stack().as_ptr() as usize - recorder.base().as_ptr() as usize - 4096;
                let at = slot + next() as usize % (325 * 1024);
                corrupt.recorder[at] = next() as u8;
            }
            let _report_or_error = make(&corrupt, Detail::Full);
        }
    }
}
