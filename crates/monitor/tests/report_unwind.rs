//! Where call frame information ends, the stack is still found. 1. programs whose C library has none, that jumped to
//! nowhere, or that stand in a signal handler  2. capture  3. every own frame is there, in order.

#[cfg(test)]
mod common;

#[cfg(test)]
mod unwind {
    use lifeboat_monitor::capture::End;
    use lifeboat_monitor::report::Detail;
    use serde_json::Value;

    use crate::common::event::{event, line, own_frames};
    use crate::common::{MUSL, Node, compile, recorder};

    const FLAGS: [&str; 3] = ["-O2", "-g", "-fomit-frame-pointer"];

    fn check(source: &str, more: &[&str], expected: &[(&str, &str)]) -> Value {
        let program = compile(source, &[FLAGS.as_slice(), more].concat());
        let node = Node::run(&program);
        let event = event(&recorder::capture(&node, &recorder::declared(), End::Exited(1)), Detail::Full);
        let mut own = own_frames(&event, &program);
        // In a static program the C library's functions, without files, are the program's too.
        own.retain(|(_, line)| *line != 0);
        let expected: Vec<_> =
            expected.iter().map(|(name, word)| ((*name).to_owned(), line(source, word))).collect();
        assert_eq!(own, expected, "{:#}", event["exception"]);
        event
    }

    const DEEP: [(&str, &str); 4] =
        [("read_peer", "WAITS"), ("score_peer", "SCORES"), ("handle_message", "HANDLES"), ("main", "STARTS")];
    const HANDLER: [(&str, &str); 3] = [("wait_for_input", "WAITS"), ("call", "CALLS"), ("main", "STARTS")];

    #[test]
    fn a_static_musl_program() {
        let event = check("deep.c", &[MUSL, "-static"], &DEEP);
        assert_eq!(
            event["contexts"]["death"]
                .get("notes")
                .map(|notes| notes.to_string().contains("stacks are longer")),
            Some(false)
        );
    }

    #[test]
    fn a_dynamic_musl_program() {
        check("deep.c", &[MUSL], &DEEP);
    }

    #[test]
    fn a_jump_to_nowhere_behind_a_signal_handler() {
        let event = check("handler.c", &[], &HANDLER);
        let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
        let nowhere = frames.iter().find(|frame| frame["instruction_addr"] == "0x0").unwrap();
        assert_eq!((nowhere.get("package"), nowhere.get("function")), (None, None));
        assert_eq!(event["contexts"]["death"].get("notes"), None);
    }

    #[test]
    fn the_same_with_musl() {
        check("handler.c", &[MUSL, "-static"], &HANDLER);
    }

    #[test]
    fn frame_pointers_will_do() {
        check("deep.c", &["-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-static"], &DEEP);
    }

    #[test]
    fn frame_information_for_debuggers_only_will_do() {
        let flags = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions"];
        let event = check("deep.c", &flags, &DEEP);
        assert_eq!(event["contexts"]["death"].get("notes"), None, "nothing was guessed");
    }
}
