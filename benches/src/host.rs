//! One run of the host program, with a reporter or without.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::inotify;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a host is to run.
#[derive(Clone, Debug)]
pub struct Host {
    /// The compiled host.
    pub program: PathBuf,
    /// Threads besides the main one.
    pub threads: u32,
    /// Resident memory, MiB.
    pub resident_mib: u32,
    /// The reporter and its state directory; nothing for a run without.
    pub reporter: Option<(PathBuf, PathBuf)>,
    /// The server it is told of.
    pub dsn: Option<String>,
}

/// What a death took, nanoseconds from just before the fault.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// When the fault came, on the clock of [`now_ns`].
    pub fault_ns: u64,
    /// What a bare child took that ended at once: the machine's own measure for a start.
    pub child_ns: u64,
    /// What `lifeboat_start` took.
    pub start_ns: u64,
    /// Until the parent's wait returned.
    pub death_ns: u64,
    /// Until the envelope stood in the spool, with a reporter.
    pub report_ns: Option<u64>,
}

/// A host that rests until it is dropped.
#[derive(Debug)]
pub struct Rest {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Host {
    /// Lets the host die by a null dereference.
    ///
    /// # Errors
    /// Where it does not run, or no report comes within ten seconds.
    pub fn die(&self) -> Result<Death> {
        const REST_MS: u32 = 50;
        let spool = self.reporter.as_ref().map(|(_, state)| Spool::watch(state)).transpose()?;
        let (mut child, mut output) = self.spawn(REST_MS, "die")?;
        let child_ns = number(&mut output, "child")?;
        let start_ns = number(&mut output, "start")?;
        let fault_ns = number(&mut output, "die")?;
        child.wait()?;
        let death_ns = now_ns().saturating_sub(fault_ns);
        let report_ns = spool.map(|spool| spool.wait()).transpose()?.map(|at| at.saturating_sub(fault_ns));
        Ok(Death { fault_ns, child_ns, start_ns, death_ns, report_ns })
    }

    /// Starts the host and lets it rest.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn rest(&self) -> Result<Rest> {
        let (child, mut output) = self.spawn(0, "rest")?;
        number(&mut output, "child")?;
        number(&mut output, "start")?;
        Ok(Rest { child, _output: output })
    }

    fn spawn(&self, rest_ms: u32, then: &str) -> Result<(Child, BufReader<ChildStdout>)> {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .args([self.threads, self.resident_mib, rest_ms].map(|it| it.to_string()))
            .arg(then);
        if let Some((reporter, state)) = &self.reporter {
            command.env("LIFEBOAT_REPORTER", reporter).env("LIFEBOAT_STATE_DIR", state);
        }
        if let Some(dsn) = &self.dsn {
            command.env("SENTRY_DSN", dsn);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok((child, BufReader::new(output)))
    }
}

impl Rest {
    /// Resident memory of each monitor process of this host, by role, KiB.
    ///
    /// # Errors
    /// Where /proc cannot be read.
    pub fn monitors_kib(&self, state: &Path) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let role = words.get(1).map(ToString::to_string).unwrap_or_default();
            let is_ours = role == "watch" || words.iter().any(|word| Path::new(word.as_ref()) == state);
            if program.ends_with("lifeboat-monitor") && is_ours {
                found.push((role, resident_kib(&entry.path())?));
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The spool of a state directory, watched for the next report.
struct Spool {
    watch: rustix::fd::OwnedFd,
}

impl Spool {
    fn watch(state: &Path) -> Result<Self> {
        let spool = state.join("spool");
        fs::create_dir_all(&spool)?;
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&watch, &spool, inotify::WatchFlags::MOVED_TO)?;
        Ok(Self { watch })
    }

    fn wait(self) -> Result<u64> {
        let from = Instant::now();
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        while from.elapsed() < REPORT_TIMEOUT {
            if inotify::Reader::new(&self.watch, &mut buffer).next().is_ok() {
                return Ok(now_ns());
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        Err("no report came within ten seconds".into())
    }
}

/// Where the built product is: `LIFEBOAT_DIST`, or `dist/` of the repository.
///
/// # Errors
/// Where it has not been built.
pub fn dist() -> Result<PathBuf> {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository().join("dist"), PathBuf::from);
    if dist.join("lib/liblifeboat_reporter.so").exists() {
        return Ok(dist);
    }
    Err(format!("there is no reporter in {}: run scripts/build first", dist.display()).into())
}

/// Compiles the host program.
///
/// # Errors
/// Where the compiler says no.
pub fn build_host(into: &Path) -> Result<PathBuf> {
    let program = into.join("host");
    let mut compiler = Command::new("gcc");
    compiler.args(["-O2", "-g", "-fomit-frame-pointer", "-DLIFEBOAT_LOAD", "-pthread", "-I"]);
    compiler.arg(repository().join("include")).arg(repository().join("benches/hosts/host.c"));
    let status = compiler.arg("-o").arg(&program).arg("-ldl").status()?;
    if status.success() { Ok(program) } else { Err("gcc could not build the host".into()) }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn number(output: &mut BufReader<ChildStdout>, word: &str) -> Result<u64> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    if words.next() != Some(word) {
        return Err(format!("the host said {line:?} instead of {word}").into());
    }
    Ok(words.next_back().ok_or("no number")?.parse()?)
}

fn resident_kib(process: &Path) -> Result<u64> {
    let status = fs::read_to_string(process.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?)
}

/// The monotonic clock, which the host reads too.
#[must_use]
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
