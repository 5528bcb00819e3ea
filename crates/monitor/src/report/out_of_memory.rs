//! Whether the kernel ended the process for want of memory. It tells nobody: its counters rose meanwhile, and SIGKILL came.

use crate::capture::{End, OutOfMemory};

use super::case::Cause;
use super::course::size;

/// An end by SIGKILL, judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) cause: Cause,
    /// What it is judged by; nothing where nothing speaks for it.
    pub(super) evidence: Option<String>,
    /// Whether that leaves a doubt.
    pub(super) is_suspected: bool,
}

/// Judges an end; nothing where it is none by SIGKILL.
pub(super) fn judge(end: End, seen: &OutOfMemory) -> Option<Judged> {
    if end != End::Signaled(libc::SIGKILL) {
        return None;
    }
    let (cause, evidence) = match (seen.group_kills, seen.machine_kills) {
        (Some(kills @ 1..), _) => {
            let held = if seen.is_alone { "no other" } else { "others too" };
            let group = format!("of the node's control group, which held {held}{}", memory(seen));
            (Cause::OutOfMemory, Some(killed(kills, &group)))
        }
        (None, Some(kills @ 1..)) => (Cause::Killed, Some(killed(kills, "on this machine"))),
        // The group counts its own, whoever had no memory left.
        (Some(0), _) | (None, None | Some(0)) => (Cause::Killed, None),
    };
    let is_certain = cause == Cause::OutOfMemory && seen.is_alone;
    Some(Judged { cause, is_suspected: evidence.is_some() && !is_certain, evidence })
}

fn killed(kills: u64, place: &str) -> String {
    let processes = if kills == 1 { "1 process".into() } else { format!("{kills} processes") };
    format!("for want of memory the kernel killed {processes} {place}")
}

/// `; at the last look it used 63 MiB of 64 MiB`.
fn memory(seen: &OutOfMemory) -> String {
    let Some(used) = seen.memory_bytes else { return String::new() };
    let most = seen.memory_max_bytes.map(|most| format!(" of {}", size(most))).unwrap_or_default();
    format!("; at the last look it used {}{most}", size(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: End = End::Signaled(libc::SIGKILL);

    fn seen(group_kills: Option<u64>, is_alone: bool, machine_kills: Option<u64>) -> OutOfMemory {
        let (memory_bytes, memory_max_bytes) = (Some(63 << 20), Some(64 << 20));
        OutOfMemory { group_kills, is_alone, machine_kills, memory_bytes, memory_max_bytes }
    }

    #[test]
    fn the_groups_own_counter_decides_and_the_machines_is_a_suspicion() {
        for (seen, cause, is_suspected) in [
            (seen(Some(1), true, Some(1)), Cause::OutOfMemory, false),
            (seen(Some(2), false, Some(2)), Cause::OutOfMemory, true),
            (seen(Some(0), true, Some(3)), Cause::Killed, false),
            (seen(Some(0), false, None), Cause::Killed, false),
            (seen(None, false, Some(1)), Cause::Killed, true),
            (seen(None, true, Some(0)), Cause::Killed, false),
            (OutOfMemory::default(), Cause::Killed, false),
        ] {
            let judged = judge(KILLED, &seen).unwrap();
            assert_eq!((judged.cause, judged.is_suspected), (cause, is_suspected), "{seen:?}");
            assert_eq!(judged.evidence.is_some(), cause == Cause::OutOfMemory || is_suspected, "{seen:?}");
        }
        for end in [End::Signaled(libc::SIGSEGV), End::Exited(137), End::Unknown, End::StillAlive] {
            assert_eq!(judge(end, &seen(Some(1), true, Some(1))), None, "{end:?}");
        }
    }

    #[test]
    fn the_evidence_is_told() {
        let evidence = judge(KILLED, &seen(Some(1), true, None)).unwrap().evidence.unwrap();
        assert_eq!(
            evidence,
            "for want of memory the kernel killed 1 process of the node's control group, which held no other; at the last \
             look it used 63 MiB of 64 MiB"
        );
    }
}
