//! A host of Logos Core with its modules, all stand-ins, each told what to do by a pipe.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lifeboat_tests::{Compile, Compiler, Run, Running, Scratch, repository};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks where no event tells.
const NAP: Duration = Duration::from_millis(5);

const PROGRAMS: [&str; 4] = ["liblogos_core.so", "host", "logos_host_qt", "logos_host_plain"];

/// The folder of the compiled programs: compiled once for all tests of this run.
fn compiled() -> &'static Path {
    static COMPILED: OnceLock<Scratch> = OnceLock::new();
    let compile_all = || {
        let scratch = Scratch::new("logos-compiled");
        let flags = ["-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-pthread"];
        let compile = || Compile::new(Compiler::Gxx).flags(flags);
        let core = compile().flags(["-shared", "-fPIC", "-Wl,-soname,liblogos_core.so"]);
        let core = core.source(fixture("core.cpp")).build(scratch.join("liblogos_core.so"));
        let host = compile().flag("-DLIFEBOAT_LOAD").source(fixture("host.cpp")).flag(core);
        host.flag("-Wl,-rpath,$ORIGIN").build(scratch.join("host"));
        compile().source(fixture("module_host.cpp")).build(scratch.join("logos_host_qt"));
        let module = compile().flag("-DLIFEBOAT_LOAD").source(fixture("module_host.cpp"));
        module.build(scratch.join("logos_host_plain"));
        scratch
    };
    COMPILED.get_or_init(compile_all).path()
}

/// The programs, beside a copy of what is delivered: so its monitors are told from all others.
pub(crate) struct Bench {
    pub(crate) scratch: Scratch,
    next: AtomicU32,
}

/// What a host and its modules are.
#[derive(Clone, Copy)]
pub(crate) enum Modules {
    /// As they are delivered today.
    Plain,
    /// With Lifeboat in them.
    WithLifeboat,
    /// As they are delivered, in a host that carries nothing either, behind `lifeboat run`.
    OfUnmodified,
}

impl Bench {
    /// The programs.
    pub(crate) fn new(name: &str) -> Self {
        let bench = Self { scratch: Scratch::trusted(name), next: AtomicU32::new(0) };
        let shipped = ["bin/lifeboat", "bin/lifeboat-monitor", "lib/liblifeboat_reporter.so"];
        let files = shipped.map(|file| (file, delivered(file))).into_iter();
        for (file, from) in files.chain(PROGRAMS.map(|file| (file, compiled().join(file)))) {
            let to = bench.scratch.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // Not by this process: a child that another test starts meanwhile would keep the copy open for writing.
            assert!(Run::new("cp").arg(from).arg(to).finish().succeeded());
        }
        bench
    }

    /// A host with these modules, looked after, once all of them are at work.
    pub(crate) fn start(&self, kind: Modules, names: &[&str], variables: &[(&str, &str)]) -> Host {
        let folder = self.scratch.join(format!("host-{}", self.next.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).unwrap();
        make_pipe(&folder.join("commands"));
        let mut run = match kind {
            Modules::OfUnmodified => {
                let run = Run::new(self.scratch.join("bin/lifeboat")).args(["run", "--"]);
                run.arg(self.scratch.join("host"))
            }
            _ => Run::new(self.scratch.join("host")),
        };
        run = run.arg(folder.join("commands")).timeout(TIMEOUT);
        for name in names {
            fs::create_dir(folder.join(name)).unwrap();
            make_pipe(&folder.join(name).join("commands"));
            run = run.arg(folder.join(name));
        }
        let host = match kind {
            Modules::Plain | Modules::OfUnmodified => "logos_host_qt",
            Modules::WithLifeboat => "logos_host_plain",
        };
        let run = run.env("LOGOS_HOST_PATH", self.scratch.join(host)).folder(self.scratch.path());
        let run = match kind {
            Modules::OfUnmodified => run.env("LIFEBOAT_NODE", "host-01").env("LIFEBOAT_FLEET", "logos.test"),
            _ => run.env("LIFEBOAT_REPORTER", self.scratch.join("lib/liblifeboat_reporter.so")),
        };
        let run = run.env("LIFEBOAT_STATE_DIR", folder.join("state")).env("LIFEBOAT_MODULES", "on");
        let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
        let host = Host {
            running: run.spawn(),
            folder,
            programs: self.scratch.path().into(),
            modules: RefCell::default(),
        };
        names.iter().for_each(|name| host.wait_for_module(name));
        host
    }

    /// How many reports there are of all its hosts.
    pub(crate) fn reports(&self) -> usize {
        let made = self.next.load(Ordering::Relaxed);
        (0..made).map(|number| events(&self.scratch.join(format!("host-{number}/state"))).len()).sum()
    }

    /// Waits until every process that runs a program of this bench has ended.
    pub(crate) fn settle(&self) {
        let until = Instant::now() + TIMEOUT;
        while let Some(pid) = processes_below(self.scratch.path()).first() {
            assert!(ended(*pid, until), "process {pid} lives on");
        }
    }
}

/// A host at work.
pub(crate) struct Host {
    pub(crate) running: Running,
    pub(crate) folder: PathBuf,
    programs: PathBuf,
    modules: RefCell<BTreeMap<String, i32>>,
}

impl Host {
    /// Tells the host what to do.
    pub(crate) fn tell(&self, command: &str) {
        fs::write(self.folder.join("commands"), format!("{command}\n")).unwrap();
    }

    /// Tells a module what to do.
    pub(crate) fn tell_module(&self, name: &str, command: &str) {
        fs::write(self.folder.join(name).join("commands"), format!("{command}\n")).unwrap();
    }

    /// The process of a module.
    pub(crate) fn module(&self, name: &str) -> i32 {
        self.modules.borrow()[name]
    }

    fn wait_for_module(&self, name: &str) {
        let pid = self.answer(name, "started").parse().unwrap();
        self.modules.borrow_mut().insert(name.to_owned(), pid);
    }

    /// What a module answers in a file.
    pub(crate) fn answer(&self, name: &str, file: &str) -> String {
        let path = self.folder.join(name).join(file);
        wait_until(&format!("{name} writes {file}"), || path.is_file());
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        text
    }

    /// Loads a module whose process has ended; the core may not have noticed that yet.
    pub(crate) fn load(&self, name: &str) {
        let started = self.folder.join(name).join("started");
        wait_until("the module is loaded again", || {
            self.tell(&format!("load {name}"));
            started.is_file()
        });
        self.wait_for_module(name);
    }

    /// The process of a module, once the host's monitor looks after it: it holds a pidfd.
    pub(crate) fn seen(&self, name: &str) -> i32 {
        let pid = self.module(name);
        let line = format!("Pid:\t{pid}\n");
        let holds = |info: PathBuf| fs::read_to_string(info).is_ok_and(|info| info.contains(&line));
        let is_seen =
            || self.monitors().iter().any(|monitor| files(&format!("/proc/{monitor}/fdinfo")).any(holds));
        wait_until(&format!("{name} is looked after"), is_seen);
        pid
    }

    /// Monitors that watch, or run their host.
    pub(crate) fn monitors(&self) -> Vec<i32> {
        let is_watch = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let role = line.split(|byte| *byte == 0).nth(1);
            matches!(role, Some(b"watch" | b"run"))
        };
        processes_below(&self.programs).into_iter().filter(is_watch).collect()
    }

    /// Where the host is served.
    pub(crate) fn address(&self) -> String {
        let said = || {
            let texts = files(&format!("{}/serve", self.state_dir().display()));
            let all =
                texts.filter_map(|file| serde_json::from_str::<Value>(&fs::read_to_string(file).ok()?).ok());
            all.into_iter().find_map(|said| Some(said["address"].as_str()?.to_owned()))
        };
        wait_until("the host is served", || said().is_some());
        said().unwrap()
    }

    /// The state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.state_dir())
    }

    /// Waits for so many reports.
    pub(crate) fn wait_for_reports(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("there are {count} reports"), || self.events().len() >= count);
        self.events()
    }

    /// Asks the host to stop and waits until all have.
    pub(crate) fn stop(self, bench: &Bench) {
        self.running.signal(Signal::TERM);
        let outcome = self.running.finish();
        assert!(outcome.succeeded(), "the host ended with {}: {}", outcome.shell_status(), outcome.stderr);
        bench.settle();
    }
}

/// Waits until a process has ended.
pub(crate) fn wait_for_end(pid: i32) {
    assert!(ended(pid, Instant::now() + TIMEOUT), "process {pid} lives on");
}

/// A file of the stand-in.
pub(crate) fn fixture(file: &str) -> PathBuf {
    repository("tests/fixtures/logos").join(file)
}

/// A file of what `scripts/build` makes.
pub(crate) fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}

/// Looks until it is so, where nothing tells.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "in vain waited until {what}");
        std::thread::sleep(NAP);
    }
}

/// The events of a state directory, as `lifeboat show --json` prints them.
pub(crate) fn events(state_dir: &Path) -> Vec<Value> {
    let list = lifeboat(&["reports", "--json"], state_dir);
    let ids = list.lines().map(|line| json(line)["event_id"].as_str().unwrap().to_owned());
    ids.map(|id| json(&lifeboat(&["show", &id, "--json"], state_dir))).collect()
}

/// Text that must be JSON.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn lifeboat(arguments: &[&str], state_dir: &Path) -> String {
    let run = Run::new(delivered("bin/lifeboat")).args(arguments).arg("--state-dir").arg(state_dir);
    run.finish().stdout
}

fn files(folder: &str) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn ended(pid: i32, until: Instant) -> bool {
    let Some(Ok(pidfd)) = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
        return true;
    };
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: left.as_secs().try_into().unwrap(), tv_nsec: 0 };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)).unwrap() == 1
}

fn processes_below(folder: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // A zombie has no program any more.
    let is_below =
        |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|it| it.starts_with(folder));
    pids.filter(is_below).collect()
}
