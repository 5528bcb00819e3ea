//! The last lines of a program, whatever it wrote: a reason is one of theirs, and bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_monitor::run::{level, reason};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<_> = text.lines().collect();
    for line in &lines {
        let _ = level::of(line);
    }
    if let Some(reason) = reason::find(&lines) {
        assert!(reason.line < lines.len() && reason.frames.len() <= 64);
        let all: usize = lines.iter().map(|line| line.len() + 1).sum();
        assert!(reason.message.len() <= all + 16 && reason.kind.len() <= all + 16);
        // What is found in all lines is found in those from its own on, but for the calls that stand before it.
        let from = lines.get(reason.line..).and_then(reason::find);
        assert!(from.is_some_and(|from| from.line == 0 && from.message == reason.message));
    }
});
