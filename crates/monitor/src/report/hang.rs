//! A loop that gives no proof of life: what a report says of it, and of those that were late when the process died.

use std::collections::BTreeMap;

use lifeboat_recorder::StopKind;
use sentry_types::protocol::v7::{Exception, Frame, Value};

use crate::capture::Hang;

use super::case::Case;
use super::grouping;
use super::scrub::Scrubber;
use super::stacks::Stacks;
use super::text::{clean, one_line};
use super::unwind::Stack;

const NAME_MAX: usize = 64;
const BUSY_MAX: usize = 8;

/// `heartbeat main: 12.3 s old, due every 5 s`.
pub(super) fn sentence(hang: &Hang, scrubber: &Scrubber) -> String {
    let late = late(&hang.heartbeat, hang.age_ns, hang.deadline_ms, scrubber);
    match hang.state.chars().next() {
        Some('T') => format!("{late}; the process was stopped, by SIGSTOP or its like"),
        None => format!("{late}; its thread has ended"),
        Some(_) => late,
    }
}

/// The section `hang` of a report of one.
pub(super) fn context(hang: &Hang, scrubber: &Scrubber) -> BTreeMap<String, Value> {
    let mut section = BTreeMap::new();
    let mut put = |key: &str, value: Value| section.insert(key.to_owned(), value);
    put("heartbeat", name(&hang.heartbeat, scrubber).into());
    put("age_seconds", seconds(hang.age_ns).into());
    put("deadline_seconds", seconds(u64::from(hang.deadline_ms) * 1_000_000).into());
    put("beats", hang.beats.into());
    put("thread_id", hang.tid.into());
    for (key, told) in [("thread_state", &hang.state), ("kernel_function", &hang.waits_in)] {
        if !told.is_empty() {
            put(key, one_line(&clean(told.as_bytes()), NAME_MAX).into());
        }
    }
    let busy = hang.busy.iter().take(BUSY_MAX).map(|(thread, percent)| {
        let thread = one_line(&scrubber.text(&clean(thread.as_bytes())), NAME_MAX);
        Value::from(format!("{thread}: {percent} %"))
    });
    let busy: Vec<_> = busy.collect();
    if !busy.is_empty() {
        put("busy_threads", busy.into());
    }
    section
}

/// Of a death: the loops that were late by then, unless somebody had asked for the end.
pub(super) fn before_death(case: &Case<'_>, scrubber: &Scrubber) -> Option<String> {
    let now_ns = case.fault.map_or(case.capture.captured_boottime_ns, |fault| fault.boottime_ns);
    if now_ns == 0 || !case.is_death() || case.recorder.control().stop_kind != StopKind::None as u32 {
        return None;
    }
    let health = case.recorder.health()?;
    let overdue = health.heartbeats().filter(|beat| beat.is_overdue(now_ns));
    let mut told: Vec<_> = overdue
        .map(|beat| {
            late(&String::from_utf8_lossy(beat.name), beat.age_ns(now_ns), beat.deadline_ms, scrubber)
        })
        .collect();
    told.sort();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Where a loop that runs is: the innermost function that was on its stack each time. Those that it calls come and go.
pub(super) fn place(
    case: &Case<'_>,
    stacks: &mut Stacks<'_, '_>,
    exceptions: &[Exception],
) -> Option<String> {
    let later = &case.hang()?.later;
    let mut common = exceptions.last()?.stacktrace.as_ref()?.frames.as_slice();
    for thread in later {
        let stack = Stack { start: thread.stack_start, bytes: &thread.stack };
        if let Some(trace) = stacks.of_thread(&thread.registers, stack) {
            common = in_both(common, &trace.frames);
        }
    }
    grouping::place_in(common)
}

/// The calls that both stacks have in common, oldest first. Where a function stands in its own code may differ.
fn in_both<'f>(one: &'f [Frame], other: &[Frame]) -> &'f [Frame] {
    let is_same =
        |(one, other): &(&Frame, &Frame)| one.function == other.function && one.package == other.package;
    let length = one.iter().zip(other).take_while(is_same).count();
    one.get(..length).unwrap_or(one)
}

fn late(heartbeat: &str, age_ns: u64, deadline_ms: u32, scrubber: &Scrubber) -> String {
    let deadline = seconds(u64::from(deadline_ms) * 1_000_000);
    format!("heartbeat {}: {:.1} s old, due every {deadline} s", name(heartbeat, scrubber), seconds(age_ns))
}

fn name(heartbeat: &str, scrubber: &Scrubber) -> String {
    one_line(&scrubber.text(&clean(heartbeat.as_bytes())), NAME_MAX)
}

/// Milliseconds are enough: more digits would be noise.
fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds / 1_000_000) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Vec<Frame> {
        let frame = |name: &&str| Frame {
            function: Some((*name).to_owned()),
            in_app: Some(true),
            ..Frame::default()
        };
        functions.iter().map(frame).collect()
    }

    #[test]
    fn the_loop_is_what_stays_on_the_stack() {
        let first = stack(&["main", "run", "decode", "checksum", "fold"]);
        for (others, expected) in [
            (&[][..], "fold"),
            (&[&["main", "run", "decode", "checksum", "fold"][..]], "fold"),
            (&[&["main", "run", "decode", "checksum"], &["main", "run", "decode", "copy", "fold"]], "decode"),
            (&[&["start", "run"]], ""),
        ] {
            let common = others.iter().fold(first.as_slice(), |common, other| in_both(common, &stack(other)));
            assert_eq!(grouping::place_in(common).unwrap_or_default(), expected);
        }
    }
}
