//! What a count costs with Lifeboat and with its peers, and a page of their numbers, in one program and one run.
//! Prints Markdown tables; compares nothing with a clock limit.
//!
//!     counts [--rounds N] [--write FILE]

mod others;
mod ours;
mod pages;
mod turns;

use std::error::Error;
use std::fmt::Write;

use lifeboat_benches::{argument, machine, write_section};
use turns::{OPERATIONS, Peer, measure};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HEADING: &str = "## A count beside peers\n\n";
const PREFACE: &str = "Measured by `scripts/bench-peers --metrics --write`, in one Rust program (release): nanoseconds of the counting\n\
    threads' own processor time for each operation, median of 21 turns of all threads. `labelled`: the labels are bound;\n\
    `late`: two labels are looked up at each count; `histogram`: 19 buckets, values that nobody can foresee. metrics keeps\n\
    every observation until it is rendered. measured's gauge holds whole numbers, fast-telemetry's and its histogram too.\n\
    nim-metrics 0.2.2 publishes no figures; measured once on another machine (Nim 1.6, `-d:release`): counter 38 (17 with\n\
    automatic system metrics off), labelled 48 (25), histogram 67.\n\n";

fn main() -> Result<()> {
    let rounds = argument("--rounds").map_or(Ok(300_000), |rounds| rounds.parse())?;
    let ours = ours::Ours::start()?;
    let mut peers = vec![ours.peer()];
    peers.extend(others::all()?);
    let mut text = counts(&peers, rounds)?;
    drop(peers);
    text.push('\n');
    text.push_str(&pages::compare(&ours)?);
    let text = format!("{}; {rounds} rounds a turn\n\n{text}", machine());
    println!("{text}");
    if let Some(file) = argument("--write") {
        write_section(file.as_ref(), &format!("{HEADING}{PREFACE}{text}"))?;
    }
    Ok(())
}

fn counts(peers: &[Peer], rounds: usize) -> Result<String> {
    let mut text = format!("| 1 thread / 2 threads | {} |\n|---|", OPERATIONS.join(" | "));
    writeln!(text, "{}", "---|".repeat(OPERATIONS.len()))?;
    for peer in peers {
        write!(text, "| {} |", peer.name)?;
        for operation in OPERATIONS {
            eprintln!("{}, {operation}", peer.name);
            match peer.operations.iter().find(|(name, _)| *name == operation) {
                Some((_, repeat)) => {
                    let [one, two] =
                        [1, 2].map(|threads| measure(threads, rounds, &**repeat, &*peer.between));
                    write!(text, " {one:.2} / {two:.2} |")?;
                }
                None => text.push_str(" – |"),
            }
        }
        text.push('\n');
    }
    Ok(text)
}
