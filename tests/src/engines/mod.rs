//! The engines that a fleet is watched by, as tests start them on the loopback: [`Prometheus`], [`Alertmanager`], any
//! other program of theirs ([`Engine`]), a [`Webhook`] that keeps what it is told, a [`Simulator`] of nodes; and all of them
//! for one inventory: [`Watch`].
//!
//! Each listens where its test says, has a folder of its own, is ended when dropped, and shows what it said when the test
//! fails. [`Loopback`] gives a test addresses that no other test has, so that ports need not be searched for.

mod alertmanager;
mod prometheus;
mod simulator;
mod watch;
mod webhook;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use alertmanager::Alertmanager;
pub use prometheus::{Prometheus, QUICK, Sample};
pub use simulator::Simulator;
pub use watch::{Watch, Wish};
pub use webhook::{Request, Webhook};

use crate::{Run, Running, Scratch, repository, wait_until};

/// Generations of the engines that users have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Prometheus 2.42, Alertmanager 0.25.
    Two,
    /// Prometheus 3.5, Alertmanager 0.33.
    Three,
}

impl Generation {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Two, Self::Three];

    /// A program of it: `prometheus`, `promtool`, `alertmanager`, `amtool`, `node-exporter`, `blackbox-exporter`.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn program(self, name: &str) -> PathBuf {
        let number = match self {
            Self::Two => 2,
            Self::Three => 3,
        };
        let folder = std::env::var_os(format!("LIFEBOAT_TEST_PROMETHEUS{number}"))
            .map_or_else(|| repository(&format!("target/prometheus/{number}")), PathBuf::from);
        let program = folder.join(name);
        assert!(program.is_file(), "{} is not there: run scripts/setup test", program.display());
        program
    }

    /// A run of it.
    #[must_use]
    pub fn run(self, name: &str) -> Run {
        Run::new(self.program(name))
    }
}

/// Addresses `127.A.B.1` to `127.A.B.254`, which are this test's own: each machine listens on all of 127.0.0.0/8.
#[derive(Clone, Copy, Debug)]
pub struct Loopback {
    block: u16,
}

impl Loopback {
    /// Addresses that no other test of this machine has now.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Sixteen blocks for each process: processes whose ids are 4,000 apart do not meet.
        let of_process = std::process::id().wrapping_mul(16);
        let number = of_process.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) % 16);
        // The first 256 blocks hold 127.0.0.1.
        Self { block: u16::try_from(number % (0x1_0000 - 0x100)).unwrap_or_default() + 0x100 }
    }

    /// One of them, from 1 to 254.
    #[must_use]
    pub fn host(self, number: u8) -> String {
        let [a, b] = self.block.to_be_bytes();
        format!("127.{a}.{b}.{number}")
    }

    /// The same with a port.
    #[must_use]
    pub fn address(self, number: u8, port: u16) -> String {
        format!("{}:{port}", self.host(number))
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self::new()
    }
}

/// A program that listens, with a folder of its own.
#[derive(Debug)]
pub struct Engine {
    running: Running,
    /// Where it listens, as `host:port`.
    pub address: String,
    name: String,
    scratch: Scratch,
}

impl Engine {
    /// Starts it with these arguments and waits until somebody listens at the address; `{folder}` in an argument is the
    /// engine's own folder.
    ///
    /// # Panics
    /// When it ends before it listens.
    #[must_use]
    pub fn start(generation: Generation, name: &str, address: &str, arguments: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        let log = scratch.join("log");
        let folder = scratch.path().display().to_string();
        let arguments = arguments.iter().map(|argument| argument.replace("{folder}", &folder));
        // A pipe that nobody reads would stop it once it is full. The shell's place is taken, so that the pid is the engine's.
        let run = Run::new("sh").args(["-c", "exec \"$@\" >\"$0\" 2>&1"]).arg(&log);
        let mut running = run.arg(generation.program(name)).args(arguments).folder(scratch.path()).spawn();
        wait_until(&format!("{name} listens at {address}"), || {
            let has_ended = running.has_ended();
            assert!(!has_ended, "{name} has ended:\n{}", fs::read_to_string(&log).unwrap_or_default());
            TcpStream::connect(address).is_ok()
        });
        Self { running, address: address.into(), name: name.into(), scratch }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default();
            eprintln!("== {} at {} said last:\n{}", self.name, self.address, last.join("\n"));
        }
    }
}
