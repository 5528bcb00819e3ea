//! One envelope: a header and one event, small enough for every server.

use lifeboat_recorder::Setting;
use sentry_types::protocol::v7::Event;
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::capture::Capture;
use crate::dsn::Dsn;

use super::case::Case;
use super::event;
use super::modules::Modules;
use super::store::Store;

/// Largest event, bytes: Bugsink takes 1 MiB.
const EVENT_BYTES_MAX: usize = 900 * 1000;
/// What is given up, in this order, until the event is small enough: the stacks of other threads beyond so many.
const THREAD_STACKS: [usize; 4] = [64, 16, 4, 0];
/// Then breadcrumbs and images beyond so many, and frames of each exception.
const ITEMS: usize = 50;
const FRAMES: usize = 64;

/// A finished report.
#[derive(Clone, Debug)]
pub struct Made {
    /// The event's id: the same capture always has the same.
    pub event_id: Uuid,
    /// The envelope, as it goes to disk and to a server.
    pub envelope: Vec<u8>,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The files of the modules too: frames with names.
    Full,
    /// Nothing but the capture itself: the innermost frame of each thread, as module and offset.
    CaptureOnly,
}

#[derive(Serialize)]
struct Header<'a> {
    event_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsn: Option<&'a str>,
}

#[derive(Serialize)]
struct ItemHeader {
    #[serde(rename = "type")]
    kind: &'static str,
    length: usize,
}

/// Makes the report of a capture.
///
/// # Errors
/// `is_malformed()` where the recorder in it cannot be read.
pub fn make(capture: &Capture, detail: Detail) -> Result<Made, Error> {
    let case = Case::new(capture)?;
    let store = Store::new(detail);
    let modules = Modules::open(&store, case.maps(), &capture.images, &capture.process.program);
    let event = serialized(event::event(&case, &modules))?;
    let event_id = case.event_id();
    let dsn = case.setting(Setting::Dsn).filter(|dsn| Dsn::parse(dsn).is_ok());
    let mut envelope = line(&Header { event_id, dsn: dsn.as_deref() })?;
    envelope.extend(line(&ItemHeader { kind: "event", length: event.len() })?);
    envelope.extend(event);
    envelope.push(b'\n');
    Ok(Made { event_id, envelope })
}

fn line(header: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(header).map_err(unwritable)?;
    line.push(b'\n');
    Ok(line)
}

/// The event as JSON; the least important is given up until it is small enough.
fn serialized(mut event: Event<'static>) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec(&event).map_err(unwritable)?;
    for stacks in THREAD_STACKS {
        if bytes.len() <= EVENT_BYTES_MAX {
            return Ok(bytes);
        }
        for thread in event.threads.values.iter_mut().skip(stacks) {
            thread.stacktrace = None;
        }
        bytes = serde_json::to_vec(&event).map_err(unwritable)?;
    }
    if bytes.len() > EVENT_BYTES_MAX {
        shorten(&mut event);
        bytes = serde_json::to_vec(&event).map_err(unwritable)?;
    }
    Ok(bytes)
}

fn shorten(event: &mut Event<'static>) {
    let crumbs = &mut event.breadcrumbs.values;
    crumbs.drain(..crumbs.len().saturating_sub(ITEMS));
    event.debug_meta.to_mut().images.truncate(ITEMS);
    for stack in event.exception.values.iter_mut().filter_map(|exception| exception.stacktrace.as_mut()) {
        stack.frames.drain(..stack.frames.len().saturating_sub(FRAMES));
    }
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::malformed(format!("the event cannot be written: {error}"))
}
