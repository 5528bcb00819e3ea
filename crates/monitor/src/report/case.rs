//! What a report is about: the facts of one capture put together, without symbols and without Sentry.

use lifeboat_recorder::{DeathStage, DeathView, RecordView, Setting, Snapshot};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Error;
use crate::capture::{Capture, End, Hang, Subject};

use super::machine::Registers;
use super::out_of_memory::{self, Judged};
use super::signals::AddressClass;
use super::unwind::Stack;
use super::words::{self, Words};

/// Why there is a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A fault or an abort, with or without a record of it.
    Signal,
    /// A status other than 0.
    Exit(i32),
    /// SIGKILL.
    Killed,
    /// SIGKILL by the kernel, for want of memory.
    OutOfMemory,
    /// The process is gone, and nothing says why.
    Unknown,
    /// An exception of this language that nobody caught: the cause's word.
    Language(&'static str),
    /// It lives: a handled error.
    Error,
    /// It lives: a loop of it gives no proof of life.
    Hang,
}

impl Cause {
    /// The word that users filter by.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Exit(_) => "exit",
            Self::Killed => "killed",
            Self::OutOfMemory => "oom-kill",
            Self::Unknown => "unknown",
            Self::Language(word) => word,
            Self::Error => "error",
            Self::Hang => "hang",
        }
    }
}

/// One capture, understood.
pub(super) struct Case<'c> {
    pub(super) capture: &'c Capture,
    pub(super) recorder: Snapshot<'c>,
    /// The recorded fault, unless it was repaired.
    pub(super) fault: Option<DeathView<'c>>,
    /// The last words that go with this end: those of the thread that died, or else the first.
    pub(super) last_words: Option<RecordView<'c>>,
    /// What was said with them, the later first.
    pub(super) other_words: Vec<RecordView<'c>>,
    /// Whether the last words are why the process ended; else a fault of another thread came in between.
    pub(super) words_explain: bool,
    /// The handled error.
    pub(super) error: Option<RecordView<'c>>,
    pub(super) cause: Cause,
    /// How the kernel's want of memory comes in, where it does.
    pub(super) out_of_memory: Option<Judged>,
}

impl<'c> Case<'c> {
    pub(super) fn new(capture: &'c Capture) -> Result<Self, Error> {
        let recorder = Snapshot::read(&capture.recorder)
            .map_err(|error| Error::malformed(format!("the recorder: {error}")))?;
        let error = match capture.subject {
            Subject::Death | Subject::Hang(_) | Subject::Module { .. } => None,
            Subject::Error(ticket) => Some(found(recorder.errors(), "error", ticket)?),
            Subject::Panic(ticket) => Some(found(recorder.panics(), "panic", ticket)?),
        };
        let is_death = capture.subject == Subject::Death;
        let fault = recorder.death().filter(|death| is_death && death.stage != DeathStage::Recovered as u32);
        let killed =
            out_of_memory::judge(capture.end, &capture.out_of_memory).filter(|_| is_death && fault.is_none());
        let cause = match capture.subject {
            Subject::Module { is_out_of_memory: true } => Cause::OutOfMemory,
            Subject::Death | Subject::Module { .. } => {
                killed.as_ref().map_or_else(|| cause(fault.is_some(), capture.end), |killed| killed.cause)
            }
            Subject::Error(_) | Subject::Panic(_) => Cause::Error,
            Subject::Hang(_) => Cause::Hang,
        };
        let words = match capture.subject {
            Subject::Error(_) | Subject::Panic(_) | Subject::Hang(_) => Words::default(),
            Subject::Death | Subject::Module { .. } => {
                Words::of_end(&recorder, fault.as_ref(), capture.end, capture.captured_realtime_ns)
            }
        };
        let of_language = words.main.and_then(|main| words::cause_word(main.origin));
        let by_own = words.main.zip(fault).is_some_and(|(main, fault)| main.tid == fault.tid);
        // Of an abort that nobody recorded they are all that is known.
        let by_abort = fault.is_none() && capture.end == End::Signaled(libc::SIGABRT);
        // A panic was chosen because it is the reason; so were words of a process that no signal ended.
        let words_explain = by_own || by_abort || cause != Cause::Signal || of_language == Some("panic");
        let cause = of_language.filter(|_| words_explain).map_or(cause, Cause::Language);
        let (last_words, other_words) = (words.main, words.others);
        let out_of_memory = killed.filter(|killed| killed.evidence.is_some());
        Ok(Self {
            capture,
            recorder,
            fault,
            last_words,
            other_words,
            words_explain,
            error,
            cause,
            out_of_memory,
        })
    }

    /// The loop that hangs.
    pub(super) fn hang(&self) -> Option<&'c Hang> {
        self.capture.hang.as_ref().filter(|_| self.cause == Cause::Hang)
    }

    /// Whether it is over, or about to be: of all others the process lives on.
    pub(super) fn is_death(&self) -> bool {
        !matches!(self.cause, Cause::Error | Cause::Hang)
    }

    /// A text that was set at start.
    pub(super) fn setting(&self, setting: Setting) -> Option<String> {
        let text = super::text::clean(self.recorder.setting(setting)?);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The same capture always makes the same id, so that a report made twice is one.
    pub(super) fn event_id(&self) -> Uuid {
        let control = self.recorder.control();
        let mut hash = Sha256::new();
        hash.update(control.start_realtime_ns.to_le_bytes());
        hash.update(control.start_boottime_ns.to_le_bytes());
        hash.update(control.pid.to_le_bytes());
        hash.update(self.recorder.setting(Setting::Node).unwrap_or_default());
        match self.capture.subject {
            Subject::Death => hash.update(self.fault.map_or(0, |fault| fault.generation).to_le_bytes()),
            Subject::Module { .. } => hash.update(b"module"),
            Subject::Error(ticket) => hash.update([b"error".as_slice(), &ticket.to_le_bytes()].concat()),
            Subject::Panic(ticket) => hash.update([b"panic".as_slice(), &ticket.to_le_bytes()].concat()),
            Subject::Hang(since) => {
                hash.update([b"hang".as_slice(), &since.to_le_bytes()].concat());
                hash.update(
                    self.capture.hang.as_ref().map(|hang| hang.heartbeat.as_bytes()).unwrap_or_default(),
                );
            }
        }
        let digest = hash.finalize();
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The module that this is of, where nothing else tells of which: there is no stack.
    pub(super) fn bare_module(&self) -> Option<&str> {
        let is_bare = matches!(self.capture.subject, Subject::Module { .. });
        self.capture.module.as_deref().filter(|_| is_bare)
    }

    /// The thread that the report is about; 0 where it is not known.
    pub(super) fn tid(&self) -> u32 {
        if let Some(hang) = self.hang() {
            return hang.tid;
        }
        let of_record = self.error.or(self.last_words).map(|record| record.tid);
        let exiting = Some(self.recorder.control().exit_tid).filter(|tid| *tid != 0);
        self.fault
            .map(|fault| fault.tid)
            .or(self.error.map(|error| error.tid))
            .or(exiting)
            .or(of_record)
            .unwrap_or(0)
    }

    /// When it happened, nanoseconds since 1970; 0 where nobody wrote it down.
    pub(super) fn realtime_ns(&self) -> u64 {
        let record = self.error.or(self.last_words).map(|record| record.realtime_ns);
        self.fault.map(|fault| fault.realtime_ns).or(record).unwrap_or(self.capture.captured_realtime_ns)
    }

    /// Registers and stack of the thread that the report is about.
    pub(super) fn registers_and_stack(&self) -> Option<(Vec<u64>, Stack<'c>)> {
        if let Some(fault) = self.fault {
            let stack = Stack { start: fault.stack_start, bytes: fault.stack };
            return Some((fault.registers.values().to_vec(), stack));
        }
        let tid = self.tid();
        let thread = self.capture.threads.iter().find(|thread| thread.tid == tid)?;
        let stack = Stack { start: thread.stack_start, bytes: &thread.stack };
        (!thread.registers.is_empty()).then(|| (thread.registers.clone(), stack))
    }

    /// The list of mappings that fits: the dying thread's own, or the monitor's.
    pub(super) fn maps(&self) -> &'c [u8] {
        let monitors = self.capture.maps.as_slice();
        let own = self.fault.filter(|fault| !fault.maps.is_empty());
        own.filter(|fault| !fault.maps_truncated || monitors.is_empty()).map_or(monitors, |fault| fault.maps)
    }

    /// Signal, its code where it is known, and the kind of its address.
    pub(super) fn signal(&self) -> Option<(i32, Option<i32>, AddressClass)> {
        if let Some(fault) = self.fault {
            let signal = i32::try_from(fault.signal).unwrap_or(0);
            let registers = Registers::of(fault.registers.values());
            let class = AddressClass::of(signal, fault.code, fault.fault_address, registers);
            return Some((signal, Some(fault.code), class));
        }
        match self.capture.end {
            End::Signaled(signal) if self.is_death() => Some((signal, None, AddressClass::None)),
            _ => None,
        }
    }

    /// Whether the thread stood at the very address that could not be used.
    pub(super) fn is_bad_jump(&self) -> bool {
        let registers = self.fault.and_then(|fault| Registers::of(fault.registers.values()));
        registers.map(|registers| registers.ip) == self.fault.map(|fault| fault.fault_address)
            && self.fault.is_some()
    }
}

fn found<'c>(
    mut records: impl Iterator<Item = RecordView<'c>>,
    kind: &str,
    ticket: u64,
) -> Result<RecordView<'c>, Error> {
    let found = records.find(|record| record.ticket == ticket);
    found.ok_or_else(|| Error::malformed(format!("the recorder holds no {kind} {ticket}")))
}

fn cause(has_fault: bool, end: End) -> Cause {
    match end {
        _ if has_fault => Cause::Signal,
        End::Signaled(libc::SIGKILL) => Cause::Killed,
        End::Signaled(_) => Cause::Signal,
        End::Exited(status) => Cause::Exit(status),
        End::Unknown | End::StillAlive => Cause::Unknown,
    }
}
