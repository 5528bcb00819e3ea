//! What a stack tells, read from frames that may lack any field: names, places, who is whose. How it looks is decided
//! by those who show it.

use serde_json::Value;

use crate::event::Event;

/// Longer stacks (recursion) show both ends.
pub(super) const FRAMES_FIRST: usize = 40;
pub(super) const FRAMES_LAST: usize = 15;
/// The folders that tell a file from others of its name.
const FOLDERS_SHOWN: usize = 2;

/// One call, as it is shown; its texts are the node's own bytes still.
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) place: String,
    /// The file that the code is in, by its bare name.
    pub(super) module: String,
    pub(super) is_own: bool,
    pub(super) is_inlined: bool,
}

/// Who holds the stack that the report is about: the exception nearest to the end that has one, else the thread.
pub(super) fn holder<'a>(event: &Event<'a>) -> Option<&'a Value> {
    let thread = event.threads().iter().find(|thread| is_set(thread, "crashed"));
    let exception = event.exceptions().into_iter().find(|exception| has_frames(exception));
    exception.or_else(|| thread.filter(|thread| has_frames(thread)))
}

/// Whose stack it is: the thread that the exception names, which may have ended before the process did.
pub(super) fn thread_name(holder: &Value, event: &Event<'_>) -> String {
    let id = holder.get("thread_id").or_else(|| holder.get("id"));
    let named = event.threads().iter().find(|thread| id.is_some() && thread.get("id") == id);
    let crashed = || event.threads().iter().find(|thread| is_set(thread, "crashed"));
    match (named, id) {
        (Some(thread), _) => name_of(thread),
        (None, Some(id)) => format!("{}, which has ended", name_of(&serde_json::json!({ "id": id }))),
        (None, None) => crashed().map(name_of).unwrap_or_default(),
    }
}

/// The threads beside the one that the report is about.
pub(super) fn other_threads<'a>(event: &Event<'a>) -> Vec<&'a Value> {
    let dead = event.exceptions().iter().find_map(|exception| exception.get("thread_id"));
    let is_other =
        |thread: &&Value| !is_set(thread, "crashed") && (dead.is_none() || thread.get("id") != dead);
    event.threads().iter().filter(is_other).collect()
}

/// Innermost first; Sentry keeps the innermost last.
pub(super) fn frames_of(holder: &Value, event: &Event<'_>) -> Vec<Frame> {
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
            module: text(frame, "package").map(file_name).unwrap_or_default().to_owned(),
            is_own: is_set(frame, "in_app"),
            is_inlined: shares || is_set(frame, "inlined"),
        });
    }
    found.reverse();
    found
}

fn function(frame: &Value, event: &Event<'_>) -> String {
    let named = text(frame, "function").filter(|name| !matches!(*name, "<unknown>" | "?" | "??"));
    named.map_or_else(|| module_and_offset(frame, event), str::to_owned)
}

fn place(frame: &Value) -> String {
    let Some(file) = source(frame) else {
        let module = text(frame, "package").map(file_name).unwrap_or_default();
        // Where the name is already module and offset, the module is not said twice.
        let says_module = |name: &str| name.strip_prefix(module).is_some_and(|rest| rest.starts_with("+0x"));
        let name = text(frame, "function").filter(|name| !says_module(name));
        return name.map_or(String::new(), |_| module.to_owned());
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
        (Some(module), Some(offset)) => format!("{}+{offset:#x}", file_name(module)),
        (Some(module), None) => format!("{} {address_of_frame:#x}", file_name(module)),
        (None, _) => format!("{address_of_frame:#x}"),
    }
}

/// "net-io (4711)".
pub(super) fn name_of(thread: &Value) -> String {
    let id = match thread.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => String::new(),
    };
    match (text(thread, "name"), id.as_str()) {
        (Some(name), "") => name.to_owned(),
        (Some(name), id) => format!("{name} ({id})"),
        (None, id) => format!("thread {id}"),
    }
}

fn frames(holder: &Value) -> &[Value] {
    holder.pointer("/stacktrace/frames").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn has_frames(holder: &Value) -> bool {
    !frames(holder).is_empty()
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

pub(super) fn is_set(value: &Value, field: &str) -> bool {
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
