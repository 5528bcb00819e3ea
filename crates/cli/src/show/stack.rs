//! The stacks: the one that died, with long runs of frames that are not the program's own folded; of each other thread
//! the one line that says what it was at.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::clean;
use crate::event::Event;
use crate::show::frames::{self, FRAMES_FIRST, FRAMES_LAST, Frame, other_threads};
use crate::show::page::{BOLD, CYAN, DIM, PLAIN, Page, YELLOW, cut, cut_start, fit};

const FUNCTION_COLUMNS_MIN: usize = 20;
/// So few frames in a row that are not the program's own are shown.
const FOLD_MIN: usize = 4;
const MODULES_NAMED: usize = 3;

/// The stack of the thread that died.
pub(crate) fn crashed(page: &mut Page, event: &Event<'_>) {
    let Some(holder) = frames::holder(event) else {
        page.section("STACK", "none was captured");
        return;
    };
    let name = clean::line(&frames::thread_name(holder, event));
    page.section("STACK", format!("{name}, innermost first").trim_start_matches(", "));
    let frames = frames_of(holder, event);
    let longest = frames.iter().map(|frame| frame.name.width()).max().unwrap_or_default();
    let column = longest.clamp(FUNCTION_COLUMNS_MIN, (page.width() * 45 / 100).max(FUNCTION_COLUMNS_MIN));
    let hidden = frames.len().saturating_sub(FRAMES_FIRST + FRAMES_LAST);
    let has_own = frames.iter().any(|frame| frame.is_own);
    let mut folded_to = 0;
    for (number, frame) in frames.iter().enumerate() {
        let run = frames.iter().skip(number).take_while(|frame| !frame.is_own).count();
        if number >= folded_to && has_own && number > 0 && run >= FOLD_MIN {
            folded_to = number + run;
            let text = format!(
                "  {number:>3}  … {run} frames of {}",
                modules_of(frames.iter().skip(number).take(run))
            );
            page.line(&[(DIM, &text)]);
        }
        if number < folded_to {
            continue;
        }
        if hidden == 0 || number < FRAMES_FIRST || number >= FRAMES_FIRST + hidden {
            print_frame(page, number, frame, column);
        } else if number == FRAMES_FIRST {
            page.line(&[(DIM, &format!("       … {hidden} frames …"))]);
        }
    }
}

/// Whose code it is, each named once.
fn modules_of<'f>(frames: impl Iterator<Item = &'f Frame>) -> String {
    let mut modules: Vec<&str> = Vec::new();
    for frame in frames.filter(|frame| !frame.module.is_empty()) {
        if !modules.contains(&frame.module.as_str()) {
            modules.push(&frame.module);
        }
    }
    let more = modules.len().saturating_sub(MODULES_NAMED);
    modules.truncate(MODULES_NAMED);
    let named = clean::line(&modules.join(", "));
    match more {
        _ if named.is_empty() => "others".to_owned(),
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The other threads, one line each.
pub(crate) fn others(page: &mut Page, event: &Event<'_>) {
    let others = other_threads(event);
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

/// Harmless before it is measured: the columns depend on it.
fn frames_of(holder: &Value, event: &Event<'_>) -> Vec<Frame> {
    let mut frames = frames::frames_of(holder, event);
    for frame in &mut frames {
        frame.name = clean::line(&frame.name);
    }
    frames
}

fn name_of(thread: &Value) -> String {
    clean::line(&frames::name_of(thread))
}
