//! Reads an envelope file: a header line, then items of a header line and a payload. Nothing in it is trusted.
//!
//! The format is <https://develop.sentry.dev/sdk/data-model/envelopes/>.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Error;

/// The largest envelope that is read: what Relay accepts, <https://docs.sentry.io/product/relay/options/>.
pub const ENVELOPE_BYTES_MAX: u64 = 20 * 1024 * 1024;
const HEADER_BYTES_MAX: usize = 64 * 1024;
const ITEMS_MAX: usize = 100;

/// An envelope, borrowed from its bytes.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    header: Header,
    event: Option<&'a [u8]>,
}

/// What the header says; unknown fields are passed over, fields of another type count as absent.
#[derive(Clone, Debug, Default)]
struct Header {
    event_id: Option<Uuid>,
    dsn: Option<String>,
}

#[derive(Deserialize)]
struct ItemHeader {
    #[serde(rename = "type")]
    kind: String,
    length: Option<u64>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope's structure; the event itself is read by [`Envelope::event`].
    ///
    /// # Errors
    /// `is_malformed()` where the bytes are no envelope, are cut off, or are larger than is accepted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > ENVELOPE_BYTES_MAX {
            return Err(Error::malformed("the envelope is larger than 20 MiB"));
        }
        let (line, mut rest) = split_line(bytes);
        let header = parse_header(line)?;
        let mut event = None;
        for _ in 0..ITEMS_MAX {
            let Some(item) = next_item(&mut rest)? else { return Ok(Self { header, event }) };
            if item.kind == "event" && event.is_none() {
                event = Some(item.payload);
            }
        }
        Err(Error::malformed("the envelope has more than 100 items"))
    }

    /// The id of the event, from the header.
    #[must_use]
    pub fn event_id(&self) -> Option<Uuid> {
        self.header.event_id
    }

    /// Where the envelope is to go, if its header says so.
    #[must_use]
    pub fn dsn(&self) -> Option<&str> {
        self.header.dsn.as_deref()
    }

    /// The event's bytes as they stand.
    #[must_use]
    pub fn event_bytes(&self) -> Option<&'a [u8]> {
        self.event
    }

    /// The event.
    ///
    /// # Errors
    /// `is_malformed()` where there is none or it is not a JSON object.
    pub fn event(&self) -> Result<serde_json::Value, Error> {
        let Some(bytes) = self.event else { return Err(Error::malformed("the envelope holds no event")) };
        match serde_json::from_slice(bytes) {
            Ok(event @ serde_json::Value::Object(_)) => Ok(event),
            Ok(_) => Err(Error::malformed("the event is not a JSON object")),
            Err(error) => Err(Error::malformed(format!("the event is not JSON: {error}"))),
        }
    }
}

/// Reads an envelope file, at most [`ENVELOPE_BYTES_MAX`].
///
/// # Errors
/// When it cannot be read; `is_malformed()` when it is too large or not a plain file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_bounded(path, ENVELOPE_BYTES_MAX)
}

/// Reads a plain file of at most `bytes_max`; follows no link and waits for no pipe.
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| Error::at("cannot read", path, error))?;
    let file = File::from(fd);
    let metadata = file.metadata().map_err(|error| Error::at("cannot read", path, error))?;
    if !metadata.is_file() || metadata.len() > bytes_max {
        let place = path.display();
        return Err(Error::malformed(format!("{place} is not a plain file of at most {bytes_max} bytes")));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| Error::at("cannot read", path, error))?;
    Ok(bytes)
}

struct Item<'a> {
    kind: String,
    payload: &'a [u8],
}

fn parse_header(line: &[u8]) -> Result<Header, Error> {
    if line.len() > HEADER_BYTES_MAX {
        return Err(Error::malformed("the envelope's header line is too long"));
    }
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(line) else {
        return Err(Error::malformed("the first line is not an envelope's header"));
    };
    let text = |key: &str| fields.get(key).and_then(serde_json::Value::as_str);
    Ok(Header {
        event_id: text("event_id").and_then(|text| Uuid::try_parse(text).ok()),
        dsn: text("dsn").map(str::to_owned),
    })
}

fn next_item<'a>(rest: &mut &'a [u8]) -> Result<Option<Item<'a>>, Error> {
    while let Some(after) = rest.strip_prefix(b"\n") {
        *rest = after;
    }
    if rest.is_empty() {
        return Ok(None);
    }
    let (line, after) = split_line(rest);
    let header: ItemHeader = match serde_json::from_slice(line.get(..HEADER_BYTES_MAX).unwrap_or(line)) {
        Ok(header) => header,
        Err(error) => return Err(Error::malformed(format!("an item's header is not readable: {error}"))),
    };
    let (payload, after) = match header.length {
        None => split_line(after),
        Some(length) => usize::try_from(length)
            .ok()
            .and_then(|length| after.split_at_checked(length))
            .ok_or_else(|| Error::malformed("the envelope is cut off"))?,
    };
    *rest = after;
    Ok(Some(Item { kind: header.kind, payload }))
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (line, rest.strip_prefix(b"\n").unwrap_or(rest))
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
