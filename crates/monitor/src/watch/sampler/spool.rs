//! What waits to be delivered, and what became of the rest.

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::post;
use crate::sample::SpoolSample;
use crate::spool::Spool;

/// Looks into the spool; `suppressed` is what became no report at all.
pub(super) fn spool_sample(state_dir: &Path, suppressed: u64) -> SpoolSample {
    let spool = Spool::look(state_dir).ok();
    let pending = spool.and_then(|spool| spool.pending().ok()).unwrap_or_default();
    let oldest =
        pending.first().map(|stored| stored.stored_at.duration_since(UNIX_EPOCH).unwrap_or_default());
    let counts = post::counts(state_dir);
    let counts = [("sent", counts.sent), ("dropped", counts.dropped), ("suppressed", suppressed)];
    SpoolSample {
        reports: pending.len() as u64,
        oldest_seconds: oldest.map(|oldest| oldest.as_secs()),
        counts: counts.into_iter().map(|(state, count)| (state.to_owned(), count)).collect(),
    }
}
