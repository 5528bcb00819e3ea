//! Pages that were just made, for all who ask at the same time; and how much of old ones slow readers still hold.

use std::io::Write;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::http::Response;
use super::http::negotiate::Format;

/// A page is good for so long.
const FRESH: Duration = Duration::from_millis(250);
/// A page that is shorter is sent as it is.
const PACKED_BYTES_MIN: usize = 1024;
/// Most bytes of pages in memory, the one being made apart.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Metrics(Format),
    Verdict,
    Checks,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    is_packed: bool,
    made: Instant,
    response: Response,
}

/// The pages.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Vec<Entry>,
    held: Vec<Weak<[u8]>>,
}

impl Cache {
    /// A page that is fresh.
    pub(super) fn get(&self, kind: Kind, is_packed: bool, now: Instant) -> Option<Response> {
        let fits =
            |entry: &&Entry| (entry.kind, entry.is_packed) == (kind, is_packed) && is_fresh(entry, now);
        self.entries.iter().find(fits).map(|entry| entry.response.clone())
    }

    /// Whether there is room for one more page.
    pub(super) fn has_room(&mut self) -> bool {
        self.held.retain(|page| page.strong_count() > 0);
        let held: usize = self.held.iter().filter_map(Weak::upgrade).map(|page| page.len()).sum();
        held < HELD_BYTES_MAX
    }

    /// Keeps a page that has just been made, packed where that was asked for.
    pub(super) fn put(&mut self, kind: Kind, is_packed: bool, response: Response, now: Instant) -> Response {
        let response = if is_packed { pack(response) } else { response };
        self.held.push(Arc::downgrade(&response.body));
        self.entries
            .retain(|entry| is_fresh(entry, now) && (entry.kind, entry.is_packed) != (kind, is_packed));
        self.entries.push(Entry { kind, is_packed, made: now, response: response.clone() });
        response
    }

    /// Forgets all pages.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn is_fresh(entry: &Entry, now: Instant) -> bool {
    now.saturating_duration_since(entry.made) < FRESH
}

fn pack(response: Response) -> Response {
    if response.body.len() < PACKED_BYTES_MIN {
        return response;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(&response.body).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            let headers = format!("{}Content-Encoding: gzip\r\n", response.headers);
            Response { headers, body: packed.into(), ..response }
        }
        Err(_) => response,
    }
}
