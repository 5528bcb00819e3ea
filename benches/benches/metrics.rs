//! What a count costs the node that counts, from each language and build, with its numbers read all the while and
//! without; a writer's longest pause; the memory of series and threads; and what a page costs its reader.
//! Prints Markdown tables; compares nothing with a clock limit.
//!
//!     cargo bench -p lifeboat-benches --bench metrics [-- --rounds N] [--write FILE]

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lifeboat_benches::{
    Build, Counting, Sample, argument, build_counting, dist, free_address, machine, scrape, scrape_first,
    tool_is_here, write_section,
};
use lifeboat_recorder::metrics::Format;
use lifeboat_tests::repository;
use rustix::process::{Pid, Signal, kill_process};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const OPERATIONS: [&str; 6] = ["counter", "labelled", "late", "gauge_set", "gauge_add", "histogram"];

const HEADING: &str = "## What a count costs\n\n\
    Measured by `scripts/bench --metrics --write`: nanoseconds of the counting thread's own processor time for each\n\
    operation, median of 21 turns of all threads (least). `labelled` is a counter whose labels are bound, `late` one whose\n\
    two labels are looked up at each count, `histogram` one of 19 buckets that observes values which nobody can foresee.\n\
    Read: another thread writes the whole page meanwhile, again and again. Off: no reporter is named. Goals: a counter\n\
    ≤ 1 ns in a program, ≤ 3 in a shared library or a debug build, no dearer when off; a histogram ≤ 5. A scrape goes over\n\
    HTTP, each with a connection and a page of its own.\n\n";

/// A program that counts.
struct Program {
    name: &'static str,
    path: PathBuf,
}

struct Bench {
    reporter: (PathBuf, PathBuf),
    rounds: u64,
    text: String,
}

fn main() -> Result<()> {
    const ROUNDS: u64 = 1_000_000;
    let rounds: u64 = argument("--rounds").and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-metrics");
    let state = scratch.join("state");
    // Nothing of an earlier run may weigh on this one; it may not exist.
    let _ = std::fs::remove_dir_all(&state);
    std::fs::create_dir_all(&state)?;
    let reporter = (dist()?.join("lib/liblifeboat_reporter.so"), state);
    let programs = programs(&scratch)?;
    let mut bench = Bench { reporter, rounds, text: String::new() };
    bench.counts(&programs)?;
    let first = programs.first().ok_or("no program")?;
    bench.pauses(first)?;
    bench.memory(first)?;
    bench.pages(first)?;
    bench.scrapes(first)?;
    let text = format!("{}; {rounds} rounds a turn\n\n{}", machine(), bench.text);
    println!("\n{text}");
    if let Some(file) = argument("--write") {
        write_section(file.as_ref(), &format!("{HEADING}{text}"))?;
    }
    Ok(())
}

/// Every language and build for which there is a compiler here.
fn programs(scratch: &Path) -> Result<Vec<Program>> {
    let load = "-DLIFEBOAT_LOAD";
    let mut programs = Vec::new();
    let mut c = |name, file, compiler: &str, flags: &[&str], build| -> Result<()> {
        if tool_is_here(compiler) {
            programs.push(Program { name, path: build_counting(scratch, file, compiler, flags, build)? });
        }
        Ok(())
    };
    c("C, gcc -O2", "gcc", "gcc", &["-O2", load], Build::Program)?;
    c("C, clang -O2", "clang", "clang", &["-O2", load], Build::Program)?;
    c("C, musl-gcc -O2", "musl", "musl-gcc", &["-O2", load], Build::Program)?;
    c("C, shared library, gcc -O2 -fPIC", "shared", "gcc", &["-O2", load], Build::SharedLibrary)?;
    c("C, gcc -O0", "debug", "gcc", &["-O0", load], Build::Program)?;
    c("C, compiled out, gcc -O2", "public", "gcc", &["-O2"], Build::Program)?;
    for (name, profile) in [("Rust, release", "release"), ("Rust, debug", "dev")] {
        programs.push(Program { name, path: build_rust(profile)? });
    }
    let nim_2 = std::env::var("LIFEBOAT_TEST_NIM2").unwrap_or_else(|_| "nim-2".into());
    for (name, file, nim, flags) in [
        ("Nim 1.6, refc, release", "nim-refc", "nim", &["-d:release", "--mm:refc"][..]),
        ("Nim 1.6, orc, release", "nim-orc", "nim", &["-d:release", "--mm:orc"]),
        ("Nim 1.6, refc, debug", "nim-debug", "nim", &["--mm:refc"]),
        ("Nim 2.2, orc, release", "nim-2-orc", nim_2.as_str(), &["-d:release", "--mm:orc"]),
        ("Nim 2.2, refc, debug", "nim-2-debug", nim_2.as_str(), &["--mm:refc"]),
    ] {
        if tool_is_here(nim) {
            programs.push(Program { name, path: build_nim(&scratch.join(file), nim, flags)? });
        }
    }
    Ok(programs)
}

fn build_rust(profile: &str) -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-rust");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--features", "load", "--profile", profile]);
    cargo.arg("--manifest-path").arg(repository("benches/hosts/rust/Cargo.toml"));
    if !cargo.arg("--target-dir").arg(&target).status()?.success() {
        return Err("cargo could not build benches/hosts/rust".into());
    }
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(folder).join("metrics"))
}

fn build_nim(program: &Path, nim: &str, flags: &[&str]) -> Result<PathBuf> {
    let option = |name: &str, path: &Path| format!("{name}{}", path.display());
    let mut command = Command::new(nim);
    command.args(["c", "--hints:off", "--threads:on", "-d:sentry"]).args(flags);
    command.arg(option("--path:", &repository("nim-bindings")));
    command.arg(option("--nimcache:", &program.with_extension("nimcache"))).arg(option("-o:", program));
    if !command.arg(repository("benches/hosts/metrics.nim")).status()?.success() {
        return Err("nim could not build benches/hosts/metrics.nim".into());
    }
    Ok(program.to_owned())
}

impl Bench {
    fn counting(&self, program: &Program) -> Counting {
        Counting {
            program: program.path.clone(),
            reporter: Some(self.reporter.clone()),
            series: 1000,
            threads: 1,
            is_read: false,
            metrics: None,
        }
    }

    fn counts(&mut self, programs: &[Program]) -> Result<()> {
        writeln!(self.text, "| build | threads | {} |", OPERATIONS.join(" | "))?;
        writeln!(self.text, "|---|---|{}", "---|".repeat(OPERATIONS.len()))?;
        for program in programs {
            let on = self.counting(program);
            let off = Counting { reporter: None, ..on.clone() };
            if program.name.contains("compiled out") {
                self.row(program.name, "1", &off)?;
                continue;
            }
            self.row(program.name, "1", &on)?;
            self.row(program.name, "1, read", &Counting { is_read: true, ..on.clone() })?;
            self.row(program.name, "2", &Counting { threads: 2, ..on.clone() })?;
            self.row(program.name, "2, read", &Counting { threads: 2, is_read: true, ..on })?;
            self.row(program.name, "1, off", &off)?;
        }
        writeln!(self.text)?;
        Ok(())
    }

    fn row(&mut self, name: &str, threads: &str, counting: &Counting) -> Result<()> {
        eprintln!("{name}, {threads}");
        let counted = counting.run(self.rounds, &OPERATIONS)?;
        write!(self.text, "| {name} | {threads} |")?;
        for operation in OPERATIONS {
            let figure = counted.figure(operation).ok_or("an operation is missing")?;
            write!(self.text, " {:.2} ({:.2}) |", figure.median, figure.least)?;
        }
        writeln!(self.text)?;
        Ok(())
    }

    /// The time between two counts, each of which reads the clock too; other programs of the machine are in it.
    fn pauses(&mut self, program: &Program) -> Result<()> {
        writeln!(
            self.text,
            "| between two counts of a thread, ns | longest | 99.99 % below | pages read meanwhile |"
        )?;
        writeln!(self.text, "|---|---|---|---|")?;
        for (what, is_read) in
            [("nobody reads", false), ("the page of 10,000 series is read all the while", true)]
        {
            eprintln!("pauses, {what}");
            let counting = Counting { is_read, series: 10_000, ..self.counting(program) };
            let (mut longest, mut usual, mut pages) = (Sample::default(), Sample::default(), 0);
            for _ in 0..9 {
                let counted = counting.run(10 * self.rounds, &["pause"])?;
                let figure = counted.figure("pause").ok_or("no pause")?;
                longest.add(figure.least as u64);
                usual.add(figure.median as u64);
                pages += counted.pages;
            }
            let median = |sample: &Sample| sample.quantile_ns(0.5);
            writeln!(self.text, "| {what} | {} | {} | {pages} |", median(&longest), median(&usual))?;
        }
        writeln!(self.text)?;
        Ok(())
    }

    fn memory(&mut self, program: &Program) -> Result<()> {
        writeln!(self.text, "| memory that counts take, KiB | written | once read |\n|---|---|---|")?;
        for (series, threads) in [(1, 1), (1_000, 1), (10_000, 1), (10_000, 8), (10_000, 64), (100_000, 1)] {
            let counting = Counting { series, threads, ..self.counting(program) };
            let counted = counting.run(1, &["every"])?;
            let memory = counted.memory.as_ref().ok_or("no memory")?;
            let written = memory.resident_bytes()? / 1024;
            memory.expose(Format::Text, &mut |_| true);
            let once_read = memory.resident_bytes()? / 1024;
            writeln!(self.text, "| {series} series, {threads} threads at once | {written} | {once_read} |")?;
        }
        writeln!(self.text)?;
        Ok(())
    }

    fn pages(&mut self, program: &Program) -> Result<()> {
        const TURNS: u32 = 21;
        writeln!(self.text, "| a page, ms | least | median | goal | bytes |\n|---|---|---|---|---|")?;
        for (series, threads, goal) in
            [(1_000, 1, ""), (10_000, 1, "≤ 0.6"), (10_000, 8, ""), (100_000, 1, "≤ 6")]
        {
            eprintln!("page of {series} series");
            let counted = Counting { series, threads, ..self.counting(program) }.run(1, &["every"])?;
            let memory = counted.memory.as_ref().ok_or("no memory")?;
            for (name, format) in [("text", Format::Text), ("OpenMetrics", Format::OpenMetrics)] {
                let (mut took, mut bytes) = (Sample::default(), 0);
                for _ in 0..TURNS {
                    let from = Instant::now();
                    bytes = 0;
                    memory.expose(format, &mut |piece| {
                        bytes += piece.len();
                        true
                    });
                    took.add(from.elapsed().as_nanos() as u64);
                }
                let [least, median] = [0.0, 0.5].map(|share| took.quantile_ns(share) as f64 / 1e6);
                let what = format!("{series} series of {threads} threads, {name}");
                writeln!(self.text, "| {what} | {least:.2} | {median:.2} | {goal} | {bytes} |")?;
            }
        }
        writeln!(self.text)?;
        Ok(())
    }

    /// Over HTTP, of a node that runs and of one that is stopped: each page is a new one.
    fn scrapes(&mut self, program: &Program) -> Result<()> {
        const TURNS: u32 = 30;
        writeln!(self.text, "| a scrape, ms | median | longest |\n|---|---|---|")?;
        for (series, stops) in [(1_000, false), (1_000, true), (10_000, false), (10_000, true)] {
            eprintln!("scrapes of {series} series, stopped: {stops}");
            let metrics = Some(free_address()?);
            let counted = Counting { series, metrics, ..self.counting(program) }.run(1, &["every"])?;
            let address = metrics.ok_or("no address")?;
            scrape_first(address)?;
            let node = Pid::from_raw(i32::try_from(counted.id())?).ok_or("no process")?;
            if stops {
                kill_process(node, Signal::STOP)?;
            }
            let mut took = Sample::default();
            for _ in 0..TURNS {
                // Pages are shared for a moment.
                std::thread::sleep(Duration::from_millis(300));
                took.add(scrape(address)?);
            }
            kill_process(node, Signal::CONT)?;
            let [median, longest] = [0.5, 1.0].map(|share| took.quantile_ns(share) as f64 / 1e6);
            let state = if stops { "stopped" } else { "running" };
            writeln!(self.text, "| {series} series, the node {state} | {median:.2} | {longest:.2} |")?;
        }
        Ok(())
    }
}
