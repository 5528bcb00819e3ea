//! Fatal signals end a node as without Lifeboat, core file and all, and each death is reported once.
//!
//! 1. A node starts its lifeboat and dies by a signal; the same program dies without a reporter.
//! 2. Both wait statuses are the same, and one report names the signal.
//! 3. Both core files hold the same signal, code and instruction.

use std::fs;
use std::path::Path;

use lifeboat_tests::Compiler;
use rustix::process::Signal;

use crate::bench::{Bench, Report, same_end};

const FIXTURE: &str = "death_signals";

fn check_all(cases: &[(&str, &str)]) {
    let bench = Bench::new(FIXTURE);
    for (case, signal) in cases {
        bench.check(&[case], &[Report::of_signal(signal)]);
    }
}

#[test]
fn bad_addresses() {
    check_all(&[
        ("null", "SIGSEGV"),
        ("non-canonical", "SIGSEGV"),
        ("jump-to-null", "SIGSEGV"),
        ("truncated-file", "SIGBUS"),
    ]);
}

#[test]
fn bad_stacks() {
    check_all(&[("bad-stack", "SIGSEGV"), ("overflow", "SIGSEGV"), ("overflow-attached", "SIGSEGV")]);
}

#[test]
fn bad_instructions() {
    check_all(&[
        ("illegal", "SIGILL"),
        ("divide", "SIGFPE"),
        ("breakpoint", "SIGTRAP"),
        ("forbidden-call", "SIGSYS"),
    ]);
}

#[test]
fn own_signals() {
    check_all(&[
        ("abort", "SIGABRT"),
        ("assert", "SIGABRT"),
        ("raise-bus", "SIGBUS"),
        ("raise-segv", "SIGSEGV"),
    ]);
}

/// A blocked fault, and an overflow on a thread without a signal stack, end the process before any handler runs.
#[test]
fn no_handler_runs() {
    let bench = Bench::new(FIXTURE);
    for case in ["blocked", "overflow-unattached"] {
        bench.check(&[case], &[Report::of_unseen_signal("signal", "SIGSEGV")]);
    }
}

#[test]
fn signals_of_another_process() {
    let bench = Bench::new(FIXTURE);
    let signals = [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ILL, "SIGILL"),
        (Signal::FPE, "SIGFPE"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::SYS, "SIGSYS"),
    ];
    for (signal, name) in signals {
        let state_dir = bench.state_dir();
        let ends = [bench.node_without(&["sent"]), bench.node(&["sent"], &state_dir)].map(|run| {
            let mut node = run.spawn();
            node.wait_for("ready");
            node.signal(signal);
            node.finish()
        });
        let [without, with] = &ends;
        same_end(&[name], with, without);
        assert_eq!(bench.reports(&state_dir), [Report::of_signal(name)]);
    }
}

#[test]
fn programs_of_another_libc() {
    let bench = Bench::with(Compiler::MuslGcc, FIXTURE, &[]);
    let cases = [
        ("null", "SIGSEGV"),
        ("overflow", "SIGSEGV"),
        ("overflow-attached", "SIGSEGV"),
        ("abort", "SIGABRT"),
    ];
    for (case, signal) in cases {
        bench.check(&[case], &[Report::of_signal(signal)]);
    }
}

#[test]
fn core_files() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.contains(['|', '/']) {
        eprintln!("not tried: core files go elsewhere by kernel.core_pattern {pattern:?}");
        return;
    }
    let bench = Bench::new(FIXTURE);
    for case in ["null", "bad-stack", "abort", "breakpoint", "divide", "raise-bus", "forbidden-call"] {
        let cores = [false, true].map(|is_on| {
            let folder = bench.scratch.join(format!("{case}-{is_on}"));
            fs::create_dir(&folder).unwrap();
            // At the same addresses in both, libc's too.
            let run = bench.node_behind(&["setarch", "--addr-no-randomize"], &[case, "core"]).folder(&folder);
            let run = if is_on { bench.on(run, &bench.state_dir()) } else { run };
            let outcome = run.finish();
            (outcome.status.to_string(), core_file(&folder))
        });
        let [without, with] = &cores;
        assert!(without.1.is_some(), "{case}: no core file: {}", without.0);
        assert_eq!(with, without, "{case}");
    }
    bench.settle();
}

/// Signal, code and instruction pointer of the thread that the kernel names first.
fn core_file(folder: &Path) -> Option<(u32, u32, u64)> {
    let path = fs::read_dir(folder).unwrap().flatten().next()?.path();
    let core = fs::read(path).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(core[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(core[at..at + 8].try_into().unwrap());
    let word = |value: u64| usize::try_from(value).unwrap();
    let headers = word(u64_at(32));
    let count = usize::from(u16::from_le_bytes(core[56..58].try_into().unwrap()));
    // Program headers of 56 bytes; the notes have type 4. See elf(5).
    let notes = (0..count).map(|index| headers + 56 * index).find(|at| u32_at(*at) == 4)?;
    let mut at = word(u64_at(notes + 8));
    let (mut instruction, mut signal) = (None, None);
    while instruction.is_none() || signal.is_none() {
        let (name, size, kind) = (u32_at(at), u32_at(at + 4), u32_at(at + 8));
        let data = at + 12 + word(name.into()).next_multiple_of(4);
        match kind {
            // NT_PRSTATUS: the registers start at 112, rip is the 17th.
            1 => instruction = Some(u64_at(data + 112 + 16 * 8)),
            // NT_SIGINFO: signal, errno, code.
            0x5349_4749 => signal = Some((u32_at(data), u32_at(data + 8))),
            _ => {}
        }
        at = data + word(size.into()).next_multiple_of(4);
    }
    signal.zip(instruction).map(|((signal, code), instruction)| (signal, code, instruction))
}
