//! Lets nodes die, each in a state directory of its own, and reads their reports as a user would.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Outcome, Run, Running, Scratch, repository};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks where no event tells.
const NAP: Duration = Duration::from_millis(2);

/// One program, compiled, beside its own copy of what is delivered: so its monitors are told from all others.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    program: PathBuf,
    next: AtomicU32,
    /// Language and build, as the table of deaths calls them.
    pub(crate) kind: [&'static str; 2],
}

/// How a node died and what is on disk of it.
pub(crate) struct Death {
    pub(crate) outcome: Outcome,
    pub(crate) reports: Vec<Report>,
}

/// What a report says of the death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) cause: String,
    pub(crate) signal: Option<String>,
    pub(crate) status: Option<i64>,
    /// Whether our handler took note of it; the signal alone is known of any end.
    pub(crate) is_recorded: bool,
}

impl Report {
    /// That of a fatal signal which our handler saw.
    pub(crate) fn of_signal(signal: &str) -> Self {
        Self { is_recorded: true, ..Self::of_unseen_signal("signal", signal) }
    }

    /// That of a fatal signal for which no handler runs.
    pub(crate) fn of_unseen_signal(cause: &str, signal: &str) -> Self {
        Self { cause: cause.into(), signal: Some(signal.into()), status: None, is_recorded: false }
    }

    /// That of an exit.
    pub(crate) fn of_exit(status: i64) -> Self {
        Self { cause: "exit".into(), signal: None, status: Some(status), is_recorded: false }
    }
}

impl Bench {
    /// The program of this fixture, by gcc.
    pub(crate) fn new(fixture: &str) -> Self {
        Self::with(Compiler::Gcc, fixture, &["-rdynamic", "-fno-pie", "-no-pie"])
    }

    /// The program of this fixture.
    pub(crate) fn with(compiler: Compiler, fixture: &str, flags: &[&str]) -> Self {
        let scratch = Scratch::trusted(fixture);
        let compile = Compile::new(compiler).flags(["-O2", "-g", "-pthread", "-DLIFEBOAT_LOAD"]).flags(flags);
        let program = compile.source(source(fixture)).build(scratch.join("node"));
        for file in ["bin/lifeboat-monitor", "lib/liblifeboat_reporter.so"] {
            let to = scratch.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // Not by this process: a child that another test starts meanwhile would keep the copy open for writing, and
            // what is open for writing cannot be executed.
            assert!(Run::new("cp").arg(delivered(file)).arg(to).finish().succeeded());
        }
        let kind = match compiler {
            Compiler::Gxx if fixture.ends_with("_qt") => ["C++", "load, beside Qt"],
            Compiler::Gxx => ["C++", "load"],
            Compiler::Clangxx => ["C++", "load, clang"],
            _ => ["C", "load"],
        };
        Self { scratch, program, next: AtomicU32::new(0), kind }
    }

    /// The program of this fixture with the reporter linked in.
    pub(crate) fn linked(compiler: Compiler, fixture: &str, archive: &Path) -> Self {
        let loaded = Self::with(compiler, fixture, &[]);
        let bench = Self { kind: [loaded.kind[0], "link"], ..loaded };
        let compile = Compile::new(compiler).flags(["-O2", "-g", "-pthread", "-DLIFEBOAT_LINK"]);
        compile.source(source(fixture)).flag(archive).build(&bench.program);
        bench
    }

    /// The program's file.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A state directory that nobody has used; it is not there yet.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.join(format!("state-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// The reporter.
    pub(crate) fn reporter(&self) -> PathBuf {
        self.scratch.join("lib/liblifeboat_reporter.so")
    }

    /// The monitor.
    pub(crate) fn monitor(&self) -> PathBuf {
        self.scratch.join("bin/lifeboat-monitor")
    }

    /// The program, with a reporter.
    pub(crate) fn node(&self, arguments: &[&str], state_dir: &Path) -> Run {
        let run = self.node_without(arguments).env("LIFEBOAT_REPORTER", self.reporter());
        run.env("LIFEBOAT_STATE_DIR", state_dir)
    }

    /// The program, without.
    pub(crate) fn node_without(&self, arguments: &[&str]) -> Run {
        Run::new(&self.program).args(arguments).folder(self.scratch.path()).timeout(TIMEOUT)
    }

    /// The same behind another program, such as `unshare`.
    pub(crate) fn node_behind(&self, program: &[&str], arguments: &[&str]) -> Run {
        let (first, rest) = program.split_first().unwrap();
        let run = Run::new(first).args(rest).arg(&self.program).args(arguments);
        run.folder(self.scratch.path()).timeout(TIMEOUT)
    }

    /// Adds the reporter to such a run.
    pub(crate) fn on(&self, run: Run, state_dir: &Path) -> Run {
        run.env("LIFEBOAT_REPORTER", self.reporter()).env("LIFEBOAT_STATE_DIR", state_dir)
    }

    /// Lets a node with a reporter run to its end.
    pub(crate) fn die(&self, arguments: &[&str]) -> Death {
        let state_dir = self.state_dir();
        let outcome = self.node(arguments, &state_dir).finish();
        let reports = self.reports(&state_dir);
        assert!(self.is_tidy(&state_dir), "{arguments:?} left captures in {}", state_dir.display());
        Death { outcome, reports }
    }

    /// The same without a reporter: how it would have ended.
    pub(crate) fn die_without(&self, arguments: &[&str]) -> Outcome {
        self.node_without(arguments).finish()
    }

    /// Lets the node die with and without: same status, same output, and these reports.
    pub(crate) fn check(&self, arguments: &[&str], expected: &[Report]) {
        let without = self.die_without(arguments);
        let death = self.die(arguments);
        same_end(arguments, &death.outcome, &without);
        assert_eq!(death.reports, expected, "{arguments:?}");
    }

    /// Whether nothing but reports is left in a state directory: no capture and no half-written file.
    pub(crate) fn is_tidy(&self, state_dir: &Path) -> bool {
        let folders = ["recorders", "spool", "sent", "set-aside"];
        let all = folders.into_iter().flat_map(|folder| files(state_dir, folder, ""));
        all.into_iter().all(|path| path.extension().is_some_and(|ending| ending == "envelope"))
    }

    /// What is on disk once all who belong to this bench have ended.
    pub(crate) fn reports(&self, state_dir: &Path) -> Vec<Report> {
        self.settle();
        reports(state_dir)
    }

    /// Waits until every process that runs a program of this bench has ended.
    pub(crate) fn settle(&self) {
        let until = Instant::now() + TIMEOUT;
        while let Some(process) = processes_below(self.scratch.path()).first() {
            assert!(process.ended(until), "process {} {:?} lives on", process.pid, process.command());
        }
    }

    /// The monitor that watches in this bench, once it has made the state directory ready.
    pub(crate) fn watching(&self, node: &Running, state_dir: &Path) -> Process {
        wait_until("the monitor is at work", || state_dir.join("set-aside").is_dir());
        let watches = |process: &Process| process.command().get(1).is_some_and(|role| role == "watch");
        let monitors: Vec<_> = processes_below(self.scratch.path()).into_iter().filter(watches).collect();
        assert_eq!(monitors.len(), 1, "one monitor of process {}", node.pid());
        monitors.into_iter().next().unwrap()
    }
}

/// A fixture's source.
pub(crate) fn source(fixture: &str) -> PathBuf {
    let folder = repository("tests/fixtures");
    let cxx = folder.join(format!("{fixture}.cpp"));
    if cxx.is_file() { cxx } else { folder.join(format!("{fixture}.c")) }
}

/// A file of what `scripts/build` makes.
pub(crate) fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}

/// Fails unless both ended with the same status and said the same.
pub(crate) fn same_end(what: &[&str], with: &Outcome, without: &Outcome) {
    let end = |outcome: &Outcome| {
        let (status, core) = (outcome.status.into_raw() & 0xff7f, outcome.status.core_dumped());
        (status, core, outcome.stdout.clone(), outcome.stderr.clone())
    };
    assert_eq!(end(with), end(without), "{what:?} ends otherwise with a reporter");
}

/// The reports of a state directory.
pub(crate) fn reports(state_dir: &Path) -> Vec<Report> {
    events(state_dir).iter().map(report).collect()
}

/// The events of a state directory, as `lifeboat show --json` prints them.
pub(crate) fn events(state_dir: &Path) -> Vec<Value> {
    let list = lifeboat(["reports".as_ref(), "--json".as_ref()], state_dir);
    let ids = list.lines().map(|line| json(line)["event_id"].as_str().unwrap().to_owned());
    ids.map(|id| json(&lifeboat(["show".as_ref(), id.as_ref(), "--json".as_ref()], state_dir))).collect()
}

/// The one event of a state directory.
pub(crate) fn event(state_dir: &Path) -> Value {
    let mut events = events(state_dir);
    assert_eq!(events.len(), 1, "one report in {}", state_dir.display());
    events.remove(0)
}

fn report(event: &Value) -> Report {
    let death = &event["contexts"]["death"];
    let text = |key: &str| death[key].as_str().map(str::to_owned);
    Report {
        cause: text("cause").unwrap_or_default(),
        signal: text("signal"),
        status: death["exit_status"].as_i64(),
        is_recorded: death["code"].is_number(),
    }
}

fn lifeboat<const COUNT: usize>(arguments: [&OsStr; COUNT], state_dir: &Path) -> String {
    let run = Run::new(delivered("bin/lifeboat")).args(arguments).arg("--state-dir").arg(state_dir);
    run.finish().stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// Looks until it is so, where nothing tells.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "in vain waited until {what}");
        std::thread::sleep(NAP);
    }
}

/// Files in a folder of the state directory whose names end so.
pub(crate) fn files(state_dir: &Path, folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(state_dir.join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// A process that lives, or lived when it was looked at.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pidfd: std::os::fd::OwnedFd,
}

impl Process {
    /// Its command line.
    pub(crate) fn command(&self) -> Vec<String> {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).unwrap();
    }

    /// Waits until it has ended. A zombie has: some systems' first process reaps nobody.
    pub(crate) fn wait(&self) {
        assert!(self.ended(Instant::now() + TIMEOUT), "process {} lives on", self.pid);
    }

    fn ended(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().try_into().unwrap(), tv_nsec: 0 };
        let mut events = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut events, Some(&left)).unwrap() == 1
    }
}

/// Every living process whose program lies below this folder.
pub(crate) fn processes_below(folder: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter_map(|pid| {
        let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        // A zombie has no program any more. Who replaced the program may still have a process of the old one.
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        program.starts_with(folder).then_some(Process { pid, pidfd })
    });
    ours.collect()
}
