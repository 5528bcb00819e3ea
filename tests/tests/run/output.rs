//! What the program writes arrives unchanged, and what it inherits stays its own.
//!
//! 1. The program writes 64 MiB, or to one place by two ways, or is read by nobody. 2. All is as without us.

use crate::bench::{Bench, child_of, children_of, delivered, event, is_role, notes, title, wait_until};

const RUN: &str = "LIFEBOAT run --";

/// A shell line in which `RUN` stands for looking after, and `PROGRAM` for the program.
fn shell(bench: &Bench, line: &str) -> lifeboat_tests::Outcome {
    let lifeboat = delivered("bin/lifeboat");
    let line = line.replace("RUN", RUN).replace("LIFEBOAT", &lifeboat.display().to_string());
    let line = line.replace("PROGRAM", &bench.program().display().to_string());
    let run = lifeboat_tests::Run::new("bash").args(["-c", &line]).folder(bench.scratch.path());
    run.env("LIFEBOAT_STATE_DIR", bench.state_dir()).finish()
}

#[test]
fn much_output_arrives_whole() {
    let bench = Bench::new();
    let alone = shell(&bench, "PROGRAM much | sha256sum").output();
    assert_eq!(shell(&bench, "RUN PROGRAM much | sha256sum").output(), alone);
    assert_eq!(shell(&bench, "RUN PROGRAM much > all; sha256sum < all; rm all").output(), alone);
}

#[test]
fn a_reader_that_is_slow_or_goes_is_felt() {
    let bench = Bench::new();
    // With nobody reading the program stands still: it cannot be at its end.
    let slow =
        shell(&bench, "RUN PROGRAM much | { sleep 0.5; pgrep -f 'PROGRAM much' > /dev/null && wc -c; }");
    assert_eq!(slow.output().trim(), (64 << 20).to_string());
    let gone = shell(&bench, "RUN PROGRAM much | head -c 100 > /dev/null; echo ${PIPESTATUS[0]}");
    assert_eq!(gone.output().trim(), "141");
}

#[test]
fn two_streams_to_one_place_keep_their_order() {
    let bench = Bench::new();
    let script = "for i in $(seq 300); do echo $i; echo $i >&2; done";
    let alone = shell(&bench, &format!("sh -c '{script}' 2>&1")).output();
    assert_eq!(shell(&bench, &format!("RUN sh -c '{script}' 2>&1")).output(), alone);
}

#[test]
fn a_terminal_stays_a_terminal() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let inner = format!(
        "{} run -- sh -c 'test -t 0 && test -t 1 && test -t 2 && exit 9'",
        delivered("bin/lifeboat").display()
    );
    let run = lifeboat_tests::Run::new("script").args(["-qec", &inner, "/dev/null"]);
    let outcome = run.env("LIFEBOAT_STATE_DIR", &state_dir).finish();
    assert_eq!(outcome.shell_status(), 9);
    assert!(notes(&event(&state_dir)).contains("terminal"));
    // What the C library said of a failed assert is read from its memory, then.
    let state_dir = bench.state_dir();
    let inner =
        format!("{} run -- {} assert", delivered("bin/lifeboat").display(), bench.program().display());
    let run = lifeboat_tests::Run::new("script").args(["-qec", &inner, "/dev/null"]);
    let _ = run.env("LIFEBOAT_STATE_DIR", &state_dir).folder(bench.scratch.path()).finish();
    assert!(title(&event(&state_dir)).contains("Assertion `received == 5"), "{}", title(&event(&state_dir)));
}

#[test]
fn a_key_of_the_terminal_arrives_once() {
    let bench = Bench::new();
    // The terminal sends it to all of the group.
    let talk = "coproc script -qec 'RUN PROGRAM wait-count' /dev/null; while read -r line <&${COPROC[0]}; do case $line in \
                *ready*) printf '\\003' >&${COPROC[1]};; *received*) echo $line;; esac; done";
    for options in ["run --no-trace --", "run --"] {
        let outcome = shell(&bench, &talk.replace("RUN", &RUN.replace("run --", options)));
        assert!(
            outcome.stdout.trim().ends_with("received 1"),
            "{options} {} {}",
            outcome.stdout,
            outcome.stderr
        );
    }
}

#[test]
fn what_it_inherits_is_its_own() {
    let bench = Bench::new();
    assert_eq!(shell(&bench, "RUN PROGRAM descriptor 7</dev/null 8<&-").shell_status(), 0);
    assert_eq!(shell(&bench, "RUN PROGRAM stdin < /dev/null").shell_status(), 0);
    assert_eq!(shell(&bench, "RUN PROGRAM stdin <&-").shell_status(), 0);
    assert_eq!(shell(&bench, "cd /; RUN pwd").output(), "/\n");
    assert_eq!(shell(&bench, "MINE=secret RUN sh -c 'echo $MINE'").output(), "secret\n");
    let masks = "grep -E \"^Sig(Blk|Ign|Cgt)\" /proc/self/status";
    let alone = shell(&bench, &format!("sh -c '{masks}'")).output();
    assert_eq!(shell(&bench, &format!("RUN sh -c '{masks}'")).output(), alone);
    let numbers = "ls /proc/self/fd";
    assert_eq!(shell(&bench, &format!("RUN {numbers}")).output(), shell(&bench, numbers).output());
}

#[test]
fn secrets_of_the_environment_stay_with_the_program() {
    let bench = Bench::new();
    let dsn = "http://0123456789abcdef@127.0.0.1:9/1";
    let run = bench.run(&[], &["wait"], &bench.state_dir()).env("SENTRY_DSN", dsn).env("NODE_KEY", "hunter2");
    let mut running = run.spawn();
    running.wait_for("ready");
    let ours = || children_of(running.pid().cast_signed()).into_iter().filter(|pid| is_role(*pid, "post"));
    wait_until("somebody delivers", || ours().next().is_some());
    let of = |pid: i32| std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let holds = |pid| String::from_utf8_lossy(&of(pid)).contains("hunter2");
    assert!(!ours().any(holds) && holds(child_of(&running)));
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.finish().shell_status(), 143);
}

#[test]
fn an_output_that_it_closes_is_closed() {
    let bench = Bench::new();
    // The reader's end comes while the program waits for it.
    let line = "rm -f pipe; mkfifo pipe; RUN sh -c 'echo a; exec >&-; read word < pipe; exit 9' | { cat; echo b > pipe; }; \
                exit ${PIPESTATUS[0]}";
    let outcome = shell(&bench, line);
    assert_eq!((outcome.shell_status(), outcome.stdout.as_str()), (9, "a\n"));
}

#[test]
fn a_daemon_that_is_left_behind_can_write_on() {
    let bench = Bench::new();
    assert_eq!(shell(&bench, "RUN PROGRAM daemon | cat; exit ${PIPESTATUS[0]}").stdout, "daemon writes on\n");
}
