//! What the core answers is read strictly, and none of it is trusted.
//!
//! 1. Recorded answers are read: members in any order, those that are not known left alone.
//! 2. What is not JSON, or has a member of another type, is refused whole.
//! 3. A hundred thousand texts made by chance are read under ASan and UBSan.

use lifeboat_tests::{Compile, Compiler, Run, Scratch};

use crate::bench::fixture;
use crate::core::RECORDED;

const READ: [(&str, &str); 8] = [
    (RECORDED[0], "read my_process,-1,-1,10.2,45.3"),
    (RECORDED[1], "read delivery_module,-1,-1,10.2,45.3"),
    ("[]", "read"),
    (" [ { } , {\"name\" : \"a\" } ] \n", "read ,-1,-1,-1,-1 a,-1,-1,-1,-1"),
    (
        r#"[{"dependencies":["a","b"],"loaded":true,"loaded_at":1763800000,"metadata":null,"name":"chat"}]"#,
        "read chat,1,1.7638e+09,-1,-1",
    ),
    (r#"[{"metadata":{"x":[{},[[]],1e3,-0.5]},"loaded":false,"name":"ch\u0061t"}]"#, "read chat,0,-1,-1,-1"),
    (
        r#"[{"name":"\"\\\/\b\f\n\r\t\ud83d","memory_mb":1.5E-1}]"#,
        "read \"\\/\u{8}\u{c}\n\r\t?,-1,-1,-1,0.15",
    ),
    (r#"[{"pid":null,"cpu_time_seconds":0,"name":"a"}]"#, "read a,-1,-1,0,-1"),
];

const REFUSED: [&str; 24] = [
    "",
    "[",
    "{}",
    "[]x",
    "[{}",
    "[{},]",
    "[{,}]",
    "[1]",
    "[{\"name\"}]",
    "[{\"name\":}]",
    "[{\"name\":1}]",
    "[{\"name\":\"a}]",
    "[{\"name\":\"a\nb\"}]",
    "[{\"name\":\"\\x41\"}]",
    "[{\"name\":\"\\u12\"}]",
    "[{\"loaded\":1}]",
    "[{\"loaded\":truth}]",
    "[{\"memory_mb\":\"1\"}]",
    "[{\"memory_mb\":01}]",
    "[{\"memory_mb\":1.}]",
    "[{\"memory_mb\":.5}]",
    "[{\"memory_mb\":0x1}]",
    "[{\"memory_mb\":inf}]",
    "[{\"memory_mb\":1e999}]",
];

#[test]
fn answers_of_the_core_are_read_strictly() {
    let scratch = Scratch::new("logos-reader");
    let flags = ["-std=c++11", "-O1", "-g", "-DLIFEBOAT_LOAD", "-DLIFEBOAT_WARNINGS_", "-Wall", "-Wextra"];
    let compile = Compile::new(Compiler::Gxx).flags(flags).flag("-fsanitize=address,undefined");
    let compile = compile.flag("-fno-sanitize-recover=all").source(fixture("reader.cpp"));
    let program = compile.build(scratch.join("reader"));
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(40), "]".repeat(40));
    let texts: Vec<_> = READ.iter().map(|(text, _)| *text).chain(REFUSED).chain([deep.as_str()]).collect();
    let said = Run::new(program).args(&texts).env("ASAN_OPTIONS", "detect_leaks=0").finish().output();
    let expected: String = READ.iter().map(|(_, expected)| format!("{expected}\n")).collect();
    let Some(rest) = said.strip_prefix(&expected) else { panic!("{said:?} begins with {expected:?}") };
    let refused: Vec<_> = rest.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(refused, vec!["refused"; REFUSED.len() + 1]);
}
