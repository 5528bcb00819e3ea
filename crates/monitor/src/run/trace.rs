//! Looks after the program until it ends: takes each change of its threads, captures what dies, and lets all go on as
//! they would have. Where it is not traced, only its end is seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_recorder::REGISTERS_MAX;

use crate::capture::{End, Image, Process, Thread};
use crate::report::signals;
use crate::watch::ptrace::{self, EVENT_STOP, SignalInfo};
use crate::watch::{abort, end, images, memory, process, threads};

use super::disposition::{self, Disposition};
use super::recorder::OwnRecorder;
use super::signals::{STOPS, Seen};
use super::standstill;

/// A handler of the program's own that ends it does so within this time.
const HANDLER_TO_END: Duration = Duration::from_secs(5);
/// Faults that a program handles, as some runtimes do all day, are captured so often at most.
const BETWEEN_HANDLED: Duration = Duration::from_secs(1);
/// Where the number of the system call stands among the registers.
#[cfg(target_arch = "x86_64")]
const SYSTEM_CALL: usize = 15;
/// Where the number of the system call stands among the registers.
#[cfg(target_arch = "aarch64")]
const SYSTEM_CALL: usize = 8;

/// What was seen of a death while the process was still there.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) threads: Vec<Thread>,
    pub(super) maps: Vec<u8>,
    pub(super) images: Vec<Image>,
    pub(super) process: Process,
    /// What the C library said before it aborted.
    pub(super) abort_message: String,
    pub(super) notes: Vec<String>,
}

/// A fault whose capture stands in the recorder's death slot.
pub(super) struct Fault {
    pub(super) tid: u32,
    pub(super) signal: i32,
    is_handled: bool,
    /// The same came again, and was not captured: so the first call of the handler had come back.
    is_repaired: bool,
    pub(super) since: Instant,
    pub(super) scene: Scene,
}

/// An exit with a status that is not 0, or an end by a signal that nobody could see coming.
pub(super) struct Exit {
    pub(super) tid: u32,
    pub(super) scene: Scene,
    /// The thread was within the handler of the fault.
    is_in_handler: bool,
}

/// The one who looks after the program; of its thread the program is a child, and traced.
pub(super) struct Tracer {
    pid: u32,
    recorder: Arc<OwnRecorder>,
    seen: Arc<Seen>,
    /// Changes that came while something else was at work.
    waiting: VecDeque<(u32, i32)>,
    pub(super) fault: Option<Fault>,
    pub(super) exit: Option<Exit>,
    /// A signal that nothing survives was let through.
    is_dying: bool,
}

impl Tracer {
    pub(super) fn new(pid: u32, recorder: Arc<OwnRecorder>, seen: Arc<Seen>) -> Self {
        Self { pid, recorder, seen, waiting: VecDeque::new(), fault: None, exit: None, is_dying: false }
    }

    /// Until the program has ended; other children of ours, which a first process inherits, are reaped.
    pub(super) fn run(&mut self) -> End {
        loop {
            let (tid, status) = match self.waiting.pop_front() {
                Some(change) => change,
                None => match ptrace::next_change(true) {
                    Ok(Some(change)) => change,
                    // Without a child there is nobody left to look after.
                    Ok(None) | Err(_) => return End::Unknown,
                },
            };
            if libc::WIFSTOPPED(status) {
                self.look_at(tid, status);
            } else if tid == self.pid {
                return end::from_status(status);
            }
        }
    }

    /// Whether this fault is why the process ended so.
    pub(super) fn is_end_of_fault(&self, end: End) -> bool {
        let Some(fault) = &self.fault else { return false };
        let by_handler = self.exit.as_ref().is_some_and(|exit| exit.tid == fault.tid && exit.is_in_handler);
        match end {
            End::Signaled(signal) => signal == fault.signal,
            End::Exited(0) => false,
            _ => {
                fault.is_handled && !fault.is_repaired && by_handler && fault.since.elapsed() < HANDLER_TO_END
            }
        }
    }

    /// A thread stands still: why, and how it goes on. One that was killed meanwhile cannot, and need not.
    fn look_at(&mut self, tid: u32, status: i32) {
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            0 => {
                let is_passed_on = self.look_at_signal(tid, signal);
                let _ = ptrace::resume(tid, if is_passed_on { signal } else { 0 });
            }
            EVENT_STOP if signal != libc::SIGTRAP => {
                // The whole process was stopped, by SIGSTOP or its like: so it shall stay.
                let _ = ptrace::listen(tid);
            }
            // A clone that is no thread, such as a monitor that a reporter starts, is none of ours.
            EVENT_STOP if !self.has_thread(tid) => {
                let _ = ptrace::detach(tid, 0);
            }
            libc::PTRACE_EVENT_EXEC => {
                // What was captured of the program before is not this one's.
                self.fault = None;
                self.recorder.strike_fault();
                let _ = ptrace::resume(tid, 0);
            }
            libc::PTRACE_EVENT_EXIT => {
                self.look_at_exit(tid);
                let _ = ptrace::resume(tid, 0);
            }
            _ => {
                let _ = ptrace::resume(tid, 0);
            }
        }
    }

    /// A signal is on its way to a thread. Answers whether it is to arrive.
    fn look_at_signal(&mut self, tid: u32, signal: i32) -> bool {
        if !disposition::may_end(signal) || self.is_dying {
            return true;
        }
        let (Ok(info), disposition) = (ptrace::signal_info(tid), Disposition::of(tid, signal)) else {
            return true;
        };
        if info.sender_pid != std::process::id() {
            self.seen.note(signal);
        }
        if STOPS.contains(&signal) && signal != libc::SIGQUIT {
            // SIGHUP with a handler is a reload.
            let asks = match disposition {
                Disposition::Ignored => false,
                Disposition::Handled => signal != libc::SIGHUP,
                Disposition::Default | Disposition::Unknown => true,
            };
            if asks {
                self.recorder.request_stop(signal);
            }
            return true;
        }
        match disposition {
            Disposition::Default => self.capture(tid, &info, false),
            // One that may be survived is captured like one that is.
            Disposition::Handled | Disposition::Unknown if signals::is_fault(signal) => {
                self.capture_handled(tid, &info);
            }
            _ => {}
        }
        self.is_dying = disposition == Disposition::Default;
        true
    }

    /// A fault that a handler of the program's own comes for.
    fn capture_handled(&mut self, tid: u32, info: &SignalInfo) {
        match &mut self.fault {
            Some(last) if last.since.elapsed() < BETWEEN_HANDLED => {
                last.is_repaired |= last.tid == tid && last.signal == info.number;
            }
            _ => self.capture(tid, info, true),
        }
    }

    fn capture(&mut self, tid: u32, info: &SignalInfo, is_handled: bool) {
        if !is_handled && self.is_raised_again(tid, info) {
            return;
        }
        let (signal, since) = (info.number, Instant::now());
        let own = with_stack(threads::of_stopped(self.pid, tid));
        let mut scene = standstill::of_others(self.pid, tid, &mut self.waiting);
        scene.threads.push(Thread { registers: Vec::new(), stack: Vec::new(), ..own.clone() });
        if signal == libc::SIGABRT {
            scene.abort_message = abort::message(tid, &scene.maps);
        }
        self.recorder.fault(&own, info, is_handled);
        self.fault = Some(Fault { tid, signal, is_handled, is_repaired: false, since, scene });
    }

    /// A handler that gives up puts the default action back and raises the signal again: the first time is what tells.
    fn is_raised_again(&self, tid: u32, info: &SignalInfo) -> bool {
        let is_sent = info.code <= 0 && info.sender_pid == self.pid;
        let same = self.fault.as_ref().filter(|fault| fault.tid == tid && fault.signal == info.number);
        is_sent && same.is_some_and(|fault| fault.is_handled && fault.since.elapsed() < HANDLER_TO_END)
    }

    /// A thread exits. Where the process does, by a call or by a signal that no stop came for, this is the last look.
    fn look_at_exit(&mut self, tid: u32) {
        if self.exit.is_some() || self.is_dying || !self.has_thread(tid) {
            return;
        }
        let Some(status) = ptrace::event_message(tid) else { return };
        match end::from_status(status) {
            End::Exited(0) => {}
            End::Exited(_) if self.is_end_of_process(tid) => {
                self.recorder.control().exit_tid.store(tid, std::sync::atomic::Ordering::Relaxed);
                let scene = Scene { threads: vec![threads::of_stopped(self.pid, tid)], ..self.scene(tid) };
                self.exit = Some(Exit { tid, scene, is_in_handler: self.is_in_handler(tid) });
            }
            End::Exited(_) => {}
            // Its memory is still there, which tells what it needed; its stack would tell only where it happened to be.
            _ => {
                let scene = Scene { process: process::process(tid), ..Scene::default() };
                self.exit = Some(Exit { tid, scene, is_in_handler: false });
            }
        }
    }

    /// Whether this thread is still within the handler of the fault: for so long the signal is blocked, unless the handler
    /// was installed with `SA_NODEFER`.
    fn is_in_handler(&self, tid: u32) -> bool {
        self.fault.as_ref().is_some_and(|fault| disposition::is_blocked(tid, fault.signal))
    }

    fn scene(&self, tid: u32) -> Scene {
        let maps = process::maps(tid);
        let (images, process) = (images::images(tid, &maps), process::process(tid));
        Scene { maps, images, process, ..Scene::default() }
    }

    /// Whether this exit is not one thread's alone: `exit_group`, or the call of the last thread.
    fn is_end_of_process(&self, tid: u32) -> bool {
        let call = ptrace::registers(tid).ok().and_then(|(values, count): ([u64; REGISTERS_MAX], usize)| {
            values.get(..count)?.get(SYSTEM_CALL).copied()
        });
        let is_group = call == u64::try_from(libc::SYS_exit_group).ok();
        is_group || process::process(self.pid).threads <= 1
    }

    fn has_thread(&self, tid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{}/task/{tid}", self.pid)).exists()
    }
}

/// After a stack overflow the stack pointer stands where no memory is: the stack begins on one of the next pages.
fn with_stack(mut thread: Thread) -> Thread {
    const PAGE: u64 = 4096;
    const PAGES_MAX: u64 = 64;
    if !thread.stack.is_empty() || thread.registers.is_empty() {
        return thread;
    }
    let mut buffer = vec![0; lifeboat_recorder::STACK_BYTES];
    let first = thread.stack_start.next_multiple_of(PAGE);
    for start in (0..PAGES_MAX).map(|page| first.saturating_add(page * PAGE)) {
        if let Ok(bytes) = memory::read(thread.tid, start, &mut buffer) {
            buffer.truncate(bytes);
            (thread.stack_start, thread.stack) = (start, buffer);
            return thread;
        }
    }
    thread
}
