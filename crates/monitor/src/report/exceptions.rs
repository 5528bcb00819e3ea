//! What happened, as Sentry's exceptions: the last one gives the report its title, so it is the most telling one.

use lifeboat_recorder::RecordView;
use sentry_types::protocol::v7::{Exception, Mechanism, MechanismMeta, PosixSignal, Stacktrace, ThreadId};

use super::case::{Case, Cause};
use super::demangle::demangle_types;
use super::scrub::Scrubber;
use super::signals::{self, AddressClass};
use super::stacks::Stacks;
use super::text::{clean, cut, one_line};

const TYPE_MAX: usize = 200;
const VALUE_MAX: usize = 4096;

/// The exceptions of a case, oldest first.
pub(super) fn all(case: &Case<'_>, stacks: &mut Stacks<'_, '_>, scrubber: &Scrubber) -> Vec<Exception> {
    let own = case.registers_and_stack();
    let stack = own.and_then(|(registers, stack)| stacks.of_thread(&registers, stack));
    if let Some(error) = &case.error {
        return vec![Exception {
            mechanism: Some(mechanism("generic", true)),
            ..of_record(error, stack, stacks, scrubber)
        }];
    }
    let end = of_end(case, scrubber);
    match &case.last_words {
        None => vec![Exception { stacktrace: stack, ..end }],
        // The same thread said why: that is the title, and the signal is how it was carried out.
        Some(words) if case.fault.is_some_and(|fault| fault.tid == words.tid) => {
            let words = of_record(words, stack, stacks, scrubber);
            vec![end.clone(), Exception { mechanism: end.mechanism, ..words }]
        }
        Some(words) if matches!(case.cause, Cause::Signal) => {
            let before = of_record(words, None, stacks, scrubber);
            vec![
                Exception { mechanism: Some(mechanism("generic", false)), ..before },
                Exception { stacktrace: stack, ..end },
            ]
        }
        Some(words) => {
            let mut words = of_record(words, stack, stacks, scrubber);
            words.value = words.value.or(end.value);
            vec![Exception { mechanism: end.mechanism, ..words }]
        }
    }
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
    Exception {
        ty: if kind.is_empty() { "fatal".into() } else { kind },
        value: Some(cut(message.trim().to_owned(), VALUE_MAX)).filter(|value| !value.is_empty()),
        stacktrace: stacks.of_record(record).or(stack),
        thread_id: thread_id(record.tid),
        ..Exception::default()
    }
}

/// The end itself, as the operating system saw it.
fn of_end(case: &Case<'_>, scrubber: &Scrubber) -> Exception {
    let (ty, value) = match (case.signal(), case.cause) {
        (Some((signal, code, class)), _) => {
            let said = abort_message(case, scrubber).filter(|_| signal == libc::SIGABRT);
            let seen = || signals::sentence(signal, code, class, case.is_bad_jump());
            (signals::name(signal), said.unwrap_or_else(seen))
        }
        (None, Cause::Exit(status)) => ("exit".to_owned(), format!("exited with status {status}")),
        (None, _) => ("unknown".to_owned(), "the process is gone, and nothing says why".to_owned()),
    };
    let mut mechanism = match case.cause {
        Cause::Signal => mechanism("signalhandler", false),
        other => mechanism(other.word(), false),
    };
    mechanism.meta = meta(case.signal());
    let (value, thread_id) = (Some(value), thread_id(case.tid()));
    Exception { ty, value, thread_id, mechanism: Some(mechanism), ..Exception::default() }
}

/// What the C library said before it aborted, without the program's name before it.
fn abort_message(case: &Case<'_>, scrubber: &Scrubber) -> Option<String> {
    let said = clean(case.capture.abort_message.as_bytes());
    let program = case.capture.process.program.rsplit('/').next().unwrap_or_default();
    let bare = said.strip_prefix(program).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&said);
    Some(one_line(&scrubber.text(bare), VALUE_MAX)).filter(|text| !text.is_empty())
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
