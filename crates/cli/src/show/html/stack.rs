//! The stacks. The program's own frames are what is read; runs of foreign ones are folded, the middle of an endless
//! recursion too.

use maud::{Markup, html};
use serde_json::Value;

use super::{breakable, counted, row};
use crate::event::{Event, link_of, title_of};
use crate::show::frames::{
    FRAMES_FIRST, FRAMES_LAST, Frame, frames_of, has_frames, holder, name_of, other_threads, text,
};

/// So few foreign frames in a row are not worth a fold.
const FOLD_MIN: usize = 2;
const MODULES_NAMED: usize = 3;

/// The stack of the thread that the report is about.
pub(super) fn section(event: &Event<'_>) -> Markup {
    let holder = holder(event);
    let of = holder.filter(|holder| event.exceptions().first() != Some(holder)).map(title_of);
    html! {
        section class="stack" {
            h2 { "Stack " @if holder.is_some() { span class="beside" { "innermost call first" } } }
            @if let Some(of) = of.filter(|of| !of.is_empty()) { p class="note" { "of " (of) } }
            @match holder {
                Some(holder) => { (frames(&frames_of(holder, event))) }
                None => { p class="empty" { "No stack was captured." } }
            }
        }
    }
}

/// The exceptions behind the one in the title.
pub(super) fn chained(event: &Event<'_>) -> Markup {
    let told = holder(event);
    let exceptions = event.exceptions();
    let behind = exceptions.get(1..).unwrap_or_default();
    html! {
        @if !behind.is_empty() {
            section {
                h2 { "Chained exceptions" }
                ol class="chain" {
                    @for exception in behind {
                        @let stack = Some(*exception).filter(|it| has_frames(it) && Some(*it) != told);
                        li {
                            p class="message" {
                                span class="note" { (if link_of(exception) == "then" { "Then" } else { "With" }) }
                                " " (title_of(exception))
                            }
                            @if let Some(kind) = exception.get("mechanism").and_then(|it| text(it, "type")) {
                                p class="note" { "mechanism " (kind) }
                            }
                            @if let Some(stack) = stack.map(|exception| frames_of(exception, event)) {
                                details {
                                    summary { "Its stack, " (counted(stack.len(), "frame")) }
                                    (frames(&stack))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The other threads, each folded behind its name and what it was at.
pub(super) fn threads(event: &Event<'_>) -> Markup {
    let others = other_threads(event);
    html! {
        @if !others.is_empty() {
            section {
                h2 { "Other threads " span class="beside" { (others.len()) } }
                div class="threads" { @for other in others { (thread(other, event)) } }
            }
        }
    }
}

fn thread(thread: &Value, event: &Event<'_>) -> Markup {
    let stack = frames_of(thread, event);
    let name = html! { span class="name" { (name_of(thread)) } };
    let Some(top) = stack.first() else {
        return html! { p class="thread" { (name) " " span class="note" { "no stack was captured" } } };
    };
    let own = stack.iter().find(|frame| frame.is_own).filter(|own| own.name != top.name);
    let shown = own.unwrap_or(top);
    html! {
        details class="thread" {
            summary {
                (name) " "
                span class="at" {
                    code { (breakable(&shown.name)) }
                    @if !shown.place.is_empty() { " " span class="where" { (breakable(&shown.place)) } }
                    @if own.is_some() { " " span class="note" { "in " (breakable(&top.name)) } }
                }
            }
            (frames(&stack))
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fold {
    Open,
    Foreign,
    Middle,
}

fn frames(frames: &[Frame]) -> Markup {
    let has_own = frames.iter().any(|frame| frame.is_own);
    let middle_end = frames.len().saturating_sub(FRAMES_LAST);
    let fold = |number: usize, frame: &Frame| {
        if frames.len() > FRAMES_FIRST + FRAMES_LAST && (FRAMES_FIRST..middle_end).contains(&number) {
            return Fold::Middle;
        }
        // Where it died is told even if the code is not the program's own.
        if has_own && !frame.is_own && number > 0 { Fold::Foreign } else { Fold::Open }
    };
    let here = frames.iter().position(|frame| frame.is_own);
    let folds: Vec<(usize, &Frame, Fold)> =
        frames.iter().enumerate().map(|(number, frame)| (number, frame, fold(number, frame))).collect();
    html! {
        ol class=(if has_own { "frames" } else { "frames plain" }) {
            @for run in folds.chunk_by(|one, next| one.2 == next.2) {
                @let is_folded = run.first().is_some_and(|first| first.2 != Fold::Open);
                @if is_folded && run.len() >= FOLD_MIN {
                    li class="fold" {
                        details {
                            summary { (run_title(run)) }
                            ol class="frames" { @for (number, one, _) in run { (frame(*number, one, false)) } }
                        }
                    }
                } @else {
                    @for (number, one, _) in run { (frame(*number, one, here == Some(*number))) }
                }
            }
        }
    }
}

/// "3 frames of libc.so.6, node".
fn run_title(run: &[(usize, &Frame, Fold)]) -> String {
    let frames = counted(run.len(), "frame");
    if run.first().is_some_and(|first| first.2 == Fold::Middle) {
        return format!("{frames} in between");
    }
    let mut modules: Vec<&str> = Vec::new();
    for (_, frame, _) in run {
        if !frame.module.is_empty() && !modules.contains(&frame.module.as_str()) {
            modules.push(&frame.module);
        }
    }
    let more = if modules.len() > MODULES_NAMED { " and more" } else { "" };
    modules.truncate(MODULES_NAMED);
    if modules.is_empty() {
        return format!("{frames} of other code");
    }
    format!("{frames} of {}{more}", modules.join(", "))
}

fn frame(number: usize, frame: &Frame, is_here: bool) -> Markup {
    let class = match (is_here, frame.is_own) {
        (true, _) => "frame own here",
        (_, true) => "frame own",
        _ => "frame",
    };
    html! {
        li class=(class) {
            span class="number" { (number) }
            span {
                code class="function" { (breakable(&frame.name)) }
                @if frame.is_inlined { " " span class="badge" { "inlined" } }
            }
            @if !frame.place.is_empty() { span class="where" { (breakable(&frame.place)) } }
        }
    }
}

/// The modules of the process, by which a server with debug files finds the symbols again.
pub(super) fn images(event: &Event<'_>) -> Markup {
    let images = event.list("/debug_meta/images");
    html! {
        @if !images.is_empty() {
            details {
                summary { (counted(images.len(), "image")) " in the process" }
                @for image in images {
                    @let name = ["name", "code_file"].iter().find_map(|field| text(image, field));
                    table class="image" {
                        caption { (breakable(name.unwrap_or("(without a name)"))) }
                        (row("debug id", text(image, "debug_id").or(text(image, "id")).unwrap_or_default()))
                        (row("code id", text(image, "code_id").unwrap_or_default()))
                        (row("address", text(image, "image_addr").unwrap_or_default()))
                        @if let Some(size) = image.get("image_size").and_then(Value::as_u64) {
                            (row("size", &crate::show::facts::size(size as f64)))
                        }
                    }
                }
            }
        }
    }
}
