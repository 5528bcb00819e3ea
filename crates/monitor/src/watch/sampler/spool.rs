//! What waits to be delivered, and what became of the rest.

use std::time::UNIX_EPOCH;

use crate::post::Counts;
use crate::sample::SpoolSample;
use crate::spool::Spool;

use super::Subject;

/// Looks into the spool; `suppressed` is what became no report at all. Counts that nobody could read are not there.
pub(super) fn spool_sample(
    subject: &Subject,
    counts: Option<Counts>,
    suppressed: Option<u64>,
) -> SpoolSample {
    let spool = Spool::look(&subject.state_dir).ok();
    let pending = spool.and_then(|spool| spool.pending().ok()).unwrap_or_default();
    // What lies where it belongs waits for nobody.
    let waiting = pending.first().filter(|_| subject.has_server);
    let oldest = waiting.map(|stored| stored.stored_at.duration_since(UNIX_EPOCH).unwrap_or_default());
    let (sent, dropped) = (counts.map(|counts| counts.sent), counts.map(|counts| counts.dropped));
    let counts = [("sent", sent), ("dropped", dropped), ("suppressed", suppressed)];
    SpoolSample {
        reports: pending.len() as u64,
        oldest_seconds: oldest.map(|oldest| oldest.as_secs()),
        counts: counts.into_iter().filter_map(|(state, count)| Some((state.to_owned(), count?))).collect(),
    }
}
