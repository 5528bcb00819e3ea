//! What makes two reports one issue for a server: what it would go by itself, and where it happened.
//!
//! Bugsink goes by title alone, with numbers left out (its `issues/grouping_mechanisms/v2.py`): without the place every
//! null dereference of a program would be one issue. Sentry goes by the own frames, of which the place is one, so that
//! it tells the same issues apart as before.

use std::borrow::Cow;

use sentry_types::protocol::v7::{Exception, Frame};

use super::runtime;
use super::text::one_line;

/// Sentry's limit for a transaction, which is what a server shows the place as.
const PLACE_MAX: usize = 200;
/// What the server would go by.
const DEFAULT: &str = "{{ default }}";

/// Where it happened: the innermost own function of the exception that gives the title. In a report that has no frame
/// of the node's own, such as one of a library's thread, the innermost of all; but the way out is no place.
pub(super) fn place(exceptions: &[Exception]) -> Option<String> {
    place_in(&exceptions.last()?.stacktrace.as_ref()?.frames)
}

/// The same in one stack.
pub(super) fn place_in(frames: &[Frame]) -> Option<String> {
    let named = || frames.iter().rev().filter(|frame| frame.function.is_some());
    let is_way_out = |frame: &&Frame| frame.function.as_deref().is_some_and(runtime::is_function);
    let own = named().find(|frame| frame.in_app == Some(true));
    let frame = own.or_else(|| named().find(|frame| !is_way_out(frame)))?;
    Some(one_line(frame.function.as_deref()?, PLACE_MAX)).filter(|place| !place.is_empty())
}

/// The event's fingerprint.
pub(super) fn fingerprint(place: Option<&str>) -> Cow<'static, [Cow<'static, str>]> {
    let place = place.map(|place| Cow::Owned(place.to_owned()));
    Cow::Owned([Cow::Borrowed(DEFAULT)].into_iter().chain(place).collect())
}
