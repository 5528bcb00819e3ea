//! What happened, as Sentry's exceptions: the last one gives the report its title, so it is the most telling one.

use lifeboat_abi::Level;
use lifeboat_recorder::{BreadcrumbView, RecordView};
use sentry_types::protocol::v7::{
    Exception, Frame, Mechanism, MechanismMeta, PosixSignal, Stacktrace, ThreadId,
};

use super::case::{Case, Cause};
use super::demangle::demangle_types;
use super::hang;
use super::scrub::Scrubber;
use super::signals::{self, AddressClass};
use super::stacks::{self, Stacks};
use super::text::{clean, cut, one_line};
use super::words;

const TYPE_MAX: usize = 200;
const VALUE_MAX: usize = 4096;
const REASON_MAX: usize = 400;
/// An error that is older is not why the process ended.
const REASON_AGE_MAX_NS: u64 = 10_000_000_000;

/// The exceptions of a case, oldest first.
pub(super) fn all(case: &Case<'_>, stacks: &mut Stacks<'_, '_>, scrubber: &Scrubber) -> Vec<Exception> {
    let own = case.registers_and_stack();
    let stack = own.and_then(|(registers, stack)| stacks.of_thread(&registers, stack));
    let whole = stack.clone();
    // A fault is where it is; of an exit or an exception the way out would hide where it came from.
    let stack = match case.cause {
        Cause::Exit(_) | Cause::Language(_) => stack.map(stacks::without_way_out),
        _ => stack,
    };
    if let Some(error) = &case.error {
        return vec![Exception {
            mechanism: Some(mechanism("generic", true)),
            ..of_record(error, stack, stacks, scrubber)
        }];
    }
    if let Some(hang) = case.hang() {
        return vec![Exception {
            ty: case.cause.word().into(),
            value: Some(hang::sentence(hang, scrubber)),
            stacktrace: stack,
            thread_id: thread_id(hang.tid),
            mechanism: Some(mechanism(case.cause.word(), false)),
            ..Exception::default()
        }];
    }
    let end = of_end(case, whole.as_ref(), scrubber);
    let mut others: Vec<_> =
        case.other_words.iter().map(|words| of_record(words, None, stacks, scrubber)).collect();
    let mut told = match &case.last_words {
        None => vec![Exception { stacktrace: stack, ..end }],
        // The same thread said why: that is the title, and the signal is how it was carried out.
        Some(words) if case.fault.is_some() && case.words_explain => {
            let words = of_words(words, stack, whole.as_ref(), stacks, scrubber);
            vec![end.clone(), Exception { mechanism: end.mechanism, ..words }]
        }
        Some(words) if !case.words_explain => {
            let before = of_record(words, None, stacks, scrubber);
            vec![
                Exception { mechanism: Some(mechanism("generic", false)), ..before },
                Exception { stacktrace: stack, ..end },
            ]
        }
        Some(words) => {
            let mut words = of_words(words, stack, whole.as_ref(), stacks, scrubber);
            words.value = words.value.or(end.value);
            vec![Exception { mechanism: end.mechanism, ..words }]
        }
    };
    let main = told.pop();
    told.append(&mut others);
    told.extend(main);
    told
}

/// An error or last words. Their own frames come first: the stack at the end is often only the way out.
fn of_record(
    record: &RecordView<'_>,
    stack: Option<Stacktrace>,
    stacks: &mut Stacks<'_, '_>,
    scrubber: &Scrubber,
) -> Exception {
    let text = |bytes| scrubber.text(&demangle_types(&clean(bytes)));
    let (kind, message) = (text(record.kind), text(record.message));
    let kind = one_line(&kind, TYPE_MAX);
    let given = stacks.of_record(record);
    let is_language = words::cause_word(record.origin).is_some();
    let given = if is_language { given.map(stacks::without_throw) } else { given };
    Exception {
        ty: if kind.is_empty() { "fatal".into() } else { kind },
        value: Some(cut(message.trim().to_owned(), VALUE_MAX)).filter(|value| !value.is_empty()),
        stacktrace: given.or(stack),
        thread_id: thread_id(record.tid),
        ..Exception::default()
    }
}

/// Last words, with the stack that tells more: that of the record, or the captured one, of which `whole` still has the
/// machinery.
fn of_words(
    record: &RecordView<'_>,
    stack: Option<Stacktrace>,
    whole: Option<&Stacktrace>,
    stacks: &mut Stacks<'_, '_>,
    scrubber: &Scrubber,
) -> Exception {
    let words = of_record(record, stack.clone(), stacks, scrubber);
    let tells_less = words.stacktrace.as_ref().is_some_and(|given| is_top_of(given, whole));
    if tells_less { Exception { stacktrace: stack, ..words } } else { words }
}

/// Whether all that a language told is the one function that the captured stack is in, too: builds without traces tell a
/// function of the library that failed, and no caller.
fn is_top_of(given: &Stacktrace, stack: Option<&Stacktrace>) -> bool {
    let [Frame { function: Some(told), .. }] = given.frames.as_slice() else { return false };
    let told = last_name(told);
    let is_it = |frame: &Frame| frame.function.as_deref().is_some_and(|name| last_name(name) == told);
    !told.is_empty() && stack.is_some_and(|stack| stack.frames.iter().any(is_it))
}

/// `open` for `open`, `store.open` and `store::open(char const*)`; nothing for an operator made of dots.
fn last_name(function: &str) -> &str {
    let bare = function.split_once('(').map_or(function, |(bare, _)| bare);
    bare.rsplit(['.', ':']).next().unwrap_or_default()
}

/// The end itself, as the operating system saw it.
fn of_end(case: &Case<'_>, stack: Option<&Stacktrace>, scrubber: &Scrubber) -> Exception {
    let (ty, value) = match (case.signal(), case.cause) {
        (Some((signal, ..)), Cause::OutOfMemory) => {
            let seemingly = if case.out_of_memory.as_ref().is_some_and(|it| it.is_suspected) {
                ", as it seems,"
            } else {
                ""
            };
            (signals::name(signal), format!("killed{seemingly} by the kernel for want of memory"))
        }
        (Some((signal, code, class)), _) => {
            let said = abort_message(case, scrubber).filter(|_| signal == libc::SIGABRT && is_of_libc(stack));
            let seen = || signals::sentence(signal, code, class, case.is_bad_jump());
            (signals::name(signal), said.unwrap_or_else(seen))
        }
        (None, Cause::Exit(status)) => ("exit".to_owned(), exit_sentence(case, status, scrubber)),
        (None, _) => ("unknown".to_owned(), "the process is gone, and nothing says why".to_owned()),
    };
    let mut mechanism = match case.cause {
        Cause::Signal => mechanism("signalhandler", false),
        other => mechanism(other.word(), false),
    };
    mechanism.meta = meta(case.signal());
    // Else all modules of a node that are killed would be one issue: there is no stack to tell them apart.
    let value = match case.bare_module() {
        Some(module) => format!("module {module}: {value}"),
        None => value,
    };
    let (value, thread_id) = (Some(value), thread_id(case.tid()));
    Exception { ty, value, thread_id, mechanism: Some(mechanism), ..Exception::default() }
}

/// Whether the C library itself called `abort`: what it said may be of an earlier failure, which the program survived.
fn is_of_libc(stack: Option<&Stacktrace>) -> bool {
    let Some(stack) = stack else { return true };
    let is_abort = |frame: &Frame| frame.function.as_deref() == Some("abort");
    let Some(abort) = stack.frames.iter().rposition(is_abort) else { return true };
    let module = |at: usize| stack.frames.get(at).and_then(|frame| frame.package.as_deref());
    abort.checked_sub(1).is_none_or(|caller| module(caller) == module(abort))
}

/// What the C library said before it aborted, without the program's name before it.
fn abort_message(case: &Case<'_>, scrubber: &Scrubber) -> Option<String> {
    let said = clean(case.capture.abort_message.as_bytes());
    let program = case.capture.process.program.rsplit('/').next().unwrap_or_default();
    let bare = said.strip_prefix(program).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&said);
    Some(one_line(&scrubber.text(bare), VALUE_MAX)).filter(|text| !text.is_empty())
}

/// A program that gives up says why in its log, a moment before: where breadcrumbs come from there, that is the reason.
fn exit_sentence(case: &Case<'_>, status: i32, scrubber: &Scrubber) -> String {
    let now_ns = case.realtime_ns();
    let is_reason = |crumb: &BreadcrumbView<'_>| {
        crumb.level >= Level::Error as u32 && now_ns.saturating_sub(crumb.realtime_ns) <= REASON_AGE_MAX_NS
    };
    let last = case.recorder.breadcrumbs().filter(is_reason).max_by_key(|crumb| crumb.ticket);
    let reason = last.map(|crumb| one_line(&scrubber.text(&clean(crumb.message)), REASON_MAX));
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("exited with status {status}: {reason}"),
        None => format!("exited with status {status}"),
    }
}

fn meta(signal: Option<(i32, Option<i32>, AddressClass)>) -> MechanismMeta {
    let signal = signal.map(|(number, code, _)| PosixSignal {
        number,
        code,
        name: Some(signals::name(number)),
        code_name: code.and_then(|code| signals::code_name(number, code)).map(str::to_owned),
    });
    MechanismMeta { signal, ..MechanismMeta::default() }
}

fn mechanism(ty: &str, handled: bool) -> Mechanism {
    Mechanism { ty: ty.into(), handled: Some(handled), ..Mechanism::default() }
}

pub(super) fn thread_id(tid: u32) -> Option<ThreadId> {
    (tid != 0).then(|| ThreadId::Int(u64::from(tid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Stacktrace {
        let frame = |name: &&str| Frame { function: Some((*name).to_owned()), ..Frame::default() };
        Stacktrace { frames: functions.iter().map(frame).collect(), ..Stacktrace::default() }
    }

    #[test]
    fn a_function_that_was_told_is_found_by_its_whole_name() {
        let captured = stack(&["main", "store.openAll", "system.getData", "codec::parse(char const*)"]);
        for told in ["openAll", "store.openAll", "getData", "parse"] {
            assert!(is_top_of(&stack(&[told]), Some(&captured)), "{told}");
        }
        for told in ["a", "open", "All", "store", "get", "char", "..", ""] {
            assert!(!is_top_of(&stack(&[told]), Some(&captured)), "{told}");
        }
        assert!(!is_top_of(&stack(&["main", "openAll"]), Some(&captured)));
        assert!(!is_top_of(&stack(&["main"]), None));
    }
}
