//! The stand-in has the faults of the real core, and nothing that asks it is misled.
//!
//! 1. A module spends half a second in user mode: the core reports none of it.
//! 2. Texts of the core come from `new[]`: asked again and again, the helper leaves none behind, and `free` would end
//!    the process.
//! 3. What the core answers has the shape of what the real one was recorded to answer.
//! 4. A module that died is no longer in the core's answer.

use std::sync::atomic::{AtomicU32, Ordering};

use lifeboat_tests::{Compile, Compiler, Run};
use serde_json::Value;

use crate::bench::{Bench, Host, Modules, fixture, json, wait_for_end};

/// What README.md of logos-co/process-stats shows, and what its code prints of the same: keys in the order of the alphabet.
pub(crate) const RECORDED: [&str; 2] = [
    r#"[{"name":"my_process","cpu_percent":1.5,"cpu_time_seconds":10.2,"memory_mb":45.3}]"#,
    r#"[{"cpu_percent":1.5,"cpu_time_seconds":10.2,"memory_mb":45.3,"name":"delivery_module"}]"#,
];

#[test]
fn the_core_reports_no_user_time_and_forgets_who_died() {
    let bench = Bench::new("logos-core");
    let mut host = bench.start(Modules::Plain, &["demo_module", "other_module"], &[]);
    host.tell_module("demo_module", "burn 0.5");
    let true_seconds: f64 = host.answer("demo_module", "times").parse().unwrap();
    let stats = stats(&mut host);
    let [demo, other] = stats.as_array().unwrap().as_slice() else { panic!("{stats} has two modules") };
    for recorded in RECORDED {
        assert_eq!(shape(demo), shape(&json(recorded)[0]), "the stand-in answers as the real core does");
    }
    assert_eq!((&demo["name"], &other["name"]), (&"demo_module".into(), &"other_module".into()));
    let reported = demo["cpu_time_seconds"].as_f64().unwrap();
    assert!(true_seconds >= 0.5 && reported < true_seconds / 2.0, "{reported} of {true_seconds} seconds");
    let other = host.seen("other_module");
    host.tell_module("other_module", "abort");
    wait_for_end(other);
    host.wait_for_reports(1);
    assert_eq!(self::stats(&mut host).as_array().unwrap().len(), 1, "who died is gone from the answer");
    host.stop(&bench);
}

#[test]
fn texts_of_the_core_are_released_as_they_were_made() {
    let bench = Bench::new("logos-arrays");
    let mut host = bench.start(Modules::Plain, &["demo_module"], &[]);
    // Each look of the host asks for two texts.
    (0..20).for_each(|_| drop(stats(&mut host)));
    host.tell("arrays");
    host.running.wait_for("arrays 0.");
    host.stop(&bench);
    let scratch = bench.scratch.join("free.cpp");
    std::fs::write(&scratch, "#include \"logos_core.h\"\n#include <cstdlib>\nint main() { std::free(logos_core_get_module_stats()); }\n").unwrap();
    let compile = Compile::new(Compiler::Gxx).flag("-I").flag(fixture("")).source(&scratch);
    let program = compile.flag(bench.scratch.join("liblogos_core.so")).flag("-Wl,-rpath,$ORIGIN");
    let outcome = Run::new(program.build(bench.scratch.join("free"))).finish();
    assert_eq!(outcome.shell_status(), 128 + 6, "the stand-in notices free(): {}", outcome.stderr);
}

fn stats(host: &mut Host) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let question = format!("stats {}", NEXT.fetch_add(1, Ordering::Relaxed));
    host.tell(&question);
    let line = host.running.wait_for_line(&format!("{question} "), "]");
    json(line.strip_prefix(&question).unwrap())
}

/// Keys and the kinds of their values, in no order.
fn shape(value: &Value) -> Vec<(String, &'static str)> {
    let kind = |value: &Value| match value {
        Value::String(_) => "text",
        Value::Number(number) if number.is_f64() => "number with a fraction",
        _ => "other",
    };
    let mut shape: Vec<_> =
        value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), kind(value))).collect();
    shape.sort();
    shape
}
