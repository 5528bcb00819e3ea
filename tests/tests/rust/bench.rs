//! Builds programs with cargo, lets them die beside a copy of what is delivered, and reads their reports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lifeboat_tests::{Outcome, Run, Scratch, repository};
use serde_json::Value;

/// Only bounds a test that hangs: what is built for the first time takes its time.
const BUILD_TIMEOUT: Duration = Duration::from_secs(900);
const TIMEOUT: Duration = Duration::from_secs(60);
const NAP: Duration = Duration::from_millis(5);
const LOOKS: u32 = 4;

/// Programs of one way to build share what they are made of.
pub(crate) fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-programs")
}

/// Runs cargo on a manifest of this repository.
pub(crate) fn cargo(command: &str, manifest: &str, arguments: &[&str]) -> Run {
    let run = Run::new("cargo").inherit_environment().timeout(BUILD_TIMEOUT).arg(command).arg("--locked");
    // A tester's flags would make other programs than a user's.
    let run = run.env("RUSTFLAGS", "").env("CARGO_TERM_COLOR", "never");
    run.arg("--manifest-path").arg(repository(manifest)).args(arguments).folder(repository(""))
}

/// Builds one program, once, and keeps it: another build of the same program would take its place.
pub(crate) fn build(manifest: &str, name: &str, arguments: &[&str]) -> PathBuf {
    static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = target_dir().join("kept");
    let kept = folder.join(format!("{name}-{}", arguments.join("-").replace(['/', '"'], "")));
    if !built.contains(&kept) {
        let run = cargo("build", manifest, &["--quiet", "--bin", name, "--target-dir"]);
        let outcome = run.arg(target_dir()).args(arguments).finish();
        assert!(outcome.succeeded(), "cargo build {arguments:?}:\n{}", outcome.stderr);
        let profile = if arguments.contains(&"--release") { "release" } else { "debug" };
        fs::create_dir_all(&folder).unwrap();
        // By another process, so that no child of another test holds it open for writing.
        let copy = Run::new("cp").arg("-f").arg(target_dir().join(profile).join(name)).arg(&kept);
        assert!(copy.finish().succeeded());
        built.insert(kept.clone());
    }
    kept
}

/// A copy of what is delivered, and room for state directories.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    next: AtomicU32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::trusted("rust");
        for file in ["bin/lifeboat-monitor", "lib/liblifeboat_reporter.so"] {
            let to = scratch.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            assert!(Run::new("cp").arg(delivered(file)).arg(to).finish().succeeded());
        }
        Self { scratch, next: AtomicU32::new(0) }
    }

    pub(crate) fn reporter(&self) -> PathBuf {
        self.scratch.join("lib/liblifeboat_reporter.so")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.join(format!("state-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// A run with the reporter on, whichever way the program was built.
    pub(crate) fn on(&self, program: &Path, state_dir: &Path) -> Run {
        let run = Run::new(program).folder(self.scratch.path()).timeout(TIMEOUT);
        let run = run.env("LIFEBOAT_REPORTER", self.reporter()).env("LIFEBOAT", "on");
        run.env("LIFEBOAT_MONITOR", self.scratch.join("bin/lifeboat-monitor"))
            .env("LIFEBOAT_STATE_DIR", state_dir)
    }

    /// Lets it run to its end, and answers its events, newest first.
    pub(crate) fn die(&self, program: &Path, arguments: &[&str]) -> (Outcome, Vec<Value>) {
        let state_dir = self.state_dir();
        let outcome = self.on(program, &state_dir).args(arguments).finish();
        self.settle();
        (outcome, events(&state_dir))
    }

    /// Waits until every process that runs a program of this bench has ended.
    pub(crate) fn settle(&self) {
        // One look may come between two: several agree.
        let are_gone = || {
            std::thread::sleep(NAP);
            self.processes().is_empty()
        };
        wait_until("all monitors have left", || (0..LOOKS).all(|_| are_gone()));
    }

    pub(crate) fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_ours = |pid: &i32| {
            let program = fs::read_link(format!("/proc/{pid}/exe"));
            program.is_ok_and(|program| program.starts_with(self.scratch.path()))
        };
        pids.filter(is_ours).collect()
    }
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "in vain waited until {what}");
        std::thread::sleep(NAP);
    }
}

/// A file of what `scripts/build` makes.
pub(crate) fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}

/// The rows of `lifeboat reports --json`.
pub(crate) fn rows(state_dir: &Path) -> Vec<Value> {
    let run = Run::new(delivered("bin/lifeboat")).args(["reports", "--json", "--state-dir"]).arg(state_dir);
    run.finish().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The events of a state directory, newest first.
pub(crate) fn events(state_dir: &Path) -> Vec<Value> {
    let show = |row: &Value| {
        let run = Run::new(delivered("bin/lifeboat")).arg("show").arg(row["event_id"].as_str().unwrap());
        serde_json::from_str(&run.args(["--json", "--state-dir"]).arg(state_dir).finish().output()).unwrap()
    };
    rows(state_dir).iter().map(show).collect()
}
