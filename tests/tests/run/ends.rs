//! Every way to end: the status and the output stay, and the report tells cause, status and stack.
//!
//! 1. The program ends alone; then looked after. 2. Both end alike. 3. The report says what was seen.

use lifeboat_tests::Run;

use crate::bench::{Bench, delivered, event, events, functions, notes, title};

#[test]
fn faults_are_told_with_their_stack() {
    let bench = Bench::new();
    let null = bench.check_one(&[], &["null"]);
    assert_eq!(title(&null), "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)");
    assert_eq!(functions(&null)[..3], ["decode_message", "deliver", "end_quickly"]);
    assert_eq!(null["contexts"]["death"]["cause"], "signal");
    assert_eq!(null["contexts"]["process"]["program"].as_str().unwrap(), bench.program().to_str().unwrap());
    let overflow = bench.check_one(&[], &["overflow"]);
    assert!(title(&overflow).contains("stack overflow"), "{}", title(&overflow));
    assert!(functions(&overflow).iter().filter(|name| *name == "too_deep").count() > 5);
    let abort = bench.check_one(&[], &["abort"]);
    assert!(functions(&abort).contains(&"end_quickly".into()), "{:?}", functions(&abort));
    assert!(title(&bench.check_one(&[], &["trap"])).starts_with("SIGILL"));
}

#[test]
fn every_signal_that_ends_a_process() {
    let bench = Bench::new();
    // Those of signal(7) whose default action is an end, but for the three that ask for a stop, and SIGKILL.
    for signal in [3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 24, 25, 26, 27, 29, 30, 31, 34, 64] {
        let event = bench.check_one(&[], &[&format!("raise-{signal}")]);
        let meta = &event["exception"]["values"][0]["mechanism"]["meta"]["signal"];
        assert_eq!(meta["number"].as_i64(), Some(signal), "{signal}");
        assert!(functions(&event).contains(&"end_quickly".into()), "{signal} {:?}", functions(&event));
    }
    let killed = bench.check_one(&[], &["raise-9"]);
    assert_eq!(killed["contexts"]["death"]["cause"], "killed");
    for signal in [1, 2, 15, 17, 18, 23, 28] {
        assert!(bench.check(&[], &[&format!("raise-{signal}")]).is_empty(), "{signal}");
    }
}

#[test]
fn lives_are_counted_by_how_they_end() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    for case in ["exit-1", "raise-9", "raise-15", "exit-1"] {
        let _ = bench.run(&[], &[case], &state_dir).finish();
    }
    let record = std::fs::read(state_dir.join("nodes/program.json")).unwrap();
    let life = &serde_json::from_slice::<serde_json::Value>(&record).unwrap()["record"]["life"];
    assert_eq!(life["restarts"], 3);
    assert_eq!(life["deaths"], serde_json::json!({"exit": 2, "killed": 1}));
    assert_eq!(life["stops"], serde_json::json!({"requested": 1}));
    let mut restarts: Vec<_> =
        events(&state_dir).iter().map(|event| event["contexts"]["death"]["restarts"].as_u64()).collect();
    restarts.sort_unstable();
    assert_eq!(restarts, [Some(0), Some(1), Some(3)]);
}

#[test]
fn exits_are_told_with_status_and_stack() {
    let bench = Bench::new();
    for (case, status) in [("exit-1", 1), ("quiet-exit-2", 2), ("exit-255", 255), ("exit-in-exec", 5)] {
        let event = bench.check_one(&[], &[case]);
        assert_eq!(event["contexts"]["death"]["exit_status"].as_i64(), Some(status), "{case}");
        assert_eq!(event["contexts"]["death"]["cause"], "exit", "{case}");
        assert!(functions(&event).len() > 1, "{case}");
    }
    assert!(functions(&bench.check_one(&[], &["exit-1"])).contains(&"end_quickly".into()));
    for case in ["exit-0", "quiet-exit-0", "exit-143", "churn", "child-dies"] {
        assert!(bench.check(&[], &[case]).is_empty(), "{case}");
    }
}

#[test]
fn threads_are_all_there() {
    let bench = Bench::new();
    let event = bench.check_one(&[], &["thread-null"]);
    assert_eq!(functions(&event)[..3], ["decode_message", "deliver", "fault"]);
    let threads = event["threads"]["values"].as_array().unwrap();
    assert_eq!(threads.len(), 4, "{threads:?}");
    let told = threads.iter().filter(|thread| thread["stacktrace"].to_string().contains("wait_for_ever"));
    assert_eq!(told.count(), 3);
    assert_eq!(
        functions(&bench.check_one(&[], &["thread-last"]))[..3],
        ["decode_message", "deliver", "fault"]
    );
    let exit = bench.check_one(&[], &["thread-exit"]);
    assert_eq!(exit["contexts"]["death"]["exit_status"].as_i64(), Some(4));
    assert!(functions(&exit).contains(&"give_up".into()), "{:?}", functions(&exit));
}

#[test]
fn handlers_of_its_own_run_as_ever() {
    let bench = Bench::new();
    let exits = bench.check_one(&[], &["handler-exits"]);
    assert_eq!(exits["contexts"]["death"]["exit_status"].as_i64(), Some(1));
    assert_eq!(functions(&exits)[..2], ["decode_message", "deliver"]);
    let raises = bench.check_one(&[], &["handler-raises"]);
    assert_eq!(title(&raises), "SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)");
    assert!(bench.check(&[], &["handler-survives"]).is_empty());
    for case in ["handler-repairs-1", "handler-repairs-5"] {
        let later = bench.check_one(&[], &[case]);
        assert_eq!(title(&later), "exit: exited with status 3: ERR configuration is wrong", "{case}");
        assert!(functions(&later).contains(&"end_by_handler".into()), "{case} {:?}", functions(&later));
    }
}

#[test]
fn a_fault_during_a_stop_is_told() {
    let bench = Bench::new();
    assert!(title(&bench.check_one(&[], &["stop-then-abort"])).starts_with("SIGABRT"));
}

#[test]
fn the_reason_comes_from_the_output() {
    let bench = Bench::new();
    let assert = bench.check_one(&[], &["assert"]);
    assert_eq!(title(&assert), "assert: received == 5 && \"peers\" failed");
    assert!(functions(&assert).contains(&"end_quickly".into()), "the stack, not the text's one frame");
    let log = bench.check_one(&[], &["log-3"]);
    assert_eq!(title(&log), "exit: exited with status 3: ERR database is gone");
    assert_eq!(log["breadcrumbs"]["values"].as_array().unwrap().len(), 1, "no line but the reason");
    let all = bench.check_one(&["--log-breadcrumbs"], &["log-3"]);
    let crumbs = all["breadcrumbs"]["values"].as_array().unwrap();
    let told: Vec<_> =
        crumbs.iter().map(|crumb| (&crumb["level"], &crumb["category"], &crumb["message"])).collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[1], (&"error".into(), &"stderr".into(), &"ERR database is gone".into()));
    assert_eq!(told[2].0, &serde_json::Value::from("debug"));
    let last = bench.check_one(&["--log-breadcrumbs=1"], &["log-3"]);
    assert_eq!(last["breadcrumbs"]["values"][0]["message"], "DBG closing");
}

#[test]
fn without_tracing_there_is_a_report_all_the_same() {
    let bench = Bench::new();
    for (case, cause) in [("null", "signal"), ("exit-3", "exit"), ("thread-null", "signal")] {
        let event = bench.check_one(&["--no-trace"], &[case]);
        assert_eq!(event["contexts"]["death"]["cause"], cause, "{case}");
        assert!(functions(&event).is_empty() && notes(&event).contains("--no-trace"), "{case}");
    }
    assert_eq!(
        title(&bench.check_one(&["--no-trace"], &["assert"])),
        "assert: received == 5 && \"peers\" failed"
    );
}

#[test]
fn where_tracing_is_refused_the_report_says_so() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    // Who is traced by another already cannot be traced by us.
    let strace = Run::new("strace").args(["-f", "-qq", "-o", "/dev/null"]).arg(delivered("bin/lifeboat"));
    let run =
        strace.args(["run", "--"]).arg(bench.program()).arg("exit-3").env("LIFEBOAT_STATE_DIR", &state_dir);
    assert_eq!(run.finish().shell_status(), 3);
    let event = event(&state_dir);
    assert_eq!(event["contexts"]["death"]["exit_status"].as_i64(), Some(3));
    assert!(notes(&event).contains("tracing was refused"), "{}", notes(&event));
}

#[test]
fn shells_and_programs_that_are_none() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let program = bench.program().to_str().unwrap();
    let outcome = bench.run_command(&[], &["sh", "-c", &format!("exec {program} null")], &state_dir).finish();
    assert_eq!(outcome.shell_status(), 139);
    assert_eq!(functions(&event(&state_dir))[0], "decode_message");
    let state_dir = bench.state_dir();
    let within =
        bench.run_command(&[], &["sh", "-c", &format!("{program} null; exit $?")], &state_dir).finish();
    assert_eq!(within.shell_status(), 139);
    assert!(notes(&event(&state_dir)).contains("let it `exec` the program"));
    let state_dir = bench.state_dir();
    let after =
        bench.run_command(&[], &["sh", "-c", &format!("{program} exit-3; echo $?")], &state_dir).finish();
    assert_eq!((after.stdout.as_str(), events(&state_dir).len()), ("3\n", 0));
    for (command, status) in [("/nowhere/at/all", 127), ("not-in-path", 127), ("/etc/passwd", 126)] {
        let outcome = bench.run_command(&[], &[command], &state_dir).finish();
        assert_eq!(outcome.shell_status(), status, "{command}");
        assert!(
            outcome.stderr.starts_with(&format!("lifeboat: cannot run {command}: ")),
            "{}",
            outcome.stderr
        );
    }
    assert!(events(&state_dir).is_empty());
}

#[test]
fn what_is_told_of_the_node_comes_from_the_environment() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let run =
        bench.run(&[], &["exit-1"], &state_dir).env("LIFEBOAT_NODE", "relay-7").env("LIFEBOAT_FLEET", "test");
    let run = run.env("LIFEBOAT_TAGS", "dc=do-ams3, stage=sandbox").env("SENTRY_RELEASE", "waku@0.36.0");
    assert_eq!(run.env("SENTRY_ENVIRONMENT", "sandbox").finish().shell_status(), 1);
    let event = event(&state_dir);
    let tags = &event["tags"];
    assert_eq!(
        (&tags["dc"], &tags["stage"], &tags["node"]),
        (&"do-ams3".into(), &"sandbox".into(), &"relay-7".into())
    );
    assert_eq!((&event["release"], &event["environment"]), (&"waku@0.36.0".into(), &"sandbox".into()));
}

#[test]
fn a_program_with_a_reporter_is_left_to_it() {
    let bench = Bench::new();
    let own = [("LIFEBOAT", "on"), ("LIFEBOAT", "YES"), ("LIFEBOAT_REPORTER", "/a/reporter.so")];
    let off = [("LIFEBOAT", "off"), ("LIFEBOAT", "OFF"), ("LIFEBOAT", "of")];
    for (name, value) in own.into_iter().chain(off) {
        let state_dir = bench.state_dir();
        let outcome = bench.run(&[], &["null"], &state_dir).env(name, value).finish();
        assert_eq!((outcome.shell_status(), state_dir.exists()), (139, false), "{name}={value}");
        let told =
            format!("lifeboat: {name} is set: the program is taken to have a reporter of its own, and");
        assert_eq!(outcome.stderr.contains(&told), own.contains(&(name, value)), "{}", outcome.stderr);
    }
}

#[test]
fn a_dsn_that_is_none_is_told_and_not_repeated() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let outcome =
        bench.run(&[], &["exit-1"], &state_dir).env("SENTRY_DSN", "https://secretkey@host").finish();
    assert_eq!(outcome.shell_status(), 1);
    let said = &outcome.stderr;
    assert!(said.contains("lifeboat: SENTRY_DSN cannot be read ("), "{said}");
    assert!(said.contains("; reports stay on this machine\n") && !said.contains("secretkey"), "{said}");
    assert!(notes(&event(&state_dir)).contains("the DSN cannot be read"));
    let show = Run::new(delivered("bin/lifeboat")).args(["show", "latest", "--state-dir"]).arg(&state_dir);
    let page = show.finish().output();
    assert!(page.contains("the DSN cannot be read: the report stays here"), "{page}");
}

#[test]
fn what_is_missing_for_a_start_is_named() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let script = bench.scratch.write("script", "#!/nowhere/sh\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let script = script.to_str().unwrap();
    for monitor in [delivered("bin/lifeboat-monitor").to_str().unwrap(), "/nowhere"] {
        for (command, reason) in
            [("not-in-path", "not found in PATH"), (script, "its interpreter /nowhere/sh is missing")]
        {
            let run = bench.run_command(&[], &[command], &state_dir).env("LIFEBOAT_MONITOR", monitor);
            let outcome = run.finish();
            let told = format!("lifeboat: cannot run {command}: {reason}\n");
            assert!(outcome.stderr.ends_with(&told), "{}", outcome.stderr);
            assert_eq!(outcome.shell_status(), 127, "{command}");
        }
    }
}

#[test]
fn without_a_release_the_program_is_named_by_its_file() {
    let bench = Bench::new();
    assert_eq!(bench.check_one(&[], &["exit-1"])["release"], "program");
}

#[test]
fn the_state_directory_may_be_relative() {
    let bench = Bench::new();
    let run =
        Run::new(delivered("bin/lifeboat")).args(["run", "--state-dir", "here", "--"]).arg(bench.program());
    assert_eq!(run.arg("exit-1").folder(bench.scratch.path()).finish().shell_status(), 1);
    assert_eq!(events(&bench.scratch.join("here")).len(), 1);
}

#[test]
fn an_ordinary_user_needs_no_rights() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bench = Bench::new();
    let folder = bench.scratch.path().to_str().unwrap();
    let copied = Run::new("cp")
        .args(["-r", delivered("bin/lifeboat").parent().unwrap().to_str().unwrap(), folder])
        .finish();
    assert!(copied.succeeded() && Run::new("chown").args(["-R", "65534:65534", folder]).finish().succeeded());
    let state_dir = bench.state_dir();
    let run =
        Run::new(bench.scratch.join("bin/lifeboat")).args(["run", "--"]).arg(bench.program()).arg("null");
    let run = run.env("LIFEBOAT_STATE_DIR", &state_dir).folder(bench.scratch.path()).user(NOBODY, NOBODY);
    assert_eq!(run.finish().shell_status(), 139);
    assert_eq!(functions(&event(&state_dir))[0], "decode_message");
}

#[test]
fn without_a_monitor_or_a_place_the_program_runs_all_the_same() {
    let bench = Bench::new();
    let state_dir = bench.state_dir();
    let outcome = bench.run(&[], &["exit-3"], &state_dir).env("LIFEBOAT_MONITOR", "/nowhere").finish();
    assert_eq!(outcome.shell_status(), 3);
    assert!(outcome.stderr.contains("nobody looks after the program"), "{}", outcome.stderr);
    let outcome = bench.run(&[], &["exit-3"], "/proc/nowhere".as_ref()).finish();
    assert_eq!(outcome.shell_status(), 3);
    assert!(outcome.stderr.contains("could not be reported"), "{}", outcome.stderr);
}

#[test]
fn where_a_helper_cannot_be_made_the_program_runs_all_the_same() {
    // A user who has no other process, for the limit counts all of his; root is not limited.
    const LONELY: u32 = 64_123;
    let bench = Bench::new();
    let mut limits: Vec<_> = (4..24).map(|count| format!("-n {count}")).collect();
    if rustix::process::geteuid().is_root() {
        limits.extend((1..7).map(|count| format!("-u {count}")));
        let folder = bench.scratch.path().to_str().unwrap();
        let programs = delivered("bin/lifeboat").parent().unwrap().to_str().unwrap().to_owned();
        assert!(Run::new("cp").args(["-rL", &programs, folder]).finish().succeeded());
        assert!(Run::new("chown").args(["-R", &format!("{LONELY}:{LONELY}"), folder]).finish().succeeded());
    }
    for limit in limits {
        let is_lonely = limit.starts_with("-u");
        let lifeboat = if is_lonely { bench.scratch.join("bin/lifeboat") } else { delivered("bin/lifeboat") };
        let run = format!("ulimit {limit}; exec {} run -- $0 log-3", lifeboat.display());
        let run = Run::new("bash").args(["-c", &run]).arg(bench.program()).folder(bench.scratch.path());
        let run = run.env("LIFEBOAT_STATE_DIR", bench.state_dir());
        let outcome = if is_lonely { run.user(LONELY, LONELY) } else { run }.finish();
        assert_eq!(outcome.shell_status(), 3, "{limit}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("ERR database is gone"), "{limit}: {}", outcome.stderr);
    }
}

#[test]
fn whoever_ignores_the_ends_of_children_is_told_ours() {
    let bench = Bench::new();
    for (case, status) in [("exit-3", 3), ("null", 139)] {
        let state_dir = bench.state_dir();
        let run =
            Run::new("env").arg("--ignore-signal=CHLD").arg(delivered("bin/lifeboat")).args(["run", "--"]);
        let run = run.arg(bench.program()).arg(case).env("LIFEBOAT_STATE_DIR", &state_dir);
        assert_eq!(run.folder(bench.scratch.path()).finish().shell_status(), status, "{case}");
        assert_eq!(events(&state_dir).len(), 1, "{case}");
        let kept = std::fs::read_dir(state_dir.join("recorders")).unwrap().count();
        assert_eq!(kept, 0, "{case}: no raw memory stays on disk");
    }
}
