//! Checks of invariants: counted always, reported where they fail.

use lifeboat_abi::{Level, Status, Str};
use lifeboat_recorder::{HEALTH_NAME_MAX, RECORD_KIND_MAX, Record, RecordKind};

use crate::calls::{answer, bytes};
use crate::{bell, metrics, state};

/// What stands before a check's name in the type of its report.
const CHECK_FAILED: &[u8] = b"check failed: ";

/// # Safety
/// As [`bytes`] for both texts.
pub(crate) unsafe fn check(name: Str, passed: bool, severity: u32, detail: Str) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let name = unsafe { bytes(name) };
    if name.is_empty() || name.len() > HEALTH_NAME_MAX {
        return Status::InvalidArgument;
    }
    let severity = severity.min(Level::Fatal as u32);
    let counted = metrics::count_check(name, passed, severity);
    if passed {
        return counted;
    }
    let mut kind = [0; RECORD_KIND_MAX];
    let length = CHECK_FAILED.len() + name.len();
    for (to, from) in kind.iter_mut().zip(CHECK_FAILED.iter().chain(name)) {
        *to = *from;
    }
    // SAFETY: handed on from the caller.
    let message = unsafe { bytes(detail) };
    let record = Record { level: severity, origin: 0, kind: kind.get(..length).unwrap_or(&[]), message };
    let reported = answer(recorder.record(RecordKind::Error, state::stamp(), record, core::iter::empty()));
    if reported == Status::Ok {
        bell::ring(recorder);
    }
    reported
}

const _: () =
    assert!(CHECK_FAILED.len() + HEALTH_NAME_MAX <= RECORD_KIND_MAX, "a check's name fits its type");
