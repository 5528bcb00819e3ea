//! The page of a whole report, and of reports that nobody should write.

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::json;
use unicode_width::UnicodeWidthStr;
use uuid::Uuid;

use super::*;

fn page_of(value: &Value, width: usize) -> String {
    let stored = Stored {
        path: PathBuf::from("/state/spool/1.envelope"),
        event_id: Uuid::from_u128(1),
        state: State::Pending,
        stored_at: SystemTime::now(),
    };
    let text =
        render(value, &stored, &Delivery { server: None, reason: None }, Size { width, breadcrumbs_max: 40 });
    anstream::adapter::strip_str(&text).to_string()
}

fn frame(function: &str, line: u32, address: &str) -> Value {
    json!({"function": function, "filename": "src/net.c", "lineno": line, "in_app": true, "instruction_addr": address})
}

#[test]
fn the_stack_stands_innermost_first_with_inlined_and_unnamed_frames() {
    let value = json!({
        "exception": {"values": [{"type": "SIGSEGV", "value": "null", "thread_id": 7, "stacktrace": {"frames": [
            {"package": "/lib/libc.so.6", "instruction_addr": "0x7f0000029d90"},
            {"function": "libssl.so.3+0x1c", "package": "/lib/libssl.so.3", "instruction_addr": "0x7e000000001c"},
            {"function": "far", "filename": "net.c", "abs_path": "/a/b/deep/src/net.c", "lineno": 30},
            frame("outer", 10, "0x1000"),
            frame("inner", 20, "0x1000"),
        ]}}]},
        "threads": {"values": [{"id": 7, "name": "net-io", "crashed": true}, {"id": 8, "name": "main"}]},
        "debug_meta": {"images": [
            {"code_file": "/lib/libc.so.6", "image_addr": "0x7f0000000000", "image_size": 2_000_000},
        ]},
    });
    let page = page_of(&value, 100);
    let position = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in\n{page}"));
    assert!(position("net-io (7), innermost first") < position("inner "));
    assert!(position("src/net.c:20  inlined") < position("outer "));
    assert!(position("src/net.c:10\n") < position("libc.so.6+0x29d90\n"));
    // Module and offset in the place of a name: the module is not said twice.
    assert!(page.contains("libssl.so.3+0x1c\n"), "{page}");
    // The bare name of a file is given its folders back.
    assert!(page.contains("deep/src/net.c:30\n"), "{page}");
    assert!(position("OTHER THREADS  1") < position("main (8)  no stack was captured"));
}

#[test]
fn long_runs_of_foreign_frames_are_one_line() {
    let foreign = |number: u32| {
        let mut frame = frame(&format!("std::run_{number}"), number, &format!("{:#x}", 0x9000 + number));
        frame["in_app"] = json!(false);
        frame["package"] = json!("/usr/lib/libother.so.1");
        frame
    };
    let mut own = frame("main", 7, "0x1000");
    own["in_app"] = json!(true);
    let frames = |own: Value, count: u32| {
        let mut frames: Vec<_> = (1..=count).map(foreign).collect();
        frames.push(own);
        json!({ "exception": { "values": [{ "type": "panic", "stacktrace": { "frames": frames } }] } })
    };
    let page = page_of(&frames(own.clone(), 5), 100);
    assert!(page.contains("  1  … 5 frames of libother.so.1\n") && !page.contains("std::run"), "{page}");
    let page = page_of(&frames(own.clone(), 3), 100);
    assert!(page.contains("std::run_1") && page.contains("std::run_3"), "{page}");
    own["in_app"] = json!(false);
    let page = page_of(&frames(own, 5), 100);
    assert!(page.contains("std::run_5"), "all of them, where none is the program's own: {page}");
}

#[test]
fn planted_escape_sequences_reach_no_terminal_from_any_field() {
    let evil = "x\x1b[2J\u{9b}1m\r\x07\u{202e}y";
    let text = include_str!("../../tests/event.json");
    let mut value: Value = serde_json::from_str(text).unwrap();
    plant(&mut value, evil);
    let page = page_of(&value, 100);
    let escaped = clean::json(&serde_json::to_string_pretty(&value).unwrap());
    for text in [page, escaped] {
        let bad: Vec<char> = text.chars().filter(|letter| letter.is_control() && *letter != '\n').collect();
        assert!(bad.is_empty() && !text.contains('\u{202e}'), "{bad:?} in\n{text}");
    }
}

/// Puts the text behind every string and in every key.
fn plant(value: &mut Value, evil: &str) {
    match value {
        Value::String(text) => text.push_str(evil),
        Value::Array(list) => list.iter_mut().for_each(|value| plant(value, evil)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| plant(value, evil));
            let _ = fields.insert(format!("new{evil}"), json!(evil));
        }
        _ => {}
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let value: Value = serde_json::from_str(include_str!("../../tests/event.json")).unwrap();
    for width in [60, 80, 100, 120] {
        let page = page_of(&value, width);
        for line in page.lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn an_event_of_wrong_types_is_shown_as_far_as_it_goes() {
    let mut original: Value = serde_json::from_str(include_str!("../../tests/event.json")).unwrap();
    original.pointer_mut("/breadcrumbs/values").unwrap().as_array_mut().unwrap().drain(2..);
    let pointers = pointers(&original, "");
    for wrong in [json!(null), json!(1e300), json!("text"), json!([1, "x", {}]), json!({})] {
        for pointer in &pointers {
            let mut value = original.clone();
            *value.pointer_mut(pointer).unwrap() = wrong.clone();
            assert!(page_of(&value, 80).contains("DELIVERY"), "{pointer}");
            assert!(html::page(&value, Uuid::nil()).contains("</footer>"), "{pointer}");
        }
    }
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (format!("{at}/{key}"), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(key, value)| (format!("{at}/{key}"), value)).collect()
        }
        _ => Vec::new(),
    };
    inner.iter().flat_map(|(path, value)| [vec![path.clone()], pointers(value, path)].concat()).collect()
}

#[test]
fn a_report_is_found_by_its_beginning_and_never_by_half_a_guess() {
    let stored = |id| Stored {
        path: PathBuf::new(),
        event_id: Uuid::from_u128(id),
        state: State::Sent,
        stored_at: SystemTime::now(),
    };
    let reports = [stored(0xabc1 << 112), stored(0xabc2 << 112)];
    assert_eq!(find(&reports, "last").unwrap(), &reports[0]);
    assert_eq!(find(&reports, "ABC2").unwrap(), &reports[1]);
    assert_eq!(find(&reports, &reports[1].event_id.hyphenated().to_string()).unwrap(), &reports[1]);
    assert!(find(&reports, "abc").unwrap_err().to_string().contains("2 reports"));
    assert!(find(&reports, "ffff").unwrap_err().to_string().contains("no report"));
    assert!(find(&reports, "").is_err() && find(&[], "last").is_err());
}
