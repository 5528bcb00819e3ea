//! Which of the recorder's words go with an end: last words always, a panic only where its own thread ended the process,
//! since most panics are caught.

use std::time::{SystemTime, UNIX_EPOCH};

use lifeboat_abi::Origin;
use lifeboat_recorder::{DeathView, RecordView, Snapshot};

use crate::capture::End;

/// The status with which Rust leaves a main that panicked.
const PANIC_STATUS: i32 = 101;
/// How `abort` ends a process, by signal or by an instruction that is none.
const ABORT_SIGNALS: [u32; 3] = [libc::SIGABRT as u32, libc::SIGILL as u32, libc::SIGTRAP as u32];
/// A panic that is older did not lead to an abort: destructors run in between.
const PANIC_TO_ABORT_NS: u64 = 2_000_000_000;
/// A panic that is older did not lead to an exit with another status: a hook exits, or whoever caught it, at once.
const PANIC_TO_EXIT_NS: u64 = 500_000_000;
/// Panics that Rust's runtime adds when it gives up, and how many of the thread's earlier ones were on their way then.
const GIVING_UP: [(&[u8], usize); 2] =
    [(b"panic in a destructor during cleanup", 2), (b"panic in a function that cannot unwind", 1)];
/// How `join().unwrap()` tells of a panic whose message it cannot know.
const PANIC_OF_ANOTHER: &[u8] = b"Any { .. }";

/// What the process said of its end.
#[derive(Default)]
pub(super) struct Words<'c> {
    /// What the report is called after.
    pub(super) main: Option<RecordView<'c>>,
    /// What was said with it: the later first.
    pub(super) others: Vec<RecordView<'c>>,
}

impl<'c> Words<'c> {
    /// The words for this end, seen at `captured_ns` since 1970 (0 where that is not known).
    pub(super) fn of_end(
        recorder: &Snapshot<'c>,
        fault: Option<&DeathView<'c>>,
        end: End,
        captured_ns: u64,
    ) -> Self {
        let exiting = Some(recorder.control().exit_tid).filter(|tid| *tid != 0);
        let dying = fault.map(|fault| fault.tid).or(exiting);
        let panicked = dying.map_or_else(Self::default, |tid| {
            Self::of_panic(recorder, tid, |panic| is_end(panic, fault, end, captured_ns))
        });
        let mut said: Vec<_> = recorder.last_words().collect();
        said.sort_by_key(|words| words.ticket);
        let own = said.iter().find(|words| Some(words.tid) == dying);
        match own.or(said.first().filter(|_| panicked.main.is_none())) {
            Some(main) => Self { main: Some(*main), others: panicked.main.into_iter().collect() },
            None => panicked,
        }
    }

    /// The panic that ended this thread's process, if its newest is one that did.
    fn of_panic(recorder: &Snapshot<'c>, tid: u32, is_end: impl Fn(&RecordView<'c>) -> bool) -> Self {
        let mut panics: Vec<_> = recorder.panics().collect();
        panics.sort_by_key(|panic| std::cmp::Reverse(panic.ticket));
        let mut own = panics.iter().filter(|panic| panic.tid == tid).copied();
        let Some(last) = own.next().filter(|last| is_end(last)) else { return Self::default() };
        let earlier = GIVING_UP.iter().find(|(message, _)| last.message.starts_with(message));
        let mut chain = vec![last];
        chain.extend(own.take(earlier.map_or(0, |(_, count)| *count)));
        if chain.last().is_some_and(|first| speaks_of_another(first)) {
            chain.extend(only_other(&panics, tid));
        }
        Self { main: chain.pop(), others: chain }
    }
}

fn is_end(panic: &RecordView<'_>, fault: Option<&DeathView<'_>>, end: End, captured_ns: u64) -> bool {
    let is_recent = |at_ns: u64, within_ns| at_ns.saturating_sub(panic.realtime_ns) <= within_ns;
    match (fault, end) {
        (Some(fault), _) => {
            ABORT_SIGNALS.contains(&fault.signal) && is_recent(fault.realtime_ns, PANIC_TO_ABORT_NS)
        }
        (None, End::Exited(PANIC_STATUS)) => true,
        (None, _) => captured_ns != 0 && is_recent(captured_ns, PANIC_TO_EXIT_NS),
    }
}

/// The panic of another thread, if there was but one: of several nobody can say which was joined.
fn only_other<'c>(panics: &[RecordView<'c>], tid: u32) -> Option<RecordView<'c>> {
    let mut others = panics.iter().filter(|panic| panic.tid != tid);
    others.next().filter(|_| others.next().is_none()).copied()
}

fn speaks_of_another(panic: &RecordView<'_>) -> bool {
    panic.message.windows(PANIC_OF_ANOTHER.len()).any(|window| window == PANIC_OF_ANOTHER)
}

/// The cause of an end just now, where an exception or a panic that nobody caught led to it: the same word as in the report.
pub(crate) fn cause_in_words(recorder: &Snapshot<'_>, end: End) -> Option<&'static str> {
    if !matches!(end, End::Exited(_) | End::Signaled(libc::SIGABRT)) {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    cause_word(Words::of_end(recorder, None, end, now_ns).main?.origin)
}

/// The word for the language that these words come from, if they do.
pub(super) const fn cause_word(origin: u32) -> Option<&'static str> {
    match origin {
        _ if origin == Origin::Panic as u32 => Some("panic"),
        _ if origin == Origin::Nim as u32 => Some("nim-exception"),
        _ if origin == Origin::Cpp as u32 => Some("cpp-exception"),
        _ => None,
    }
}
