//! Lifeboat beside its peers: lets every host die in turn, and prints what each took as a ratio to Lifeboat. The hosts
//! are built by `scripts/bench-peers`. Compares nothing with a clock limit.
//!
//!     peers [--runs N] [--json] [--write FILE]

mod figures;
mod peer;
mod processes;
mod quiet;
mod run;
mod sink;
mod table;

use std::error::Error;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, setrlimit};

use figures::{Figures, Measure};
use peer::{LIFEBOAT, PEERS, Peer};
use quiet::Quiet;
use run::Bench;
use table::{Comparison, Marks, applies};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Enough for a median that one disturbed run does not move.
const RUNS_DEFAULT: u32 = 15;
const RESTS: u32 = 3;
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Opens the section of the results that is ours.
const HEADING: &str = "## Beside peers\n\n";
const PREFACE: &str = "Measured by `scripts/bench-peers --write`: the same null write, 20 frames deep in one C file that is linked into\n\
    each host; fresh state for every run; a server on the loopback that takes every report at once; no core files.\n\
    Ratios travel better than milliseconds. What the columns hide: a minidump is raw stacks and registers that a\n\
    server turns into names; libdd-crashtracker unwinds one thread unless asked, and writes to its file endpoint,\n\
    which is for debugging, two files more; sentry sends before the host may die; Lifeboat's file holds all threads'\n\
    stacks, unwound, with the names that the machine's files give, and is synced twice, which belongs to the disk.\n\
    The hosts are stripped. crash-handler is 0.8.1 where it stands alone.\n\n";

fn main() -> Result<()> {
    let runs: u32 = argument("--runs").map_or(Ok(RUNS_DEFAULT), |runs| runs.parse())?;
    let bench = prepare()?;
    let machine = machine();
    let mut figures = vec![Figures::default(); PEERS.len()];
    weigh(&bench, &mut figures)?;
    rest(&bench, &mut figures)?;
    let quiet = die(&bench, runs.max(1), &mut figures)?;
    let peers = PEERS.iter().zip(figures).collect();
    let comparison = Comparison { machine, runs: runs.max(1), quiet, peers };
    if std::env::args().any(|argument| argument == "--json") {
        println!("{:#}", comparison.json());
    } else {
        let is_plain = !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
        println!("{}", comparison.terminal(if is_plain { Marks::PLAIN } else { Marks::COLOR }));
    }
    argument("--write").map_or(Ok(()), |file| write(Path::new(&file), &comparison.markdown()))
}

fn prepare() -> Result<Bench> {
    processes::adopt_orphans()?;
    // A core file's size would be measured, not a reporter.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let this = std::env::current_exe()?;
    let programs = this.parent().ok_or("no folder of programs")?.to_owned();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository.join("dist"), PathBuf::from);
    let reporter = dist.join("lib/liblifeboat_reporter.so");
    let reporter = reporter
        .canonicalize()
        .map_err(|error| format!("{}: {error}: run scripts/build first", reporter.display()))?;
    let scratch = programs.join("peers-runs");
    Ok(Bench { programs, reporter, scratch, dsn: sink::start()? })
}

/// What each brings along.
fn weigh(bench: &Bench, figures: &mut [Figures]) -> Result<()> {
    let dist = bench.reporter.parent().and_then(Path::parent).ok_or("no dist")?;
    let beside = [bench.reporter.clone(), dist.join("bin/lifeboat-monitor")];
    for (peer, figures) in PEERS.iter().zip(figures) {
        let program = bench.programs.join(peer.program);
        let program = fs::metadata(&program)
            .map_err(|error| format!("{}: {error}: run scripts/bench-peers", program.display()))?;
        figures.add(Measure::Program, program.len() as f64 / MIB);
        if applies(peer, Measure::Crates) {
            figures.add(Measure::Crates, peer.crates()? as f64);
        }
        if peer.name == LIFEBOAT {
            let bytes: u64 = beside.iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
            figures.add(Measure::Beside, bytes as f64 / MIB);
        }
    }
    Ok(())
}

fn rest(bench: &Bench, figures: &mut [Figures]) -> Result<()> {
    for round in 0..RESTS {
        for (peer, figures) in PEERS.iter().zip(figures.iter_mut()) {
            progress(&format!("at rest, round {}/{RESTS}: {}", round + 1, peer.name));
            let rest = bench.rest(peer)?;
            figures.add(Measure::HostProportional, rest.host.proportional_kib as f64 / KIB);
            if rest.helpers.resident_kib > 0 {
                figures.add(Measure::HelpersResident, rest.helpers.resident_kib as f64 / KIB);
                figures.add(Measure::HelpersProportional, rest.helpers.proportional_kib as f64 / KIB);
            }
        }
    }
    Ok(())
}

/// Each round begins with another peer, so that none always follows the same one.
fn die(bench: &Bench, runs: u32, figures: &mut [Figures]) -> Result<Quiet> {
    let mut quiet = Quiet::default();
    for round in 0..runs {
        for place in 0..PEERS.len() {
            let index = (place + round as usize) % PEERS.len();
            let (Some(peer), Some(figures)) = (PEERS.get(index), figures.get_mut(index)) else { continue };
            progress(&format!("deaths, round {}/{runs}: {}", round + 1, peer.name));
            for threads in [0, 64] {
                quiet.wait();
                die_once(bench, peer, threads, figures)?;
            }
        }
    }
    progress("");
    Ok(quiet)
}

fn die_once(bench: &Bench, peer: &Peer, threads: u32, figures: &mut Figures) -> Result<()> {
    let milliseconds = |ns: u64| ns as f64 / 1e6;
    let [death, disk, bytes] = if threads == 0 {
        [Measure::DeathOfOne, Measure::DiskOfOne, Measure::BytesOfOne]
    } else {
        [Measure::DeathOfMany, Measure::DiskOfMany, Measure::BytesOfMany]
    };
    let died = bench.die(peer, threads)?;
    if applies(peer, Measure::Start) {
        figures.add(Measure::Start, milliseconds(died.start_ns));
    }
    figures.add(death, milliseconds(died.death_ns));
    if let Some(report) = died.report {
        figures.add(disk, milliseconds(report.ns));
        figures.add(bytes, report.bytes as f64 / KIB);
    } else if peer.report.is_some() {
        figures.lost += 1;
    }
    Ok(())
}

/// One line that is written over; nothing where nobody looks.
fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
    }
}

/// Puts the section at the end of the results; an earlier one goes, the other sections stay.
fn write(file: &Path, table: &str) -> Result<()> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let (before, rest) = text.split_once(HEADING).unwrap_or((&text, ""));
    let after = rest.find("\n## ").and_then(|at| rest.get(at..)).unwrap_or_default();
    let others = format!("{}\n\n{}", before.trim_end(), after.trim());
    Ok(fs::write(file, format!("{}\n\n{HEADING}{PREFACE}{table}", others.trim()))?)
}

/// What follows this option.
fn argument(option: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != option).nth(1)
}

/// Taken before the first run: our own work is no other's.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let nice = match rustix::process::getpriority_process(None).unwrap_or(0) {
        0 => String::new(),
        nice => format!(", niceness {nice}"),
    };
    let names = if Path::new("/usr/lib/debug/.build-id").exists() { "with" } else { "without" };
    format!(
        "{processors} × {model}, Linux {}, {names} debug files in /usr/lib/debug, load {load} before the first run{nice}",
        kernel.trim()
    )
}
