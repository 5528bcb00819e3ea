//! How long after a fault a server shows it: from just before the null dereference to an issue that its API can read.
//! The server is a Bugsink on this machine. Prints a Markdown table; compares nothing with a clock limit.
//!
//!     cargo bench -p lifeboat-benches --bench server [-- --runs N] [--write FILE]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat_benches::{Host, Sample, Table, argument, build_host, dist, machine, now_ns, write_section};
use lifeboat_tests::{Project, Server};

/// Between runs, so that one death's work does not weigh on the next.
const PAUSE: Duration = Duration::from_millis(200);
/// Deaths before those that count: each of the server's workers loads half of its code at its first report.
const WARM_UP: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(30);
/// The server answers a question in some milliseconds; asking all the time would keep it from its work.
const NAP: Duration = Duration::from_millis(5);

const HEADING: &str = "## From a fault to an issue\n\n\
    Measured by `scripts/bench --server --write`: the host program dies by a null dereference; the report goes to a\n\
    Bugsink on the same machine, whose API is asked until it shows the event. Bugsink's own part is in it. Five deaths\n\
    before those that count let the server load its code; the first of them takes some 2 s.\n\n";

fn main() -> Result<(), Box<dyn Error>> {
    const DEFAULT: u32 = 20;
    let runs: u32 = argument("--runs").and_then(|runs| runs.parse().ok()).unwrap_or(DEFAULT);
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-server");
    // Nothing of an earlier run may weigh on this one; it may not exist.
    let _ = std::fs::remove_dir_all(&scratch);
    let state = scratch.join("state");
    std::fs::create_dir_all(&state)?;
    let project = Server::get().project("bench");
    let host = Host {
        program: build_host(&scratch)?,
        threads: 4,
        resident_mib: 0,
        reporter: Some((dist()?.join("lib/liblifeboat_reporter.so"), state)),
        dsn: Some(project.dsn.clone()),
    };
    let (mut on_disk, mut shown, mut slowest) = (Sample::default(), Sample::default(), 0);
    for run in 0..runs + WARM_UP {
        eprint!("\rrun {}/{} ", run + 1, runs + WARM_UP);
        let death = host.die()?;
        wait_for_events(&project, u64::from(run) + 1)?;
        let took = now_ns().saturating_sub(death.fault_ns);
        std::thread::sleep(PAUSE);
        if run >= WARM_UP {
            on_disk.add(death.report_ns.unwrap_or(0));
            shown.add(took);
            slowest = slowest.max(took);
        }
    }
    eprintln!();
    let mut table = Table::default();
    table.row("fault to report on disk, with a server", &on_disk, None, "");
    table.row("fault to issue that the API shows", &shown, None, "≤ 1000");
    table.row("the slowest of them", format!("{:.2}", slowest as f64 / 1e6), None, "≤ 1000");
    let text = format!("{}; {runs} runs; milliseconds\n\n{table}", machine());
    println!("\n{text}");
    if let Some(file) = argument("--write") {
        write_section(file.as_ref(), &format!("{HEADING}{text}"))?;
    }
    Ok(())
}

fn wait_for_events(project: &Project<'_>, count: u64) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + TIMEOUT;
    while project.issues().iter().map(|issue| issue.events).sum::<u64>() < count {
        if Instant::now() > until {
            return Err(format!("the server does not show {count} events: {:?}", project.issues()).into());
        }
        std::thread::sleep(NAP);
    }
    Ok(())
}
