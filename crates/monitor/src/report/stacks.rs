//! Stack traces as Sentry reads them: oldest call first, inlined functions as frames of their own.

use std::path::Path;

use lifeboat_recorder::RecordView;
use sentry_types::protocol::v7::{Addr, Frame, RegVal, Stacktrace};

use super::machine::{REGISTER_NAMES, Registers};
use super::modules::Modules;
use super::runtime;
use super::scrub::Scrubber;
use super::symbols::{Location, Symbols};
use super::text::{clean, cut};
use super::unwind::{self, Stack, Threads, Trust};

const TEXT_MAX: usize = 512;
/// How deep the call is looked for that an exception names: those above it are inlined, or name their caller instead.
const PLACE_DEPTH_MAX: usize = 8;

/// Makes stack traces for one process.
pub(super) struct Stacks<'m, 's> {
    modules: &'m Modules<'s>,
    threads: Threads<'m, 's>,
    symbols: Symbols<'m, 's>,
    scrubber: &'m Scrubber,
    /// Modules that a frame was in, by their start.
    pub(super) seen: Vec<u64>,
    /// Frames that were found by searching a stack.
    pub(super) guessed: usize,
    /// Stacks that ended too early.
    pub(super) truncated: usize,
}

impl<'m, 's> Stacks<'m, 's> {
    pub(super) fn new(modules: &'m Modules<'s>, scrubber: &'m Scrubber) -> Self {
        let (threads, symbols) = (Threads::new(modules), Symbols::new(modules));
        Self { modules, threads, symbols, scrubber, seen: Vec::new(), guessed: 0, truncated: 0 }
    }

    /// The stack of a thread. Of its registers three are kept.
    pub(super) fn of_thread(&mut self, registers: &[u64], stack: Stack<'_>) -> Option<Stacktrace> {
        let kept = Registers::of(registers)?;
        let trace = self.threads.trace(registers, stack);
        self.truncated += usize::from(trace.is_truncated);
        let mut frames = Vec::with_capacity(trace.frames.len());
        for frame in &trace.frames {
            self.guessed += usize::from(frame.trust == Trust::Scan);
            frames.extend(self.frames(frame));
        }
        frames.reverse();
        let values = [kept.ip, kept.sp, kept.fp].map(RegVal);
        let registers = REGISTER_NAMES.map(str::to_owned).into_iter().zip(values).collect();
        Some(Stacktrace { frames, registers, ..Stacktrace::default() })
    }

    /// The frames that a language handed over, if it did.
    pub(super) fn of_record(&mut self, record: &RecordView<'_>) -> Option<Stacktrace> {
        let mut frames = Vec::new();
        for given in record.frames() {
            let named = self.given(&given);
            // A bare address is looked up like any other; where a name came with it, the name counts.
            if named.function.is_none() && given.address != 0 {
                let frame = unwind::Frame { address: given.address, is_return: true, trust: Trust::Context };
                frames.extend(self.frames(&frame));
            } else {
                frames.push(named);
            }
        }
        frames.reverse();
        (!frames.is_empty()).then(|| Stacktrace { frames, ..Stacktrace::default() })
    }

    /// All functions at one address, innermost first.
    fn frames(&mut self, frame: &unwind::Frame) -> Vec<Frame> {
        let found = self.modules.find(frame.lookup());
        let module = found.map(|(_, module)| module);
        if let Some(module) = module.filter(|module| !self.seen.contains(&module.start)) {
            self.seen.push(module.start);
        }
        let bare = Frame {
            package: module.map(|module| self.path(&module.path)),
            instruction_addr: Some(Addr(frame.address)),
            image_addr: module.map(|module| Addr(module.start)),
            in_app: Some(module.is_some_and(|module| module.is_own)),
            ..Frame::default()
        };
        let locations = self.symbols.look_up(frame.lookup());
        if locations.is_empty() {
            // Servers show a frame by its function; without any it would be a bare address to them.
            let offset = module.map(|module| frame.address.saturating_sub(module.start));
            let function = bare.package.as_deref().zip(offset).map(|(path, offset)| {
                let name = cut(base_name(path).to_owned(), TEXT_MAX);
                format!("{name}+{offset:#x}")
            });
            return vec![Frame { function, ..bare }];
        }
        locations.iter().map(|location| self.located(bare.clone(), location)).collect()
    }

    fn located(&self, bare: Frame, location: &Location) -> Frame {
        let is_runtime = location.function.as_deref().is_some_and(runtime::is_function);
        let is_foreign = location.file.as_deref().is_some_and(runtime::is_source);
        Frame {
            function: location.function.clone(),
            symbol: location.symbol.clone(),
            filename: location.file.as_deref().map(|file| self.scrubber.path(base_name(file))),
            abs_path: location.file.as_deref().map(|file| self.scrubber.path(file)),
            lineno: location.line.map(u64::from),
            colno: location.column.map(u64::from),
            in_app: bare.in_app.map(|is_own| is_own && !is_runtime && !is_foreign),
            ..bare
        }
    }

    fn given(&self, given: &lifeboat_recorder::FrameView<'_>) -> Frame {
        let text = |bytes: &[u8]| Some(clean(bytes)).filter(|text| !text.is_empty());
        let file = text(given.file);
        let function = text(given.function);
        let is_runtime = function.as_deref().is_some_and(runtime::is_function);
        let is_foreign = file.as_deref().is_some_and(runtime::is_source);
        Frame {
            function: function.map(|name| cut(self.scrubber.text(&name), TEXT_MAX)),
            filename: file.as_deref().map(|file| self.scrubber.path(base_name(file))),
            abs_path: file.as_deref().map(|file| self.scrubber.path(file)),
            lineno: Some(u64::from(given.line)).filter(|line| *line != 0),
            colno: Some(u64::from(given.column)).filter(|column| *column != 0),
            instruction_addr: Some(Addr(given.address)).filter(|address| address.0 != 0),
            in_app: Some(!is_runtime && !is_foreign),
            ..Frame::default()
        }
    }

    fn path(&self, path: &Path) -> String {
        self.scrubber.path(&clean(path.as_os_str().as_encoded_bytes()))
    }
}

/// Without the machinery on top of a stack that ends the process: what ran below the call of `exit`, and what a language
/// does to end it. Where nothing else is known all stays.
pub(super) fn without_way_out(mut trace: Stacktrace) -> Stacktrace {
    let first = |is: fn(&str) -> bool| trace.frames.iter().position(|frame| is_named(frame, is));
    // An exception in a static destructor comes from within `exit`.
    let end = first(runtime::is_throw).or_else(|| first(runtime::is_exit));
    trace.frames = to_own(trace.frames, end);
    trace
}

/// Without the machinery on top of a stack that an exception brought: what throws it, and what was told of it. It may
/// come from a destructor that runs below `exit`. Where nothing else is known all stays.
pub(super) fn without_throw(mut trace: Stacktrace) -> Stacktrace {
    let place = trace.frames.pop_if(|frame| is_place(frame));
    // A panic hook of the node's own may be what called us.
    let panic = trace.frames.iter().rposition(|frame| is_named(frame, runtime::is_panic));
    let throw = || trace.frames.iter().position(|frame| is_named(frame, runtime::is_throw));
    let end = panic.or_else(throw);
    trace.frames = to_own(trace.frames, end);
    if let Some(place) = place {
        lay(place, &mut trace.frames);
    }
    trace
}

fn is_named(frame: &Frame, is_it: fn(&str) -> bool) -> bool {
    frame.function.as_deref().is_some_and(is_it)
}

/// The frames up to the innermost of the node's own, of those before `end`.
fn to_own(mut frames: Vec<Frame>, end: Option<usize>) -> Vec<Frame> {
    let before = frames.get(..end.unwrap_or(frames.len()));
    if let Some(own) = before.and_then(|frames| frames.iter().rposition(|frame| frame.in_app == Some(true))) {
        frames.truncate(own + 1);
    }
    frames
}

/// A frame that is no call, but where an exception says that it comes from.
fn is_place(frame: &Frame) -> bool {
    frame.function.is_none() && frame.instruction_addr.is_none() && frame.lineno.is_some()
}

/// The place is that of a call on top of the stack, as a rule: a frame that knows its file has it already, one that does
/// not is told. Only a place of its own becomes a frame.
fn lay(place: Frame, frames: &mut Vec<Frame>) {
    let is_there = |frame: &Frame| (&frame.filename, frame.lineno) == (&place.filename, place.lineno);
    if frames.iter().rev().take(PLACE_DEPTH_MAX).any(is_there) {
        return;
    }
    match frames.last_mut().filter(|top| top.in_app == Some(true) && top.function.is_some()) {
        // Its own line is that of the whole branch, where the compiler has merged several.
        Some(top) if top.filename.is_none() || top.filename == place.filename => {
            (top.filename, top.abs_path) = (place.filename, top.abs_path.take().or(place.abs_path));
            (top.lineno, top.colno) = (place.lineno, place.colno);
        }
        _ => frames.push(place),
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
