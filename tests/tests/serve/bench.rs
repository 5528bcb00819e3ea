//! Starts nodes that are served, each in a state directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use lifeboat_tests::delivered;
use lifeboat_tests::http::{Answer, get};
pub(crate) use lifeboat_tests::wait_until;
use lifeboat_tests::{Compile, Compiler, Run, Running, Scratch, repository};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
const LOCAL: &str = "127.0.0.1:0";

/// The program, compiled once.
pub(crate) struct Bench {
    scratch: Scratch,
    next: AtomicU32,
}

/// A node with its endpoint.
pub(crate) struct Node {
    pub(crate) running: Running,
    pub(crate) served: Served,
}

/// The endpoint, which outlives the node.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) state_dir: PathBuf,
    pub(crate) pid: u32,
}

impl std::ops::Deref for Node {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl Bench {
    /// The one of all tests of this process.
    pub(crate) fn get() -> &'static Self {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        BENCH.get_or_init(|| {
            let scratch = Scratch::trusted("serve");
            let compile = Compile::new(Compiler::Gcc).flags(["-O1", "-pthread", "-DLIFEBOAT_LOAD"]);
            compile.source(repository("tests/fixtures/serve.c")).build(scratch.join("node"));
            Self { scratch, next: AtomicU32::new(0) }
        })
    }

    /// A folder of one test's own.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.scratch.join(format!("{}", self.next.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// The program, served at this address.
    pub(crate) fn run(&self, state_dir: &Path, address: &str) -> Run {
        let run = Run::new(self.scratch.join("node")).folder(self.scratch.path()).timeout(TIMEOUT);
        let run = run.env("LIFEBOAT_REPORTER", delivered("lib/liblifeboat_reporter.so"));
        run.env("LIFEBOAT_STATE_DIR", state_dir).env("LIFEBOAT_METRICS", address)
    }

    /// A node at any free port.
    pub(crate) fn node(&self) -> Node {
        self.start(|run| run)
    }

    /// The same, with more in its environment or arguments.
    pub(crate) fn start(&self, more: impl FnOnce(Run) -> Run) -> Node {
        let state_dir = self.folder().join("state");
        Node::start(more(self.run(&state_dir, LOCAL)), state_dir)
    }
}

impl Node {
    /// Starts it and waits until it is served.
    pub(crate) fn start(run: Run, state_dir: PathBuf) -> Self {
        let mut running = run.spawn();
        running.wait_for("ready");
        let node = Self::of(running, state_dir);
        wait_until("the node is served", || node.address().is_some());
        node
    }

    /// Of one that runs.
    pub(crate) fn of(running: Running, state_dir: PathBuf) -> Self {
        let pid = running.pid();
        Self { running, served: Served { state_dir, pid } }
    }

    /// Kills the node, where it lives, and ends its `serve`, which would tell of the death for an hour.
    pub(crate) fn end(self) {
        let Self { running, served } = self;
        drop(running);
        served.end();
    }
}

impl Served {
    /// What its `serve` says of itself.
    pub(crate) fn endpoint(&self) -> Option<Value> {
        endpoints(&self.state_dir).into_iter().find(|said| said["node_pid"] == self.pid)
    }

    /// Where it is served.
    pub(crate) fn address(&self) -> Option<String> {
        Some(self.endpoint()?["address"].as_str()?.to_owned())
    }

    /// One page.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&self.address().unwrap(), path, &[])
    }

    /// The value of a sample, as text; nothing where there is none.
    pub(crate) fn sample(&self, name: &str) -> Option<String> {
        sample(&self.get("/metrics").text(), name)
    }

    /// Sends `serve` a signal.
    pub(crate) fn signal_serve(&self, signal: Signal) -> std::os::fd::OwnedFd {
        let pid = self.endpoint().unwrap()["serve_pid"].as_i64().unwrap();
        let pidfd = pidfd_open(Pid::from_raw(pid.try_into().unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
        pidfd_send_signal(&pidfd, signal).unwrap();
        pidfd
    }

    /// Ends `serve`, whose node has ended.
    pub(crate) fn end(&self) {
        // One that has left meanwhile needs no signal.
        if let Some(said) = self.endpoint() {
            let serve = Pid::from_raw(said["serve_pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
            let _ = pidfd_open(serve, PidfdFlags::empty()).map(|it| pidfd_send_signal(&it, Signal::TERM));
        }
        wait_until("serve has left", || self.endpoint().is_none());
    }
}

/// What all of a state directory say of themselves.
pub(crate) fn endpoints(state_dir: &Path) -> Vec<Value> {
    let entries = fs::read_dir(state_dir.join("serve")).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.filter_map(|text| serde_json::from_str(&text).ok()).collect()
}

/// The value of a sample on a page.
pub(crate) fn sample(page: &str, name: &str) -> Option<String> {
    let of = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    page.lines().find_map(of)
}
