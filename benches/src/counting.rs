//! One run of a program that counts: what each operation takes, with a reader of its numbers or without.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifeboat_recorder::metrics::Format;
use lifeboat_tests::{Memory, repository};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a program that counts is to run.
#[derive(Clone, Debug)]
pub struct Counting {
    /// The program, built.
    pub program: PathBuf,
    /// The reporter and its state directory; nothing for a run without.
    pub reporter: Option<(PathBuf, PathBuf)>,
    /// Series that are made before.
    pub series: u32,
    /// Threads that count at once.
    pub threads: u32,
    /// Whether its numbers are read all the while.
    pub is_read: bool,
    /// Where its monitor serves them.
    pub metrics: Option<SocketAddr>,
}

/// What it said of one operation.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The operation.
    pub operation: String,
    /// The least of all turns.
    pub least: f64,
    /// The median.
    pub median: f64,
}

/// A program that has counted and rests.
#[derive(Debug)]
pub struct Counted {
    /// What it said.
    pub figures: Vec<Figure>,
    /// Its numbers, with a reporter.
    pub memory: Option<Memory>,
    /// How many pages were read meanwhile.
    pub pages: u64,
    child: Child,
    _input: Option<ChildStdin>,
}

impl Counting {
    /// Lets it repeat each operation so often.
    ///
    /// # Errors
    /// Where it does not run, or nobody watches it.
    pub fn run(&self, rounds: u64, operations: &[&str]) -> Result<Counted> {
        let mut command = Command::new(&self.program);
        let numbers =
            [u64::from(self.series), u64::from(self.threads), rounds].map(|number| number.to_string());
        command.env_clear().args(numbers).args(operations);
        // Room for what the bench itself counts, and for a histogram.
        command.env("LIFEBOAT_SERIES_MAX", (self.series + 100).max(10_000).to_string());
        if let Some((reporter, state)) = &self.reporter {
            command.env("LIFEBOAT_REPORTER", reporter).env("LIFEBOAT_STATE_DIR", state);
        }
        if let Some(address) = self.metrics {
            command.env("LIFEBOAT_METRICS", address.to_string());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let _input = child.stdin.take();
        next(&mut output)?;
        let memory = self.reporter.as_ref().map(|_| memory_of(child.id())).transpose()?;
        let is_over = AtomicBool::new(false);
        let (figures, pages) = std::thread::scope(|scope| {
            let read = || memory.as_ref().filter(|_| self.is_read).map_or(0, |memory| read(memory, &is_over));
            let reader = scope.spawn(read);
            let figures = all_of(&mut output);
            is_over.store(true, Ordering::Relaxed);
            (figures, reader.join().unwrap_or(0))
        });
        Ok(Counted { figures: figures?, memory, pages, child, _input })
    }
}

impl Counted {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said of this operation.
    #[must_use]
    pub fn figure(&self, operation: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.operation == operation)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self._input = None;
        // It ends as its input does; a monitor takes note of it, and it is no death.
        let _ = self.child.wait();
    }
}

/// How the operations are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Into a program.
    Program,
    /// Into a shared library that the program loads.
    SharedLibrary,
}

/// Compiles the C host.
///
/// # Errors
/// Where the compiler says no.
pub fn build_counting(
    into: &Path,
    name: &str,
    compiler: &str,
    flags: &[&str],
    build: Build,
) -> Result<PathBuf> {
    let hosts = repository("benches/hosts");
    let (program, library) = (into.join(name), into.join(format!("lib{name}.so")));
    let compile = |output: &Path, sources: &[&Path], more: &[&str]| -> Result<()> {
        let mut command = Command::new(compiler);
        command.args(flags).args(["-g", "-pthread", "-I"]).arg(repository("include")).arg("-I").arg(&hosts);
        let status = command.args(sources).args(more).arg("-o").arg(output).status()?;
        if status.success() { Ok(()) } else { Err(format!("{compiler} could not build {name}").into()) }
    };
    let (main, operations) = (hosts.join("metrics.c"), hosts.join("metrics_ops.c"));
    match build {
        Build::Program => compile(&program, &[&main, &operations], &["-ldl"])?,
        Build::SharedLibrary => {
            compile(&library, &[&operations], &["-fPIC", "-shared", "-ldl"])?;
            compile(&program, &[&main, &library], &["-Wl,-rpath,$ORIGIN"])?;
        }
    }
    Ok(program)
}

/// The monitor needs a moment to be there.
fn memory_of(node: u32) -> Result<Memory> {
    const TRIES: u32 = 1000;
    const NAP: Duration = Duration::from_millis(2);
    for _ in 0..TRIES {
        if let Ok(memory) = Memory::of_node(node) {
            return Ok(memory);
        }
        std::thread::sleep(NAP);
    }
    Ok(Memory::of_node(node)?)
}

/// Writes the page again and again, as fast as it can.
fn read(memory: &Memory, is_over: &AtomicBool) -> u64 {
    let mut pages = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut bytes = 0;
        memory.expose(Format::Text, &mut |piece| {
            bytes += piece.len();
            true
        });
        std::hint::black_box(bytes);
        pages += 1;
    }
    pages
}

fn all_of(output: &mut BufReader<ChildStdout>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    loop {
        let figure = next(output)?;
        if figure.operation == "rest" {
            return Ok(figures);
        }
        figures.push(figure);
    }
}

fn next(output: &mut BufReader<ChildStdout>) -> Result<Figure> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let mut word = || words.next().ok_or_else(|| format!("the host said {line:?}"));
    Ok(Figure { operation: word()?.to_owned(), least: word()?.parse()?, median: word()?.parse()? })
}
