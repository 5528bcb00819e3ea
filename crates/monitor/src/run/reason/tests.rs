//! Texts as programs really wrote them, and texts that only look so.

use super::*;

fn told(text: &str) -> Option<(Origin, String, String, Vec<String>)> {
    let lines: Vec<_> = text.lines().collect();
    let reason = find(&lines)?;
    let frame = |frame: &Frame| format!("{} {}:{}:{}", frame.function, frame.file, frame.line, frame.column);
    Some((reason.origin, reason.kind, reason.message, reason.frames.iter().map(frame).collect()))
}

fn check(text: &str, origin: Origin, kind: &str, message: &str, frames: &[&str]) {
    let frames = frames.iter().map(|frame| (*frame).to_owned()).collect();
    assert_eq!(told(text), Some((origin, kind.to_owned(), message.to_owned(), frames)), "{text}");
}

#[test]
fn nim_tells_type_message_and_calls() {
    check(
        "Error: unhandled exception: Empty deque. [IndexDefect]",
        Origin::Nim,
        "IndexDefect",
        "Empty deque.",
        &[],
    );
    check(
        "INF started\nTraceback (most recent call last)\n/src/a b/node.nim(12) node\n/src/manager.nim(79, 4) next\n\
         /usr/lib/nim/system/fatal.nim(54) sysFatal\nError: unhandled exception: index 5 not in 0 .. 2 [IndexDefect]",
        Origin::Nim,
        "IndexDefect",
        "index 5 not in 0 .. 2",
        &[
            "sysFatal /usr/lib/nim/system/fatal.nim:54:0",
            "next /src/manager.nim:79:4",
            "node /src/a b/node.nim:12:0",
        ],
    );
}

#[test]
fn nim_tells_a_threads_calls_without_a_headline() {
    check(
        "INF rotated (1) turn\n/src/manager.nim(79) next\ndeques.nim(98)           popFirst\n\
         Error: unhandled exception: Empty deque. [IndexDefect]",
        Origin::Nim,
        "IndexDefect",
        "Empty deque.",
        &["popFirst deques.nim:98:0", "next /src/manager.nim:79:0"],
    );
}

#[test]
fn nim_tells_the_way_before_it_was_raised_again() {
    check(
        "Traceback (most recent call last)\na.nim(9) a\na.nim(7) b\n[[reraised from:\na.nim(9) a\na.nim(3) c\n]]\n\
         Error: unhandled exception: no [ValueError]",
        Origin::Nim,
        "ValueError",
        "no",
        &["b a.nim:7:0", "a a.nim:9:0"],
    );
}

#[test]
fn nim_messages_of_several_lines() {
    check(
        "Error: unhandled exception: one\ntwo [with brackets]\nthree [IOError]",
        Origin::Nim,
        "IOError",
        "one\ntwo [with brackets]\nthree",
        &[],
    );
    check(
        "Error: unhandled exception: refused\nAsync traceback:\n  a.nim(3) b\nException message: refused\n [OSError]",
        Origin::Nim,
        "OSError",
        "refused",
        &[],
    );
    check("Error: unhandled exception: cut off", Origin::Nim, "Exception", "cut off", &[]);
}

#[test]
fn nim_illegal_access_is_no_exception() {
    assert_eq!(told("SIGSEGV: Illegal storage access. (Attempt to read from nil?)"), None);
}

#[test]
fn rust_tells_message_and_place() {
    let below = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
    for thread in ["thread 'main'", "thread 'main' (4711)", "thread '<unnamed>'", "thread 'it's mine'"] {
        let text = format!("\n{thread} panicked at src/main.rs:3:5:\nindex out of bounds\n{below}");
        check(&text, Origin::Panic, "panic", "index out of bounds", &[" src/main.rs:3:5"]);
    }
    let several =
        format!("thread 'a' panicked at b.rs:1:2:\nassertion failed\n  left: 1\n right: 2\n{below}");
    check(&several, Origin::Panic, "panic", "assertion failed\n  left: 1\n right: 2", &[" b.rs:1:2"]);
    check("thread 'a' panicked at b.rs:1:2:\nno\nlog line", Origin::Panic, "panic", "no", &[" b.rs:1:2"]);
    check("thread 'a' panicked at b.rs:1:2:", Origin::Panic, "panic", "", &[" b.rs:1:2"]);
}

#[test]
fn rust_of_old() {
    check(
        "thread 'main' panicked at 'it's over, src/a.rs:1', src/main.rs:3:5",
        Origin::Panic,
        "panic",
        "it's over, src/a.rs:1",
        &[" src/main.rs:3:5"],
    );
    check("thread 'a' panicked at 'one\ntwo', b.rs:1:2", Origin::Panic, "panic", "one\ntwo", &[" b.rs:1:2"]);
    assert_eq!(told("thread 'a' panicked at nowhere"), None);
}

#[test]
fn the_last_reason_counts() {
    let text = "thread 'a' panicked at a.rs:1:1:\nfirst\nnote: run with `RUST_BACKTRACE=1`\nlog\n\
                thread 'b' panicked at b.rs:2:2:\nsecond";
    check(text, Origin::Panic, "panic", "second", &[" b.rs:2:2"]);
    assert_eq!(find(&text.lines().collect::<Vec<_>>()).map(|reason| reason.line), Some(4));
}

#[test]
fn cpp_tells_type_and_what() {
    let thrown = "terminate called after throwing an instance of 'std::runtime_error'";
    check(
        &format!("{thrown}\n  what():  no peers: 3"),
        Origin::Cpp,
        "std::runtime_error",
        "no peers: 3",
        &[],
    );
    check("terminate called after throwing an instance of 'int'", Origin::Cpp, "int", "", &[]);
    let without = "terminate called without an active exception";
    check(without, Origin::Cpp, "std::terminate", without, &[]);
    let libcxx = "libc++abi: terminating due to uncaught exception of type std::runtime_error: no peers";
    check(libcxx, Origin::Cpp, "std::runtime_error", "no peers", &[]);
}

#[test]
fn a_failed_assert_tells_its_place() {
    let glibc = "node: src/peer.c:12: connect_to: Assertion `peer != 0 && \"a: b\"' failed.";
    let message = "peer != 0 && \"a: b\" failed";
    check(glibc, Origin::Other, "assert", message, &["connect_to src/peer.c:12:0"]);
    let signature = "a.out: a.cpp:4: void std::go(int): Assertion `x' failed.";
    check(signature, Origin::Other, "assert", "x failed", &["void std::go(int) a.cpp:4:0"]);
    check(
        "Assertion failed: x > 1 (a.c: main: 12)",
        Origin::Other,
        "assert",
        "x > 1 failed",
        &["main a.c:12:0"],
    );
    for text in
        ["a: Assertion failed.", ": Assertion ` failed.", "Assertion failed: x", "1: Assertion x failed"]
    {
        assert_eq!(told(text), None, "{text}");
    }
}

#[test]
fn glibc_complains_of_the_heap() {
    let text = "free(): double free detected in tcache 2";
    check(text, Origin::Other, "abort", text, &[]);
    assert_eq!(told("we called free(): it worked"), None);
}

#[test]
fn ordinary_lines_tell_nothing() {
    assert_eq!(told(""), None);
    assert_eq!(told("INF 2026-01-01 peer connected\nERR dial failed: thread pool is full\n"), None);
}
