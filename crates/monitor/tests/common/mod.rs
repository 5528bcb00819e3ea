//! A small program, compiled for one test and run until that test is over.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod event;
pub(crate) mod recorder;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A flag of ours: with musl instead of the system's C library.
pub(crate) const MUSL: &str = "musl";

/// Counts the programs of this test process, so that each has a folder of its own.
static PROGRAMS: AtomicU32 = AtomicU32::new(0);

/// The folder of the fixtures' sources.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Compiles a fixture into a new folder; the program has the fixture's name without its ending.
pub(crate) fn compile(source: &str, flags: &[&str]) -> PathBuf {
    let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
    let name = Path::new(source).file_stem().unwrap();
    let unique = format!("{}-{}-{number}", name.display(), std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    let musl = flags.contains(&MUSL);
    let compiler = if musl {
        "musl-gcc"
    } else if source.ends_with(".cpp") {
        "g++"
    } else {
        "gcc"
    };
    let flags: Vec<_> = flags.iter().filter(|flag| **flag != MUSL).collect();
    run(Command::new(compiler).arg(fixtures().join(source)).args(flags).arg("-o").arg(&program));
    program
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// A running program: it prints a line once it is where the test wants it, and another for every line it reads.
pub(crate) struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    program: PathBuf,
}

impl Node {
    /// Compiles a fixture and starts it.
    pub(crate) fn start(source: &str, flags: &[&str]) -> Self {
        Self::run(&compile(source, flags))
    }

    /// Starts a program and waits for its first line.
    pub(crate) fn run(program: &Path) -> Self {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut node = Self { child, input, output, program: program.to_owned() };
        assert_eq!(node.line(), "ready\n");
        node.wait_until_it_reads();
        node
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn maps(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/maps", self.pid())).unwrap()
    }

    /// Who traces it.
    pub(crate) fn tracer(&self) -> u32 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Whether it still runs and reads.
    pub(crate) fn answers(mut self) -> bool {
        self.input.write_all(b"are you there\n").unwrap();
        self.line() == "yes\n"
    }

    /// Does something while another thread of ours traces all its threads.
    pub(crate) fn while_traced<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.trace();
                    act()
                })
                .join()
                .unwrap()
        })
    }

    /// Traces all its threads from this thread, until this thread ends.
    fn trace(&self) {
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap() {
            let tid: i32 = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
            let nothing = std::ptr::null_mut::<libc::c_void>();
            // SAFETY: PTRACE_SEIZE reads and writes no memory of ours.
            let answer = unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, nothing, nothing) };
            assert_eq!(answer, 0);
        }
    }

    /// The line was written a moment before the program came to where the test wants it: reading descriptor 0.
    fn wait_until_it_reads(&self) {
        let place = format!("/proc/{}/syscall", self.pid());
        let from = std::time::Instant::now();
        // read, or readv as musl does, from descriptor 0.
        let reads = |call: String| call.starts_with("0 0x0 ") || call.starts_with("19 0x0 ");
        while !reads(std::fs::read_to_string(&place).unwrap()) {
            assert!(from.elapsed().as_secs() < 10, "the program does not read");
            std::thread::yield_now();
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut rest = Vec::new();
        let _ = self.output.read_to_end(&mut rest);
        if let Some(folder) = self.program.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
