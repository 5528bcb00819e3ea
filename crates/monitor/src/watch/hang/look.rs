//! What a process that hangs shows of itself: each thread's stack where tracing is allowed, else what `/proc` tells. The
//! process lives on.

use std::fs;

use crate::capture::{Capture, End, Image, Subject, Thread};

use super::super::link::Link;
use super::super::{capture, images, process, threads};
use super::let_in::{self, LetIn};
use super::looking::Held;
use super::{Found, Load};

/// Longest name of a function of the kernel.
const FUNCTION_MAX: usize = 64;
/// How often a thread that runs is looked at once more.
const SAMPLES: usize = 3;

/// What `/proc` says of a thread.
pub(super) struct Seen {
    /// `R (running)`.
    pub(super) state: String,
    pub(super) waits_in: String,
    /// Whether SIGSTOP or its like has stopped it.
    pub(super) is_stopped: bool,
    /// The debugger that has stopped it.
    pub(super) holder: Option<String>,
}

/// Looks at the thread, or where that has ended at the process.
pub(super) fn seen(pid: u32, tid: u32) -> Seen {
    let read = |tid, file: &str| fs::read_to_string(format!("/proc/{pid}/task/{tid}/{file}")).ok();
    let of_thread = read(tid, "status");
    let has_ended = of_thread.is_none();
    let status = of_thread.or_else(|| read(pid, "status")).unwrap_or_default();
    let field =
        |label: &str| status.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default().trim();
    let (state, tracer) = (field("State:").to_owned(), field("TracerPid:").parse().unwrap_or(0_u32));
    let is_held = state.starts_with('t') && tracer != 0 && tracer != std::process::id();
    let waits_in = read(tid, "wchan").filter(|name| name != "0").unwrap_or_default();
    Seen {
        is_stopped: state.starts_with('T'),
        holder: is_held.then(|| {
            let name = process::thread_name(tracer, tracer);
            format!("process {tracer} ({name}), a debugger, held the node when a heartbeat was due")
        }),
        state: if has_ended { String::new() } else { state },
        waits_in: waits_in.chars().filter(|letter| !letter.is_control()).take(FUNCTION_MAX).collect(),
    }
}

/// The threads of a process.
pub(super) fn tids(pid: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Captures what hangs; nothing where the node is about to end, whose capture goes first.
pub(super) fn capture(link: &Link, found: Found, held: &Held) -> Option<Capture> {
    let pid = link.pid();
    let Found { mut hang, last_boottime_ns, load, mut notes } = found;
    hang.busy = Load::of(pid).since(&load, pid);
    // This comes first: where the map is locked we wait here, and no thread waits for us.
    let mut mapped = Mapped::of(link, hang.tid);
    let take = || held.take(link, |goes_on| threads::capture_while(pid, None, goes_on));
    let (mut threads, mut refused) = take()?;
    let mut let_in = None;
    // A process that is stopped hears no signal.
    if threads.iter().all(|thread| thread.registers.is_empty()) && !hang.state.starts_with('T') {
        match let_in::ask(link, hang.tid) {
            Ok(asked) => {
                mapped = Mapped::of(link, hang.tid);
                (threads, refused) = take()?;
                take_interrupted(&mut threads, &asked);
                let_in = Some(asked);
            }
            Err(why) => refused.push(why),
        }
    }
    if hang.state.starts_with('R') && let_in.is_none() {
        hang.later = held.take(link, |goes_on| threads::samples(pid, hang.tid, SAMPLES, goes_on))?;
    }
    drop(let_in);
    notes.append(&mut refused);
    let (Mapped { maps, images }, process) = (mapped, process::process(pid));
    let begun = capture::begin(link, Subject::Hang(last_boottime_ns), End::StillAlive);
    let notes = notes.into_iter().chain(begun.notes).collect();
    Some(Capture { threads, maps, images, process, notes, hang: Some(hang), ..begun })
}

/// What is loaded where.
struct Mapped {
    maps: Vec<u8>,
    images: Vec<Image>,
}

impl Mapped {
    fn of(link: &Link, tid: u32) -> Self {
        let memory = link.memory_of(tid);
        let maps = process::maps(memory);
        let images = images::images(memory, &maps);
        Self { maps, images }
    }
}

/// The thread that let us in stands in its handler: what it did before is what counts.
fn take_interrupted(threads: &mut [Thread], let_in: &LetIn<'_>) {
    if let Some(thread) = threads.iter_mut().find(|thread| thread.tid == let_in.tid)
        && let Some(interrupted) = threads::of_context(thread.tid, let_in.context)
    {
        (thread.registers, thread.stack_start, thread.stack) = interrupted;
    }
}
