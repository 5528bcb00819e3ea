//! The contexts of an event: what the node declared, how it ended, and what it ran on.

use std::collections::BTreeMap;
use std::fs;

use sentry_types::protocol::v7::{Context, DeviceContext, OsContext, Value};

use crate::capture::End;

use super::case::Case;
use super::course::Course;
use super::hang;
use super::health;
use super::machine;
use super::scrub::Scrubber;
use super::signals;
use super::text::{clean, cut};

type Section = BTreeMap<String, Value>;

/// Sections that are ours or Sentry's: a node's own section of this name is called `node_…`.
const RESERVED: [&str; 19] = [
    "course", "death", "hang", "health", "process", "os", "device", "runtime", "app", "browser", "trace",
    "gpu", "culture", "response", "otel", "metrics", "profile", "replay", "state",
];
const KEY_MAX: usize = 64;
const VALUE_MAX: usize = 512;
const NOTES_MAX: usize = 16;

/// All contexts; `notes` says what this report could not show.
pub(super) fn all(case: &Case<'_>, scrubber: &Scrubber, notes: &[String]) -> BTreeMap<String, Context> {
    let mut contexts = declared(case, scrubber);
    contexts.insert("death".into(), Context::Other(death(case, scrubber, notes)));
    let course = Course::of(case);
    contexts.insert("process".into(), Context::Other(process(case, &course, scrubber)));
    let lists = course.lists();
    if !lists.is_empty() {
        contexts.insert("course".into(), Context::Other(lists));
    }
    if let Some(hang) = case.hang() {
        contexts.insert("hang".into(), Context::Other(hang::context(hang, scrubber)));
    }
    let health = health::context(case, scrubber);
    if !health.is_empty() {
        contexts.insert("health".into(), Context::Other(health));
    }
    let metrics = metrics(case, scrubber);
    if !metrics.is_empty() {
        contexts.insert("metrics".into(), Context::Other(metrics));
    }
    contexts.insert("os".into(), Context::Os(Box::new(os())));
    contexts.insert("device".into(), Context::Device(Box::new(device())));
    contexts
}

/// A key of a tag or context, in Sentry's alphabet.
pub(super) fn key(bytes: &[u8]) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '-');
    let text = clean(bytes);
    let key = text.chars().map(|letter| if allowed(letter) { letter } else { '_' });
    key.take(KEY_MAX).collect()
}

fn declared(case: &Case<'_>, scrubber: &Scrubber) -> BTreeMap<String, Context> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    for entry in case.recorder.contexts() {
        let section = match key(entry.section) {
            name if name.is_empty() => "node".into(),
            name if RESERVED.contains(&name.as_str()) => format!("node_{name}"),
            name => name,
        };
        let value = cut(scrubber.text(&clean(entry.value)), VALUE_MAX);
        // `type` says how Sentry shows the section.
        let key = Some(key(entry.key)).filter(|key| key != "type").unwrap_or_else(|| "kind".into());
        sections.entry(section).or_default().insert(key, value.into());
    }
    sections.into_iter().map(|(name, section)| (name, Context::Other(section))).collect()
}

fn death(case: &Case<'_>, scrubber: &Scrubber, notes: &[String]) -> Section {
    let mut section = Section::new();
    let mut put = |key: &str, value: Option<Value>| value.map(|value| section.insert(key.into(), value));
    put("cause", Some(case.cause.word().into()));
    if let Some((signal, code, class)) = case.signal() {
        put("signal", Some(signals::name(signal).into()));
        put("code", code.map(Value::from));
        put("code_name", code.and_then(|code| signals::code_name(signal, code)).map(Value::from));
        put("fault_address_class", class.word().map(Value::from));
    }
    let (status, end) = match case.capture.end {
        End::Exited(status) => (Some(status), "exited"),
        End::Signaled(_) => (None, "ended by a signal"),
        End::StillAlive => (None, "not ended: a handler of its own was still at work"),
        End::Unknown => (None, "not seen"),
    };
    put("exit_status", status.map(Value::from));
    put("end", case.is_death().then(|| end.into()));
    if let Some(judged) = &case.out_of_memory {
        put("suspected", judged.is_suspected.then(|| "out of memory".into()));
        let key = if judged.is_suspected { "suspected_evidence" } else { "evidence" };
        put(key, judged.evidence.as_deref().map(Value::from));
    }
    put("hung", hang::before_death(case, scrubber).map(Value::from));
    put("thread_id", Some(case.tid()).filter(|tid| *tid != 0).map(Value::from));
    put("uptime_seconds", uptime_seconds(case).map(Value::from));
    put("restarts", case.capture.restarts.map(Value::from));
    put(
        "recorder_dropped",
        Some(case.recorder.control().dropped).filter(|dropped| *dropped != 0).map(Value::from),
    );
    let notes: Vec<_> =
        notes.iter().take(NOTES_MAX).map(|note| cut(scrubber.text(note), VALUE_MAX)).collect();
    put("notes", (!notes.is_empty()).then(|| notes.into()));
    section
}

fn uptime_seconds(case: &Case<'_>) -> Option<f64> {
    let control = case.recorder.control();
    let lived_ns = match case.fault {
        Some(fault) => fault.boottime_ns.checked_sub(control.start_boottime_ns),
        None => case.realtime_ns().checked_sub(control.start_realtime_ns),
    };
    // Milliseconds are enough: more digits would be noise.
    lived_ns.map(|nanoseconds| (nanoseconds / 1_000_000) as f64 / 1e3)
}

fn process(case: &Case<'_>, course: &Course, scrubber: &Scrubber) -> Section {
    let process = &case.capture.process;
    let mut section = Section::new();
    section.insert("pid".into(), case.recorder.control().pid.into());
    let program = scrubber.path(&clean(process.program.as_bytes()));
    let numbers = [
        ("resident_bytes", last_resident(case, course)),
        ("swapped_bytes", process.swapped_bytes),
        ("threads", process.threads),
        ("fds_max", process.fds_max),
        ("open_fds", course.open_fds().unwrap_or(0)),
    ];
    let known = numbers.into_iter().filter(|(_, number)| *number != 0);
    section.extend(known.map(|(name, number)| (name.into(), number.into())));
    section.extend(course.texts().into_iter().map(|(name, text)| (name.into(), text.into())));
    if !program.is_empty() {
        section.insert("program".into(), cut(program, VALUE_MAX).into());
    }
    section
}

/// Of a process that nobody could look at any more, the last look before: at most 15 s old.
fn last_resident(case: &Case<'_>, course: &Course) -> u64 {
    let last = || course.last().and_then(|point| point.resident_bytes);
    Some(case.capture.process.resident_bytes).filter(|bytes| *bytes != 0).or_else(last).unwrap_or(0)
}

/// Declared as tags are: labels may hold what a node should not tell.
fn metrics(case: &Case<'_>, scrubber: &Scrubber) -> Section {
    let value = |value: f64| {
        let is_whole = value.fract() == 0.0 && value.abs() < 9e15;
        if is_whole { Value::from(value as i64) } else { Value::from(value) }
    };
    let values = case.capture.metrics.iter().filter(|metric| metric.value.is_finite());
    values.map(|metric| (cut(scrubber.text(&metric.name), VALUE_MAX), value(metric.value))).collect()
}

fn os() -> OsContext {
    let release = ["/etc/os-release", "/usr/lib/os-release"].map(fs::read_to_string);
    let release = release.into_iter().flatten().next().unwrap_or_default();
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(cut(value.trim_matches(['"', '\'']).to_owned(), KEY_MAX)).filter(|value| !value.is_empty())
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    OsContext {
        name: Some(field("NAME").unwrap_or_else(|| "Linux".into())),
        version: field("VERSION_ID"),
        kernel_version: kernel.map(|kernel| cut(kernel.trim().to_owned(), KEY_MAX)),
        ..OsContext::default()
    }
}

fn device() -> DeviceContext {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes: Option<u64> = total.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let processors = std::thread::available_parallelism().map(usize::from).ok();
    let other = processors.map(|count| ("processor_count".to_owned(), Value::from(count)));
    DeviceContext {
        arch: Some(machine::ARCH.into()),
        memory_size: kilobytes.map(|kilobytes| kilobytes.saturating_mul(1024)),
        other: other.into_iter().collect(),
        ..DeviceContext::default()
    }
}
