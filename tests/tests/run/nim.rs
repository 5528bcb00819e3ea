//! logos-delivery #4064: a node without telemetry ends by `Empty deque. [IndexDefect]`, in a thread.
//!
//! 1. An ordinary Nim program, release and debug, takes from an empty deque.
//! 2. It ends with status 1, saying what it always said.
//! 3. The report is called after the exception, and names the procs as far as the build knows them.

use lifeboat_tests::{Run, Scratch, repository};

use crate::bench::{Bench, functions, title};

fn nim(flags: &[&str]) -> Bench {
    let scratch = Scratch::trusted("nim");
    let program = scratch.join("partitions");
    let compile =
        Run::new("nim").args(["c", "--mm:refc", "--threads:on", "--hints:off", "--debugger:native"]);
    let compile = compile.args(flags).arg(format!("--nimcache:{}", scratch.join("cache").display()));
    let compile = compile.arg(format!("-o:{}", program.display()));
    let outcome = compile.arg(repository("tests/fixtures/run_partitions.nim")).finish();
    assert!(outcome.succeeded(), "{}{}", outcome.stdout, outcome.stderr);
    Bench::of(scratch, program)
}

#[test]
fn release_build_tells_the_exception() {
    let bench = nim(&["-d:release"]);
    for arguments in [&[][..], &["main"]] {
        let event = bench.check_one(&[], arguments);
        assert_eq!(title(&event), "IndexDefect: Empty deque.");
        let death = &event["contexts"]["death"];
        assert_eq!((&death["cause"], &death["exit_status"]), (&"nim-exception".into(), &1.into()));
        let functions = functions(&event);
        // In its main thread the exception's own stack still stands when it ends; of another the text is all there is.
        if arguments.is_empty() {
            assert_eq!(functions, ["popFirst"]);
        } else {
            assert!(functions[0].ends_with("nextPartition"), "{functions:?}");
            assert!(functions[1].ends_with("rotatePartitions"), "{functions:?}");
        }
    }
}

#[test]
fn debug_build_tells_every_proc() {
    let bench = nim(&[]);
    for (arguments, options) in [(&[][..], &[][..]), (&["main"], &[]), (&[], &["--no-trace"])] {
        let event = bench.check_one(options, arguments);
        assert_eq!(title(&event), "IndexDefect: Empty deque.");
        let names = functions(&event);
        assert_eq!(names[..3], ["nextPartition", "rotatePartitions", "partitionsLoop"], "{names:?}");
        let frames = &event["exception"]["values"][0]["stacktrace"]["frames"];
        let of_ours =
            frames.as_array().unwrap().iter().find(|frame| frame["function"] == "nextPartition").unwrap();
        assert_eq!((&of_ours["filename"], &of_ours["lineno"]), (&"run_partitions.nim".into(), &11.into()));
    }
}
