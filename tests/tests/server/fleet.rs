//! Nodes that report to a project of their own on a real server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Outcome, Project, Run, Scratch, Server, repository};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
const NAP: Duration = Duration::from_millis(5);

/// A copy of what is delivered, a state directory and a project: nodes of one test, apart from those of all others.
pub(crate) struct Fleet {
    pub(crate) project: Project<'static>,
    scratch: Scratch,
}

impl Fleet {
    /// A fleet of this name; so is its project called.
    pub(crate) fn new(name: &str) -> Self {
        let scratch = Scratch::trusted(name);
        for file in ["bin/lifeboat", "bin/lifeboat-monitor", "lib/liblifeboat_reporter.so"] {
            let to = scratch.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // Not by this process: a child that another test starts meanwhile would keep the copy open for writing, and
            // what is open for writing cannot be executed.
            assert!(Run::new("cp").arg(delivered(file)).arg(to).finish().succeeded());
        }
        Self { project: Server::get().project(name), scratch }
    }

    /// Where a test builds its node: a file of this name, removed with the fleet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// A C node, built for a fleet.
    pub(crate) fn c_node(&self, source: &str) -> PathBuf {
        let compile = Compile::new(Compiler::Gcc).flags(["-O2", "-g", "-pthread", "-DLIFEBOAT_LOAD"]);
        compile.source(repository(source)).build(self.path("node"))
    }

    /// The program as an operator starts it: with a reporter, a DSN, and the fleet's names.
    pub(crate) fn node(&self, program: &Path, arguments: &[&str]) -> Run {
        Run::new(program)
            .args(arguments)
            .folder(self.scratch.path())
            .timeout(TIMEOUT)
            .env("LIFEBOAT_REPORTER", self.path("lib/liblifeboat_reporter.so"))
            .env("LIFEBOAT_STATE_DIR", self.path("state"))
            .env("LIFEBOAT_FLEET", "harbor")
            .env("LIFEBOAT_NODE", "node-07")
            .env("LIFEBOAT_TAGS", "dc=do-ams3")
            .env("SENTRY_ENVIRONMENT", "test")
            .env("SENTRY_DSN", &self.project.dsn)
    }

    /// Lets the program run to its end, which is this status as a shell has it.
    pub(crate) fn die(&self, program: &Path, arguments: &[&str], status: i32) -> Outcome {
        let outcome = self.node(program, arguments).finish();
        assert_eq!(outcome.shell_status(), status, "{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Waits until this many reports are on disk and each is `sent`; answers their ids, newest first.
    pub(crate) fn sent(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + TIMEOUT;
        loop {
            let reports = self.reports();
            if reports.len() == count && reports.iter().all(|report| report["state"] == "sent") {
                return reports
                    .iter()
                    .map(|report| report["event_id"].as_str().unwrap().to_owned())
                    .collect();
            }
            assert!(Instant::now() < until, "{count} reports are not sent: {reports:?}");
            std::thread::sleep(NAP);
        }
    }

    fn reports(&self) -> Vec<Value> {
        let run = Run::new(self.path("bin/lifeboat")).args(["reports", "--json", "--state-dir"]);
        let lines = run.arg(self.path("state")).finish().stdout;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A post whose report the server does not take would stay for an hour.
impl Drop for Fleet {
    fn drop(&mut self) {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)) {
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
            if program.is_ok_and(|program| program.starts_with(self.scratch.path())) {
                // It may have ended by itself.
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            }
        }
    }
}

fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}
