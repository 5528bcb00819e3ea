//! Lets programs that know nothing of Lifeboat end, alone and looked after, and reads their reports as a user would.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Outcome, Run, Running, Scratch, repository};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks where no event tells.
const NAP: Duration = Duration::from_millis(2);

/// One program, compiled, and a folder for its reports.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    program: PathBuf,
    next: AtomicU32,
}

impl Bench {
    /// The C fixture.
    pub(crate) fn new() -> Self {
        let scratch = Scratch::trusted("run");
        let source = repository("tests/fixtures/run_ends.c");
        let compile = Compile::new(Compiler::Gcc).flags(["-O1", "-g", "-pthread", "-fno-pie", "-no-pie"]);
        let program = compile.source(source).build(scratch.join("program"));
        Self::of(scratch, program)
    }

    /// A program that is there already.
    pub(crate) fn of(scratch: Scratch, program: PathBuf) -> Self {
        Self { scratch, program, next: AtomicU32::new(0) }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A state directory that nobody has used.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.join(format!("state-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// The program, alone.
    pub(crate) fn alone(&self, arguments: &[&str]) -> Run {
        Run::new(&self.program).args(arguments).folder(self.scratch.path()).timeout(TIMEOUT)
    }

    /// The program, looked after.
    pub(crate) fn run(&self, options: &[&str], arguments: &[&str], state_dir: &Path) -> Run {
        self.run_command(options, &[&[self.program.to_str().unwrap()], arguments].concat(), state_dir)
    }

    /// Any command, looked after.
    pub(crate) fn run_command(&self, options: &[&str], command: &[&str], state_dir: &Path) -> Run {
        let run = Run::new(delivered("bin/lifeboat")).arg("run").args(options).arg("--").args(command);
        run.env("LIFEBOAT_STATE_DIR", state_dir).folder(self.scratch.path()).timeout(TIMEOUT)
    }

    /// Lets the program end alone and looked after: same status, same output. Answers the events.
    pub(crate) fn check(&self, options: &[&str], arguments: &[&str]) -> Vec<Value> {
        let state_dir = self.state_dir();
        let without = self.alone(arguments).finish();
        let with = self.run(options, arguments, &state_dir).finish();
        same_end(arguments, &with, &without);
        events(&state_dir)
    }

    /// The same where there must be one report.
    pub(crate) fn check_one(&self, options: &[&str], arguments: &[&str]) -> Value {
        let mut events = self.check(options, arguments);
        assert_eq!(events.len(), 1, "{arguments:?} is reported once");
        events.remove(0)
    }
}

/// A file of what `scripts/build` makes.
pub(crate) fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}

/// Fails unless both ended so that a shell sees the same, and said the same.
pub(crate) fn same_end(what: &[&str], with: &Outcome, without: &Outcome) {
    use std::os::unix::process::ExitStatusExt;
    let end = |outcome: &Outcome| {
        let status = (outcome.status.code(), outcome.status.signal());
        (status, outcome.stdout.clone(), outcome.stderr.clone())
    };
    assert_eq!(end(with), end(without), "{what:?} ends otherwise when it is looked after");
}

/// The events of a state directory, as `lifeboat show --json` prints them.
pub(crate) fn events(state_dir: &Path) -> Vec<Value> {
    let list = lifeboat(&["reports", "--json"], state_dir);
    let ids = list.lines().map(|line| json(line)["event_id"].as_str().unwrap().to_owned());
    ids.map(|id| json(&lifeboat(&["show", &id, "--json"], state_dir))).collect()
}

/// The one event of a state directory.
pub(crate) fn event(state_dir: &Path) -> Value {
    let mut events = events(state_dir);
    assert_eq!(events.len(), 1, "one report in {}", state_dir.display());
    events.remove(0)
}

fn lifeboat(arguments: &[&str], state_dir: &Path) -> String {
    let run = Run::new(delivered("bin/lifeboat")).args(arguments).arg("--state-dir").arg(state_dir);
    run.finish().stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// `TYPE: VALUE`, as a server shows a report.
pub(crate) fn title(event: &Value) -> String {
    let last = event["exception"]["values"].as_array().unwrap().last().unwrap();
    format!("{}: {}", last["type"].as_str().unwrap(), last["value"].as_str().unwrap_or_default())
}

/// The functions of the exception's stack, innermost first.
pub(crate) fn functions(event: &Value) -> Vec<String> {
    let last = event["exception"]["values"].as_array().unwrap().last().unwrap();
    let frames = last["stacktrace"]["frames"].as_array().cloned().unwrap_or_default();
    frames.iter().rev().map(|frame| frame["function"].as_str().unwrap_or("?").to_owned()).collect()
}

/// What the report says that it does not show.
pub(crate) fn notes(event: &Value) -> String {
    event["contexts"]["death"]["notes"].to_string()
}

/// Looks until it is so, where nothing tells.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "in vain waited until {what}");
        std::thread::sleep(NAP);
    }
}

/// The program that we look after.
pub(crate) fn child_of(running: &Running) -> i32 {
    let programs = || {
        let children = children_of(running.pid().cast_signed());
        children.into_iter().find(|pid| !is_role(*pid, "post") && !is_role(*pid, "report"))
    };
    wait_until("the program runs", || programs().is_some());
    programs().unwrap()
}

/// The children of a process, of all its threads.
pub(crate) fn children_of(process: i32) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists =
        threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

/// Whether a process is lifeboat-monitor in this role.
pub(crate) fn is_role(process: i32, role: &str) -> bool {
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes())
}
