//! Takes registers and stacks of a process's threads. They stand still for as long as that takes, then go on;
//! nothing is unwound here.
//!
//! All are seized, then all interrupted, then waited for in whatever order they stop. This happens in a thread of
//! its own: when that ends, the kernel lets go whoever did not stop in time, so that nobody is left standing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::capture::Thread;

use super::ptrace::{self, Seen};
use super::{context, interrupted, memory};

/// How long a capture may take. A thread in an uninterruptible wait does not stop.
const DEADLINE: Duration = Duration::from_millis(500);
/// For so long we yield the processor to those who are about to stop; then we sleep between looks.
const YIELD_FOR: Duration = Duration::from_millis(20);
const NAP: Duration = Duration::from_micros(200);
/// Odd, so that it meets no timer's beat.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(7);
/// Most threads that are captured.
const THREADS_MAX: usize = 1024;
/// Most bytes of one stack.
const STACK_MAX: usize = 64 * 1024;
/// Below the stack pointer a leaf function may keep data: the red zone of the x86_64 ABI.
const RED_ZONE: u64 = 128;
/// Where the stack pointer stands in `user_regs_struct`.
#[cfg(target_arch = "x86_64")]
const STACK_POINTER: usize = 19;
/// Where the stack pointer stands in `user_pt_regs`.
#[cfg(target_arch = "aarch64")]
const STACK_POINTER: usize = 31;
/// Most notes about single threads; the rest is counted.
const NOTES_MAX: usize = 8;

/// Whether to go on, asked again and again: who says no while the number may be another process's by now keeps it from harm.
pub(crate) type GoesOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// Captures every thread of `pid`, and says what could not be captured.
///
/// Of `skip_tid`, the thread that waits in its handler and has put its registers into the recorder, only the name
/// is taken. Takes at most about half a second, whatever the threads do.
#[must_use]
pub fn capture(pid: u32, skip_tid: Option<u32>) -> (Vec<Thread>, Vec<String>) {
    capture_while(pid, skip_tid, &|| true)
}

/// The same, given up, with all that was taken let go, as soon as this says no.
pub(crate) fn capture_while(
    pid: u32,
    skip_tid: Option<u32>,
    goes_on: GoesOn<'_>,
) -> (Vec<Thread>, Vec<String>) {
    let tracer = std::thread::Builder::new().name("capture".into());
    let captured = std::thread::scope(|scope| {
        let tracer = tracer.spawn_scoped(scope, || Capture::new(pid, skip_tid, goes_on).run())?;
        tracer.join().map_err(|_| io::Error::other("it ended early"))
    });
    captured.unwrap_or_else(|error| (Vec::new(), vec![format!("the threads were not captured: {error}")]))
}

/// Takes one thread several times, a moment apart. Where it cannot be taken there are fewer.
pub(crate) fn samples(pid: u32, tid: u32, count: usize, goes_on: GoesOn<'_>) -> Vec<Thread> {
    let take = || {
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            std::thread::sleep(BETWEEN_SAMPLES);
            let Some(thread) = Capture::new(pid, None, goes_on).run_for(tid) else { break };
            taken.push(thread);
        }
        taken
    };
    let tracer = std::thread::Builder::new().name("capture".into());
    let taken = std::thread::scope(|scope| {
        tracer.spawn_scoped(scope, take).ok().and_then(|tracer| tracer.join().ok())
    });
    taken.unwrap_or_default()
}

/// Registers and stack of a thread as they were before the signal whose handler's `ucontext` lies here.
pub(crate) fn of_context(tid: u32, context: u64) -> Option<(Vec<u64>, u64, Vec<u8>)> {
    let mut bytes = [0; context::BYTES];
    let at = context.checked_add(context::OFFSET)?;
    memory::read(tid, at, &mut bytes).ok().filter(|read| *read == bytes.len())?;
    let registers = context::registers(&bytes);
    let start = registers.get(STACK_POINTER)?.saturating_sub(RED_ZONE);
    let mut stack = vec![0; STACK_MAX];
    let read = memory::read(tid, start, &mut stack).unwrap_or(0);
    stack.truncate(read);
    Some((registers, start, stack))
}

/// Takes one thread that stands still under the caller's ptrace.
pub(crate) fn of_stopped(pid: u32, tid: u32) -> Thread {
    let mut capture = Capture::new(pid, None, &|| true);
    let (name, registers, stack) = (super::process::thread_name(pid, tid), Vec::new(), Vec::new());
    capture.threads.push(Thread { tid, name, registers, stack_start: 0, stack });
    capture.states.push(State::Running);
    capture.take(tid, 0);
    capture.threads.swap_remove(0)
}

struct Capture<'a> {
    pid: u32,
    skip_tid: Option<u32>,
    goes_on: GoesOn<'a>,
    threads: Vec<Thread>,
    states: Vec<State>,
    notes: Vec<String>,
    left_out: usize,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not ours.
    Free,
    /// Seized, and told to stop.
    Running,
    /// It stands still, with this signal on its way to it.
    Stopped(i32),
}

impl<'a> Capture<'a> {
    fn new(pid: u32, skip_tid: Option<u32>, goes_on: GoesOn<'a>) -> Self {
        let (threads, states, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            pid,
            skip_tid,
            goes_on,
            threads,
            states,
            notes,
            left_out: 0,
            buffer: vec![0; STACK_MAX + RED_ZONE as usize],
        }
    }

    fn run(mut self) -> (Vec<Thread>, Vec<String>) {
        let from = Instant::now();
        let mut refused = None;
        // A thread that starts while we seize the others is found by the second look.
        for _ in 0..2 {
            let known = self.threads.len();
            self.list();
            refused = refused.or(self.seize_from(known));
        }
        self.interrupt();
        self.name();
        self.wait(from);
        self.detach();
        self.conclude(refused);
        (self.threads, self.notes)
    }

    /// Takes this one alone.
    fn run_for(mut self, tid: u32) -> Option<Thread> {
        let (name, registers, stack) = (String::new(), Vec::new(), Vec::new());
        self.threads.push(Thread { tid, name, registers, stack_start: 0, stack });
        self.states.push(State::Free);
        let refused = self.seize_from(0);
        self.interrupt();
        self.wait(Instant::now());
        self.detach();
        self.threads.pop().filter(|thread| refused.is_none() && !thread.registers.is_empty())
    }

    /// Adds the threads that are not known yet.
    fn list(&mut self) {
        let entries = match fs::read_dir(format!("/proc/{}/task", self.pid)) {
            Ok(entries) => entries,
            Err(error) => return self.note(format!("the threads could not be listed: {error}")),
        };
        for tid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
            if self.threads.iter().any(|thread| thread.tid == tid) {
                continue;
            }
            if self.threads.len() == THREADS_MAX {
                return self.note(format!("only the first {THREADS_MAX} threads were captured"));
            }
            let (name, registers, stack) = (String::new(), Vec::new(), Vec::new());
            self.threads.push(Thread { tid, name, registers, stack_start: 0, stack });
            self.states.push(State::Free);
        }
    }

    /// Seizes the threads from this index on; the answer is the first refusal.
    fn seize_from(&mut self, first: usize) -> Option<io::Error> {
        let mut refused = None;
        for (thread, state) in self.threads.iter().zip(&mut self.states).skip(first) {
            if Some(thread.tid) == self.skip_tid {
                continue;
            }
            if !(self.goes_on)() {
                break;
            }
            match ptrace::seize(thread.tid) {
                // The number may have become another process's thread: that is left alone, and let go with us.
                Ok(()) if !is_thread(self.pid, thread.tid) => {}
                Ok(()) => *state = State::Running,
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused
    }

    fn interrupt(&mut self) {
        for (thread, state) in self.threads.iter().zip(&mut self.states) {
            // A seized thread that cannot be interrupted has ended.
            if *state == State::Running && ptrace::interrupt(thread.tid).is_err() {
                *state = State::Free;
            }
        }
    }

    /// Reads the names, while the threads come to a stop.
    fn name(&mut self) {
        for thread in &mut self.threads {
            thread.name = super::process::thread_name(self.pid, thread.tid);
        }
    }

    /// Takes each thread as it stops, until all have or the time is up.
    fn wait(&mut self, from: Instant) {
        while self.states.contains(&State::Running) && (self.goes_on)() {
            match ptrace::wait_any() {
                Ok(Seen::Stopped { tid, signal }) => self.take(tid, signal),
                Ok(Seen::Ended(tid)) => self.set(tid, State::Free),
                Ok(Seen::Nothing) if from.elapsed() < YIELD_FOR => std::thread::yield_now(),
                Ok(Seen::Nothing) if from.elapsed() < DEADLINE => std::thread::sleep(NAP),
                Ok(Seen::Nothing) => return self.give_up(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.note(format!("the threads could not be waited for: {error}")),
            }
        }
    }

    /// Copies registers and stack of a thread that stands still.
    fn take(&mut self, tid: u32, signal: i32) {
        self.set(tid, State::Stopped(signal));
        let (values, count) = match ptrace::registers(tid) {
            Ok(registers) => registers,
            Err(error) => {
                return self.note(format!("the registers of thread {tid} could not be read: {error}"));
            }
        };
        let Some(thread) = self.threads.iter_mut().find(|thread| thread.tid == tid) else { return };
        thread.registers = values.get(..count).unwrap_or_default().to_vec();
        if signal == 0 {
            interrupted::resume_call(tid, &thread.registers);
        }
        let Some(stack_pointer) = thread.registers.get(STACK_POINTER) else { return };
        thread.stack_start = stack_pointer.saturating_sub(RED_ZONE);
        let read = memory::read(tid, thread.stack_start, &mut self.buffer);
        match read {
            Ok(bytes) => thread.stack = self.buffer.get(..bytes).unwrap_or_default().to_vec(),
            Err(error) => self.note(format!("the stack of thread {tid} could not be read: {error}")),
        }
    }

    fn give_up(&mut self) {
        let running = self.states.iter().zip(&self.threads).filter(|(state, _)| **state == State::Running);
        for tid in running.map(|(_, thread)| thread.tid).collect::<Vec<_>>() {
            self.note(format!("thread {tid} did not stop in time and was left alone"));
        }
    }

    fn detach(&self) {
        for (thread, state) in self.threads.iter().zip(&self.states) {
            if let State::Stopped(signal) = state {
                // A thread that was killed meanwhile needs no detaching.
                let _ = ptrace::detach(thread.tid, *signal);
            }
        }
    }

    fn conclude(&mut self, refused: Option<io::Error>) {
        if let Some(error) = refused {
            let whose = if self.skip_tid.is_some() { "other threads" } else { "threads" };
            self.notes.insert(0, refusal(self.pid, whose, &error));
        }
        if self.left_out > 0 {
            self.notes.push(format!("{} more notes about threads were left out", self.left_out));
        }
    }

    fn set(&mut self, tid: u32, new: State) {
        for (thread, state) in self.threads.iter().zip(&mut self.states) {
            if thread.tid == tid {
                *state = new;
            }
        }
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX { self.notes.push(note) } else { self.left_out += 1 }
    }
}

fn is_thread(pid: u32, tid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/task/{tid}")).exists()
}

/// Says why threads have names only, and what would help.
fn refusal(pid: u32, whose: &str, error: &io::Error) -> String {
    let tracer = tracer_of(Path::new("/proc").join(pid.to_string()));
    let help = match (error.raw_os_error(), tracer) {
        (_, Some(tracer)) => format!("process {tracer} traces it already"),
        (Some(libc::EPERM), _) => "allow it with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), \
             kernel.yama.ptrace_scope 0 or 1, and a seccomp profile that permits ptrace"
            .into(),
        _ => "use a seccomp profile that permits ptrace".into(),
    };
    format!("{whose} have names only, because tracing was refused ({error}): {help}")
}

fn tracer_of(process: PathBuf) -> Option<u32> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    line.trim().parse().ok().filter(|tracer| *tracer != 0)
}
