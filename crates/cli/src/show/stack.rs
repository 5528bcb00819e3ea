//! The stacks: the one that died in full, of each other thread the one line that says what it was at.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::clean;
use crate::event::Event;
use crate::show::page::{BOLD, CYAN, DIM, PLAIN, Page, YELLOW, cut, cut_start, fit};

/// Longer stacks (recursion) show both ends.
const FRAMES_FIRST: usize = 40;
const FRAMES_LAST: usize = 15;
const FUNCTION_COLUMNS_MIN: usize = 20;
const FOLDERS_SHOWN: usize = 2;

/// The stack of the thread that died.
pub(crate) fn crashed(page: &mut Page, event: &Event<'_>) {
    let thread = event.threads().iter().find(|thread| is_set(thread, "crashed"));
    let exception = event.exceptions().into_iter().find(|exception| has_frames(exception));
    let Some(holder) = exception.or_else(|| thread.filter(|thread| has_frames(thread))) else {
        page.section("STACK", "none was captured");
        return;
    };
    let name = thread.map(name_of).unwrap_or_default();
    page.section("STACK", format!("{name}, innermost first").trim_start_matches(", "));
    let frames = frames_of(holder, event);
    let longest = frames.iter().map(|frame| frame.name.width()).max().unwrap_or_default();
    let column = longest.clamp(FUNCTION_COLUMNS_MIN, (page.width() * 45 / 100).max(FUNCTION_COLUMNS_MIN));
    let hidden = frames.len().saturating_sub(FRAMES_FIRST + FRAMES_LAST);
    for (number, frame) in frames.iter().enumerate() {
        if hidden == 0 || number < FRAMES_FIRST || number >= FRAMES_FIRST + hidden {
            print_frame(page, number, frame, column);
        } else if number == FRAMES_FIRST {
            page.line(&[(DIM, &format!("       … {hidden} frames …"))]);
        }
    }
}

/// The other threads, one line each.
pub(crate) fn others(page: &mut Page, event: &Event<'_>) {
    let dead = event.exceptions().iter().find_map(|exception| exception.get("thread_id"));
    let others: Vec<&Value> = event
        .threads()
        .iter()
        .filter(|thread| !is_set(thread, "crashed") && (dead.is_none() || thread.get("id") != dead))
        .collect();
    if others.is_empty() {
        return;
    }
    page.section("OTHER THREADS", &others.len().to_string());
    let names: Vec<String> = others.iter().map(|thread| name_of(thread)).collect();
    let column = names.iter().map(|name| name.width()).max().unwrap_or_default().min(28);
    for (thread, name) in others.iter().zip(&names) {
        print_thread(page, thread, &fit(name, column), event);
    }
}

struct Frame {
    name: String,
    place: String,
    is_own: bool,
    is_inlined: bool,
}

fn print_frame(page: &mut Page, number: usize, frame: &Frame, column: usize) {
    let (name_style, place_style) = if frame.is_own { (BOLD, CYAN) } else { (DIM, DIM) };
    let number = format!("  {number:>3}  ");
    let mark = if frame.is_inlined { "  inlined" } else { "" };
    let room = page.width().saturating_sub(number.len() + column + 2 + mark.len());
    if frame.name.width() <= column {
        let name = fit(&frame.name, column);
        let place = cut_start(&frame.place, room);
        page.line(&[
            (DIM, &number),
            (name_style, &name),
            (PLAIN, "  "),
            (place_style, &place),
            (YELLOW, mark),
        ]);
        return;
    }
    // A long name has its line to itself, and its place stands below.
    page.wrapped_after(&[(DIM, &number)], name_style, &frame.name);
    let indent = " ".repeat(number.len() + 2);
    if !frame.place.is_empty() || frame.is_inlined {
        let room = page.width().saturating_sub(indent.len() + mark.len());
        page.line(&[(PLAIN, &indent), (place_style, &cut_start(&frame.place, room)), (YELLOW, mark)]);
    }
}

fn print_thread(page: &mut Page, thread: &Value, name: &str, event: &Event<'_>) {
    let frames = frames_of(thread, event);
    let (Some(top), own) = (frames.first(), frames.iter().find(|frame| frame.is_own)) else {
        page.line(&[(PLAIN, "  "), (PLAIN, name), (DIM, "  no stack was captured")]);
        return;
    };
    let shown = own.unwrap_or(top);
    let within = if shown.name == top.name { String::new() } else { format!("  in {}", cut(&top.name, 24)) };
    let room = page.width().saturating_sub(2 + name.width() + 2 + within.width() + 2);
    let function = cut(&shown.name, room.saturating_sub(24).max(16));
    let place = cut_start(&shown.place, room.saturating_sub(function.width() + 2).max(8));
    let style = if shown.is_own { PLAIN } else { DIM };
    let place_style = if shown.is_own { CYAN } else { DIM };
    let gap = if place.is_empty() { "" } else { "  " };
    page.line(&[
        (PLAIN, "  "),
        (PLAIN, name),
        (PLAIN, "  "),
        (style, &function),
        (PLAIN, gap),
        (place_style, &place),
        (DIM, &within),
    ]);
}

/// Innermost first; Sentry keeps the innermost last.
fn frames_of(holder: &Value, event: &Event<'_>) -> Vec<Frame> {
    let frames = frames(holder);
    let (mut outer_address, mut outer_function) = (None, None);
    let mut found: Vec<Frame> = Vec::with_capacity(frames.len());
    for frame in frames {
        let address = address(frame, "instruction_addr");
        let function_name = frame.get("function");
        // An inlined frame shares its instruction with the frame that holds its code. So does a function with the call
        // of itself that it made, which is another matter.
        let shares = address.is_some_and(|address| address != 0) && address == outer_address;
        let shares = shares && function_name != outer_function;
        (outer_address, outer_function) = (address, function_name);
        found.push(Frame {
            name: function(frame, event),
            place: place(frame),
            is_own: is_set(frame, "in_app"),
            is_inlined: shares || is_set(frame, "inlined"),
        });
    }
    found.reverse();
    found
}

fn function(frame: &Value, event: &Event<'_>) -> String {
    let named = text(frame, "function").filter(|name| !matches!(*name, "<unknown>" | "?" | "??"));
    named.map_or_else(|| module_and_offset(frame, event), clean::line)
}

fn place(frame: &Value) -> String {
    let Some(file) = source(frame) else {
        let module = text(frame, "package").map(file_name).unwrap_or_default();
        // Where the name is already module and offset, the module is not said twice.
        let says_module = |name: &str| name.strip_prefix(module).is_some_and(|rest| rest.starts_with("+0x"));
        return text(frame, "function")
            .filter(|name| !says_module(name))
            .map_or(String::new(), |_| module.to_owned());
    };
    match frame.get("lineno").and_then(Value::as_u64).filter(|line| *line > 0) {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// The file with the folders that tell it from others of its name: `filename` is often the bare name.
fn source(frame: &Value) -> Option<&str> {
    let (file, path) = (text(frame, "filename"), text(frame, "abs_path"));
    let bare = file.is_none_or(|file| !file.contains('/'));
    let Some(path) = path.filter(|_| bare) else { return file };
    let folders = path.rmatch_indices('/').nth(FOLDERS_SHOWN).map_or(0, |(slash, _)| slash + 1);
    path.get(folders..)
}

fn module_and_offset(frame: &Value, event: &Event<'_>) -> String {
    let Some(address_of_frame) = address(frame, "instruction_addr") else { return "(unknown)".to_owned() };
    let image = event.list("/debug_meta/images").iter().find(|image| {
        let start = address(image, "image_addr").unwrap_or(u64::MAX);
        let size = image.get("image_size").and_then(Value::as_u64).unwrap_or_default();
        address_of_frame >= start && address_of_frame - start < size.max(1)
    });
    let start = address(frame, "image_addr").or_else(|| address(image?, "image_addr"));
    let module = text(frame, "package").or_else(|| text(image?, "code_file"));
    match (module, start.and_then(|start| address_of_frame.checked_sub(start))) {
        (Some(module), Some(offset)) => clean::line(&format!("{}+{offset:#x}", file_name(module))),
        (Some(module), None) => clean::line(&format!("{} {address_of_frame:#x}", file_name(module))),
        (None, _) => format!("{address_of_frame:#x}"),
    }
}

/// "net-io (4711)".
fn name_of(thread: &Value) -> String {
    let id = match thread.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => String::new(),
    };
    match (text(thread, "name"), id.as_str()) {
        (Some(name), "") => clean::line(name),
        (Some(name), id) => clean::line(&format!("{name} ({id})")),
        (None, id) => clean::line(&format!("thread {id}")),
    }
}

fn frames(holder: &Value) -> &[Value] {
    holder.pointer("/stacktrace/frames").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn has_frames(holder: &Value) -> bool {
    !frames(holder).is_empty()
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_set(value: &Value, field: &str) -> bool {
    value.get(field).or_else(|| value.get("data")?.get(field)).and_then(Value::as_bool).unwrap_or(false)
}

/// Addresses are written `"0x7f…"`, by some writers as numbers.
fn address(value: &Value, field: &str) -> Option<u64> {
    match value.get(field)? {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).ok(),
        number => number.as_u64(),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
