//! Runs a program to its end, or kills it when its time is over, and keeps what it said.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

/// Generous, since it only bounds a test that hangs: no test passes or fails by how fast it was.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A program to run. It gets an empty environment but for `PATH`, so that the tests do not depend on
/// their caller's `LIFEBOAT_*`.
#[derive(Debug)]
pub struct Run {
    command: Command,
    timeout: Duration,
}

impl Run {
    /// A program by path, or by name in `PATH`.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command, timeout: TIMEOUT }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<Argument: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = Argument>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Hands the test's own environment on.
    #[must_use]
    pub fn inherit_environment(mut self) -> Self {
        self.command.envs(std::env::vars_os());
        self
    }

    /// Runs as this user and group; the test must be root.
    #[must_use]
    pub fn user(mut self, user: u32, group: u32) -> Self {
        self.command.uid(user).gid(group);
        self
    }

    /// Runs in this folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.command.current_dir(folder.into());
        self
    }

    /// Bounds the run by another time than two minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the program, in a process group of its own.
    ///
    /// # Panics
    /// When it cannot be started; the sentence names the program.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let name = self.command.get_program().to_owned();
        let mut child = self.command.spawn().unwrap_or_else(|error| {
            panic!("cannot run {}: {error}; if it is not installed: {}", name.display(), remedy(&name))
        });
        let pid = Pid::from_child(&child);
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(error) => panic!("no pidfd for {}: {error}; Linux 5.3 or newer is needed", name.display()),
        };
        let stdout = Stream { pipe: child.stdout.take(), bytes: Vec::new() };
        let stderr = Stream { pipe: child.stderr.take(), bytes: Vec::new() };
        let deadline = Instant::now() + self.timeout;
        Running { name, child, pidfd, pid, stdout, stderr, deadline }
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it cannot be started or its time is over.
    #[must_use]
    pub fn finish(self) -> Outcome {
        self.spawn().finish()
    }
}

/// A program at work. Killed, with its process group, when its time is over or when dropped before its end.
#[derive(Debug)]
pub struct Running {
    name: OsString,
    child: Child,
    pidfd: OwnedFd,
    pid: Pid,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    deadline: Instant,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = pidfd_send_signal(&self.pidfd, signal) {
            panic!("cannot signal {}: {error}", self.name.display());
        }
    }

    /// Reads on until its standard output holds `text`.
    ///
    /// # Panics
    /// When it ends, or its time is over, before it says so.
    pub fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.stdout.bytes).contains(text) {
            let ended = self.step() || self.stdout.pipe.is_none();
            let said = String::from_utf8_lossy(&self.stdout.bytes);
            assert!(
                !ended || said.contains(text),
                "{} ended without saying {text:?}; it said {said:?} and {:?}",
                self.name.display(),
                String::from_utf8_lossy(&self.stderr.bytes)
            );
        }
    }

    /// Reads on until a line of its standard output begins and ends so, and answers that line.
    ///
    /// # Panics
    /// As [`Running::wait_for`].
    pub fn wait_for_line(&mut self, begin: &str, end: &str) -> String {
        loop {
            let said = String::from_utf8_lossy(&self.stdout.bytes).into_owned();
            let whole = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(line) = whole.into_iter().find(|line| line.starts_with(begin) && line.ends_with(end))
            {
                return line.to_owned();
            }
            let ended = self.step() || self.stdout.pipe.is_none();
            assert!(
                !ended,
                "{} ended without a line {begin:?}…{end:?}; it said {said:?} and {:?}",
                self.name.display(),
                String::from_utf8_lossy(&self.stderr.bytes)
            );
        }
    }

    /// Whether it has ended; does not wait.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end. A grandchild that keeps a pipe open does not prolong it.
    ///
    /// # Panics
    /// When its time is over.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        while !self.step() {}
        let status = self.child.wait().unwrap_or_else(|error| panic!("cannot wait: {error}"));
        Outcome { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Waits for one event and reads what there is; true once the program has ended and all is read.
    fn step(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.give_up();
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut events = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        let stdout_index = self.stdout.pipe.as_ref().map(|pipe| push(&mut events, pipe));
        let stderr_index = self.stderr.pipe.as_ref().map(|pipe| push(&mut events, pipe));
        if poll(&mut events, Some(&timeout)).is_err() {
            return false;
        }
        let is_ready = |index: usize| events.get(index).is_some_and(|event| !event.revents().is_empty());
        let ended = is_ready(0);
        let stdout_ready = stdout_index.is_some_and(is_ready);
        let stderr_ready = stderr_index.is_some_and(is_ready);
        drop(events);
        if stdout_ready {
            self.stdout.read();
        }
        if stderr_ready {
            self.stderr.read();
        }
        ended && !stdout_ready && !stderr_ready
    }

    fn give_up(&mut self) -> ! {
        self.kill();
        panic!(
            "{} did not end in time; it said {:?} and {:?}",
            self.name.display(),
            String::from_utf8_lossy(&self.stdout.bytes),
            String::from_utf8_lossy(&self.stderr.bytes)
        );
    }

    /// Kills the group while its leader is unreaped, so that the group's number cannot be anybody else's.
    fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end by itself in between: then there is nothing left to kill.
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn push<'a>(events: &mut Vec<PollFd<'a>>, pipe: &'a impl AsFd) -> usize {
    events.push(PollFd::new(pipe, PollFlags::IN));
    events.len() - 1
}

#[derive(Debug)]
struct Stream<Pipe> {
    pipe: Option<Pipe>,
    bytes: Vec<u8>,
}

impl<Pipe: Read> Stream<Pipe> {
    fn read(&mut self) {
        let mut chunk = [0; 4096];
        let count = self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut chunk)).unwrap_or(0);
        self.bytes.extend(chunk.iter().take(count));
        if count == 0 {
            self.pipe = None;
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Outcome {
    /// Whether it left with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// The status as a shell shows it: 128 and the signal's number where a signal ended it.
    #[must_use]
    pub fn shell_status(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Standard output of a program that succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn output(self) -> String {
        assert!(self.succeeded(), "status {}:\n{}{}", self.shell_status(), self.stdout, self.stderr);
        self.stdout
    }
}

/// Checks that a tool can be run, for tests that need it indirectly.
///
/// # Panics
/// When it is missing; the sentence says how to install it.
pub fn tool(name: &str) {
    drop(Run::new(name).arg("--version").finish());
}

fn remedy(name: &OsStr) -> String {
    let package = match name.to_str() {
        Some("strip" | "objcopy" | "nm" | "readelf") => "binutils",
        Some("musl-gcc") => "musl-tools",
        Some("clang++") => "clang",
        Some(name) => name,
        None => return "install it".to_owned(),
    };
    format!("apt-get install {package}")
}
