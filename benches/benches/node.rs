//! What Lifeboat costs a node: start, fault to death with and without a reporter in turn, fault to report on disk,
//! and the monitor's memory at rest. Prints a Markdown table; compares nothing with a clock limit.
//!
//!     cargo bench -p lifeboat-benches --bench node [-- --runs N] [--write FILE]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_benches::{Host, Sample, Table, argument, build_host, dist, machine, write_section};

/// Between runs, so that one death's work does not weigh on the next.
const PAUSE: Duration = Duration::from_millis(30);
/// A port of the loopback where nobody listens.
const DEAD_SERVER: &str = "http://key@127.0.0.1:9/1";

const HEADING: &str = "# What Lifeboat costs a node\n\n\
    Measured by `scripts/bench --write`: the host program dies by a null dereference, in turn with a reporter and\n\
    without. Goals are for an idle machine. The time to disk holds two syncs, which belong to the disk.\n\n";

fn main() -> Result<(), Box<dyn Error>> {
    let runs = runs();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-node");
    let state = scratch.join("state");
    // Nothing of an earlier run may weigh on this one; it may not exist.
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&state)?;
    let reporter = dist()?.join("lib/liblifeboat_reporter.so");
    let program = build_host(&scratch)?;
    let host = |threads, resident_mib, reporter: Option<(PathBuf, PathBuf)>| Host {
        program: program.clone(),
        threads,
        resident_mib,
        reporter,
        dsn: None,
    };
    let with = Some((reporter.clone(), state.clone()));
    let mut table = Table::default();
    for (threads, goal) in [(0, "≤ 1"), (64, "≤ 4")] {
        death(&mut table, runs, &host(threads, 0, with.clone()), &host(threads, 0, None), goal)?;
    }
    start_with_memory(&mut table, runs.min(10), &host(0, 2048, with.clone()))?;
    rest(&mut table, &Host { dsn: Some(DEAD_SERVER.into()), ..host(0, 0, with) }, &state)?;
    let text = format!("{}; {runs} runs each; milliseconds where nothing else is said\n\n{table}", machine());
    println!("\n{text}");
    if let Some(file) = argument("--write") {
        write_section(file.as_ref(), &format!("{HEADING}{text}"))?;
    }
    Ok(())
}

fn death(
    table: &mut Table,
    runs: u32,
    with: &Host,
    without: &Host,
    goal: &str,
) -> Result<(), Box<dyn Error>> {
    let (mut start, mut reported, mut child) = (Sample::default(), Sample::default(), Sample::default());
    let (mut bare, mut died) = (Sample::default(), Sample::default());
    for run in 0..runs {
        eprint!("\r{} threads, run {}/{runs} ", with.threads + 1, run + 1);
        bare.add(without.die()?.death_ns);
        std::thread::sleep(PAUSE);
        let death = with.die()?;
        start.add(death.start_ns);
        child.add(death.child_ns);
        died.add(death.death_ns);
        reported.add(death.report_ns.unwrap_or(0));
        std::thread::sleep(PAUSE);
    }
    eprintln!();
    let threads = with.threads + 1;
    let above = died.median_ms() - bare.median_ms();
    table.row(&format!("bare vfork, exit and wait, {threads} threads"), &child, None, "");
    table.row(&format!("`lifeboat_start`, {threads} threads"), &start, None, "≤ 0.5");
    table.row(&format!("fault to death, {threads} threads, no reporter"), &bare, None, "");
    table.row(&format!("fault to death, {threads} threads, all captured"), &died, Some(above), goal);
    table.row(&format!("fault to report on disk, {threads} threads"), &reported, None, "");
    Ok(())
}

fn start_with_memory(table: &mut Table, runs: u32, with: &Host) -> Result<(), Box<dyn Error>> {
    let (mut start, mut child) = (Sample::default(), Sample::default());
    for run in 0..runs {
        eprint!("\r{} MiB resident, run {}/{runs} ", with.resident_mib, run + 1);
        let death = with.die()?;
        start.add(death.start_ns);
        child.add(death.child_ns);
        std::thread::sleep(PAUSE);
    }
    eprintln!();
    table.row(&format!("bare vfork, exit and wait, {} MiB resident", with.resident_mib), &child, None, "");
    table.row(&format!("`lifeboat_start`, {} MiB resident", with.resident_mib), &start, None, "≤ 0.5");
    Ok(())
}

fn rest(table: &mut Table, host: &Host, state: &Path) -> Result<(), Box<dyn Error>> {
    const SETTLE: Duration = Duration::from_secs(3);
    let resting = host.rest()?;
    std::thread::sleep(SETTLE);
    let monitors = resting.monitors_kib(state)?;
    let sum: u64 = monitors.iter().map(|(_, kib)| kib).sum();
    let each: Vec<String> = monitors.iter().map(|(role, kib)| format!("{role} {kib}")).collect();
    table.row("monitor at rest, resident KiB", format!("{} = {sum}", each.join(" + ")), None, "≤ 4,096");
    Ok(())
}

fn runs() -> u32 {
    const DEFAULT: u32 = 30;
    argument("--runs").and_then(|runs| runs.parse().ok()).unwrap_or(DEFAULT)
}
