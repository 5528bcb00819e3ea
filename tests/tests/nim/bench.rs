//! Lets Nim nodes die beside their own copy of what is delivered, and reads their reports as a user would.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lifeboat_tests::{Run, Running, Scratch, repository};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
const NAP: Duration = Duration::from_millis(5);

/// A folder with a reporter and a monitor of its own: so its processes are told from all others.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    next: AtomicU32,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let scratch = Scratch::trusted(name);
        for file in ["bin/lifeboat-monitor", "lib/liblifeboat_reporter.so"] {
            let to = scratch.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // By another process: what this one held open for writing could not be executed.
            assert!(Run::new("cp").arg(delivered(file)).arg(to).finish().succeeded());
        }
        Self { scratch, next: AtomicU32::new(0) }
    }

    /// A state directory that nobody has used.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.join(format!("state-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// A program with Lifeboat turned on, in either mode.
    pub(crate) fn node(&self, program: &Path, state_dir: &Path) -> Run {
        self.node_off(program)
            .env("LIFEBOAT", "on")
            .env("LIFEBOAT_REPORTER", self.scratch.join("lib/liblifeboat_reporter.so"))
            .env("LIFEBOAT_MONITOR", self.scratch.join("bin/lifeboat-monitor"))
            .env("LIFEBOAT_STATE_DIR", state_dir)
    }

    /// The same, turned off.
    pub(crate) fn node_off(&self, program: &Path) -> Run {
        Run::new(program).folder(self.scratch.path()).timeout(TIMEOUT)
    }

    /// Waits until every process that runs a program of this bench has ended.
    pub(crate) fn settle(&self) {
        let until = Instant::now() + TIMEOUT;
        while is_anyone_below(self.scratch.path()) {
            assert!(Instant::now() < until, "a process of {} lives on", self.scratch.path().display());
            std::thread::sleep(NAP);
        }
    }
}

fn is_anyone_below(folder: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut programs = processes.filter_map(|entry| fs::read_link(entry.path().join("exe")).ok());
    programs.any(|program| program.starts_with(folder))
}

/// A file of what `scripts/build` makes.
pub(crate) fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.exists(), "{} is not there: run scripts/build", path.display());
    path
}

/// The events of a state directory, as `lifeboat show --json` prints them.
pub(crate) fn events(state_dir: &Path) -> Vec<Value> {
    let list = lifeboat(["reports".as_ref(), "--json".as_ref()], state_dir);
    let ids = list.lines().map(|line| json(line)["event_id"].as_str().unwrap().to_owned());
    ids.map(|id| json(&lifeboat(["show".as_ref(), id.as_ref(), "--json".as_ref()], state_dir))).collect()
}

fn lifeboat<const COUNT: usize>(arguments: [&OsStr; COUNT], state_dir: &Path) -> String {
    let run = Run::new(delivered("bin/lifeboat")).args(arguments).arg("--state-dir").arg(state_dir);
    run.finish().stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// What a report says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) title: String,
    pub(crate) cause: String,
    /// The node's own frames, innermost first: `function file:line`.
    pub(crate) frames: Vec<String>,
}

impl Told {
    pub(crate) fn of(event: &Value) -> Self {
        let values = event["exception"]["values"].as_array().unwrap();
        let main = values.last().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, value) = (text(&main["type"]), text(&main["value"]));
        let frames = main["stacktrace"]["frames"].as_array().cloned().unwrap_or_default();
        let own = frames.iter().rev().filter(|frame| frame["in_app"] == true);
        let frames = own.map(|frame| {
            let line = frame["lineno"].as_u64().unwrap_or_default();
            format!("{} {}:{line}", text(&frame["function"]), text(&frame["filename"]))
        });
        let cause = text(&event["contexts"]["death"]["cause"]);
        Self { title: format!("{kind}: {value}"), cause, frames: frames.collect() }
    }

    /// The names of the own frames, without their modules.
    pub(crate) fn functions(&self) -> Vec<&str> {
        let name = |frame: &'_ String| frame.split(' ').next().unwrap_or_default().len();
        let names = self.frames.iter().map(|frame| &frame[..name(frame)]);
        names.map(|name| name.rsplit('.').next().unwrap_or(name)).collect()
    }
}

/// The address that a node says it listens on.
pub(crate) fn address_of(node: &mut Running) -> String {
    let line = node.wait_for_line("listening on ", "");
    line.trim_start_matches("listening on ").to_owned()
}
