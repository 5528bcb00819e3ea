//! Puts a case together as a Sentry event. What the parts say is decided in `exceptions`, `stacks` and `contexts`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use lifeboat_recorder::Setting;
use sentry_types::protocol::v7::{
    Breadcrumb, ClientSdkInfo, ClientSdkPackage, DebugImage, DebugMeta, Event, Level, SymbolicDebugImage,
    Thread,
};
use sentry_types::{CodeId, DebugId, Uuid};

use crate::VERSION;
use crate::capture::{End, Subject};
use crate::dsn::Dsn;

use super::case::{Case, Cause};
use super::modules::{Module, Modules};
use super::scrub::Scrubber;
use super::stacks::Stacks;
use super::text::{clean, cut, hex, one_line};
use super::unwind::Stack;
use super::{contexts, exceptions, grouping, hang, machine, signals};

/// The note of a report that names no server because its node's DSN is none.
pub const DSN_UNREADABLE: &str =
    "the DSN cannot be read: the report names no server and stays on the node's machine";
/// How many breadcrumbs a report shows.
const BREADCRUMBS_MAX: usize = 100;
const TAG_VALUE_MAX: usize = 200;
/// Sentry's limits for these texts.
const RELEASE_MAX: usize = 200;
const ENVIRONMENT_MAX: usize = 64;
const DIST_MAX: usize = 64;
const MESSAGE_MAX: usize = 512;
/// A clock that is this far ahead of ours is not believed.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// The event of this case.
pub(super) fn event(case: &Case<'_>, modules: &Modules<'_>) -> Event<'static> {
    let fleet = case.setting(Setting::Fleet);
    let dsn = case.recorder.setting(Setting::Dsn).unwrap_or_default();
    let scrubber = Scrubber::new(fleet.as_deref().unwrap_or_default().as_bytes(), dsn);
    let mut stacks = Stacks::new(modules, &scrubber);
    let exception = exceptions::all(case, &mut stacks, &scrubber);
    let threads = threads(case, &mut stacks, &scrubber);
    let place = hang::place(case, &mut stacks, &exception).or_else(|| grouping::place(&exception));
    let notes = notes(case, &stacks);
    Event {
        event_id: case.event_id(),
        level: level(case),
        fingerprint: grouping::fingerprint(place.as_deref()),
        transaction: place,
        platform: "native".into(),
        timestamp: timestamp(case),
        release: release(case).map(Cow::Owned),
        dist: case.setting(Setting::Commit).map(|commit| plain(&commit, DIST_MAX)).map(Cow::Owned),
        environment: case
            .setting(Setting::Environment)
            .map(|name| plain(&name, ENVIRONMENT_MAX))
            .map(Cow::Owned),
        server_name: case.setting(Setting::Node).map(|node| one_line(&node, TAG_VALUE_MAX)).map(Cow::Owned),
        tags: tags(case, &scrubber),
        exception: exception.into(),
        threads: threads.into(),
        breadcrumbs: breadcrumbs(case, &scrubber).into(),
        contexts: contexts::all(case, &scrubber, &notes),
        debug_meta: Cow::Owned(debug_meta(modules, &stacks.seen, &scrubber)),
        sdk: Some(Cow::Owned(sdk(case))),
        ..Event::default()
    }
}

/// What this report could not show.
fn notes(case: &Case<'_>, stacks: &Stacks<'_, '_>) -> Vec<String> {
    let mut notes = case.capture.notes.clone();
    let captured = case.capture.threads.len();
    // Of a process that carries nothing of ours there is one note that says so.
    let is_bare = case.bare_module().is_some();
    let is_exit = matches!(case.cause, Cause::Exit(_)) && !is_bare;
    if is_exit && captured == 0 {
        notes.push(
            "it ended without a call of exit(), or could not be held there: no stack was captured".into(),
        );
    } else if is_exit && case.capture.process.threads > captured as u64 {
        notes.push("only the thread that called exit() is here: the others were ending".into());
    }
    let is_fault = matches!(case.capture.end, End::Signaled(signal) if signals::is_fault(signal));
    if case.fault.is_none() && is_fault && !is_bare {
        notes.push(
            "no handler of ours ran: the program put its own there since (call lifeboat_rearm after that), or could not run one".into(),
        );
    }
    if case.fault.is_some_and(|fault| fault.maps_truncated) {
        notes.push("the list of mappings was too long to be kept whole".into());
    }
    if case.setting(Setting::Dsn).is_some_and(|dsn| Dsn::parse(&dsn).is_err()) {
        notes.push(DSN_UNREADABLE.into());
    }
    if stacks.guessed > 0 {
        notes.push(format!("{} frames were found by searching the stack and may be wrong", stacks.guessed));
    }
    if stacks.truncated > 0 {
        notes.push(format!("stacks that go on where no more could be unwound: {}", stacks.truncated));
    }
    notes
}

fn level(case: &Case<'_>) -> Level {
    // A panic is written as one that ends the process.
    let is_caught = matches!(case.capture.subject, Subject::Panic(_));
    if case.cause == Cause::Hang {
        return Level::Error;
    }
    match case.error.map_or(4, |error| if is_caught { 3 } else { error.level }) {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warning,
        3 => Level::Error,
        _ => Level::Fatal,
    }
}

fn timestamp(case: &Case<'_>) -> SystemTime {
    let (now, told) = (SystemTime::now(), Duration::from_nanos(case.realtime_ns()));
    let told = SystemTime::UNIX_EPOCH.checked_add(told).filter(|_| !told.is_zero());
    told.filter(|told| *told < now + AHEAD_MAX).unwrap_or(now)
}

/// `app@version`, unless a release was set.
fn release(case: &Case<'_>) -> Option<String> {
    let app = case.setting(Setting::App);
    let made = app.map(|app| match case.setting(Setting::Version) {
        Some(version) => format!("{app}@{version}"),
        None => app,
    });
    case.setting(Setting::Release).or(made).map(|release| plain(&release, RELEASE_MAX))
}

/// Without what Sentry refuses in such names: slashes and white space.
fn plain(text: &str, max: usize) -> String {
    let letter = |letter: char| if letter.is_whitespace() || "/\\".contains(letter) { '_' } else { letter };
    text.trim().chars().map(letter).take(max).collect()
}

fn tags(case: &Case<'_>, scrubber: &Scrubber) -> BTreeMap<String, String> {
    let value = |text: &str| one_line(&scrubber.text(text), TAG_VALUE_MAX);
    let declared = case.recorder.tags().map(|tag| (contexts::key(tag.key), value(&clean(tag.value))));
    let mut tags: BTreeMap<_, _> =
        declared.filter(|(key, value)| !key.is_empty() && !value.is_empty()).collect();
    let ours = [
        ("fleet", case.setting(Setting::Fleet)),
        ("node", case.setting(Setting::Node)),
        ("module", case.capture.module.clone()),
        ("cause", Some(case.cause.word().to_owned())),
    ];
    // Names that the node was given are declared: they are not scrubbed.
    let ours =
        ours.into_iter().filter_map(|(key, text)| Some((key.to_owned(), one_line(&text?, TAG_VALUE_MAX))));
    tags.extend(ours);
    tags
}

fn breadcrumbs(case: &Case<'_>, scrubber: &Scrubber) -> Vec<Breadcrumb> {
    let mut views: Vec<_> = case.recorder.breadcrumbs().collect();
    views.sort_by_key(|view| view.ticket);
    let last = views.split_off(views.len().saturating_sub(BREADCRUMBS_MAX));
    let text = |bytes: &[u8]| Some(scrubber.text(&clean(bytes))).filter(|text| !text.is_empty());
    let breadcrumb = |view: &lifeboat_recorder::BreadcrumbView<'_>| Breadcrumb {
        timestamp: SystemTime::UNIX_EPOCH + Duration::from_nanos(view.realtime_ns),
        category: text(view.category),
        level: breadcrumb_level(view.level),
        message: text(view.message).map(|message| cut(message, MESSAGE_MAX)),
        ..Breadcrumb::default()
    };
    last.iter().map(breadcrumb).collect()
}

fn breadcrumb_level(level: u32) -> Level {
    match level {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warning,
        3 => Level::Error,
        _ => Level::Fatal,
    }
}

/// Every thread. The one that the report is about has its stack in the exception, where Sentry looks for it.
fn threads(case: &Case<'_>, stacks: &mut Stacks<'_, '_>, scrubber: &Scrubber) -> Vec<Thread> {
    let (own, is_death) = (case.tid(), case.cause != Cause::Error);
    let mut threads = Vec::with_capacity(case.capture.threads.len());
    for captured in &case.capture.threads {
        let is_own = captured.tid == own;
        let stack = Stack { start: captured.stack_start, bytes: &captured.stack };
        let stacktrace = if is_own { None } else { stacks.of_thread(&captured.registers, stack) };
        threads.push(Thread {
            id: exceptions::thread_id(captured.tid),
            name: Some(scrubber.text(&clean(captured.name.as_bytes()))).filter(|name| !name.is_empty()),
            stacktrace,
            crashed: is_own && is_death,
            current: is_own,
            ..Thread::default()
        });
    }
    if own != 0 && !case.capture.threads.iter().any(|thread| thread.tid == own) {
        let id = exceptions::thread_id(own);
        threads.push(Thread { id, crashed: is_death, current: true, ..Thread::default() });
    }
    threads
}

/// Every module with a build id; those in which a frame is come first, should there be too many.
fn debug_meta(modules: &Modules<'_>, seen: &[u64], scrubber: &Scrubber) -> DebugMeta {
    let mut known: Vec<_> = modules.iter().filter(|module| !module.build_id.is_empty()).collect();
    known.sort_by_key(|module| !seen.contains(&module.start));
    DebugMeta {
        images: known.into_iter().map(|module| image(module, scrubber)).collect(),
        ..DebugMeta::default()
    }
}

fn image(module: &Module<'_>, scrubber: &Scrubber) -> DebugImage {
    let path = scrubber.path(&clean(module.path.as_os_str().as_encoded_bytes()));
    DebugImage::Symbolic(SymbolicDebugImage {
        name: path,
        arch: Some(machine::ARCH.into()),
        image_addr: module.start.into(),
        image_size: module.end.saturating_sub(module.start),
        image_vmaddr: 0.into(),
        id: debug_id(&module.build_id),
        code_id: Some(CodeId::new(hex(&module.build_id))),
        debug_file: None,
    })
}

/// The first 16 bytes as a little-endian GUID. See <https://develop.sentry.dev/sdk/foundations/envelopes/debugmeta/>.
fn debug_id(build_id: &[u8]) -> DebugId {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(build_id) {
        *to = *from;
    }
    DebugId::from_uuid(Uuid::from_bytes_le(bytes))
}

/// Which builds made the report: the monitor's, and the reporter's where one was in the node.
fn sdk(case: &Case<'_>) -> ClientSdkInfo {
    let package = |name: &str, version: String| ClientSdkPackage { name: name.into(), version };
    let reporter = case.setting(Setting::Reporter).map(|told| one_line(&told, TAG_VALUE_MAX));
    let reporter = reporter.map(|told| told.trim_start_matches("lifeboat-reporter ").to_owned());
    let monitor = package("lifeboat-monitor", VERSION.to_owned());
    let packages = [monitor].into_iter().chain(reporter.map(|version| package("lifeboat-reporter", version)));
    ClientSdkInfo {
        name: "lifeboat".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        integrations: Vec::new(),
        packages: packages.collect(),
    }
}
