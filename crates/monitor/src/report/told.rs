//! What `report` says of a death to whoever started it: one line, behind which nothing of the node's own words stands.

use serde::{Deserialize, Serialize};

use crate::capture::{Capture, End, Subject};
use crate::lives::node_name;
use crate::state_file::now_seconds;

use super::case::{Case, Cause};
use super::signals;

/// Every cause that a death can have.
const CAUSES: [&str; 10] = [
    "signal",
    "panic",
    "nim-exception",
    "cpp-exception",
    "exit",
    "oom-kill",
    "killed",
    "hang",
    "power-loss",
    "unknown",
];
const DETAIL_MAX: usize = 200;

/// One death that has its report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The report's id: the same death always has the same.
    pub(crate) event_id: String,
    /// Whose death it is; see [`node_name`].
    pub(crate) node: String,
    /// One of [`CAUSES`].
    pub(crate) cause: String,
    /// For people: `died by signal (SIGSEGV)`.
    pub(crate) detail: String,
    /// When, seconds since 1970.
    pub(crate) at_seconds: u64,
    /// Whether the process has ended; a fault whose end does not come is reported before.
    pub(crate) is_over: bool,
}

impl Told {
    /// Of this capture, if it is of a death.
    pub(super) fn of(capture: &Capture) -> Option<Self> {
        if capture.subject != Subject::Death {
            return None;
        }
        let case = Case::new(capture).ok()?;
        let now = now_seconds();
        let at = Some(case.realtime_ns() / 1_000_000_000).filter(|at| (1..=now).contains(at));
        Some(Self {
            event_id: case.event_id().simple().to_string(),
            node: node_name(&case.recorder, capture.module.as_deref()),
            cause: case.cause.word().to_owned(),
            detail: detail(&case),
            at_seconds: at.unwrap_or(now),
            is_over: capture.end != End::StillAlive,
        })
    }

    /// The last whole line of what `report` wrote. It worked on hostile bytes: only words that are known are taken over.
    pub(crate) fn from_output(output: &[u8]) -> Option<Self> {
        let mut lines = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let told: Self = serde_json::from_slice(lines.next_back()?).ok()?;
        let cause = CAUSES.iter().find(|cause| **cause == told.cause).unwrap_or(&"unknown");
        let letters = told.detail.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        let detail = letters.take(DETAIL_MAX).collect();
        let event_id = uuid::Uuid::try_parse(&told.event_id).ok()?.simple().to_string();
        Some(Self {
            cause: (*cause).to_owned(),
            detail,
            event_id,
            at_seconds: told.at_seconds.min(now_seconds()),
            ..told
        })
    }

    /// Writes it where whoever started us reads.
    pub(super) fn print(&self) {
        use std::io::Write;
        let Ok(mut line) = serde_json::to_vec(self) else { return };
        line.push(b'\n');
        // Nobody has to read it.
        let _ = std::io::stdout().write_all(&line);
    }
}

fn detail(case: &Case<'_>) -> String {
    let signal = case.signal().map(|(signal, _, _)| signals::name(signal));
    match (case.cause, signal) {
        (Cause::Exit(status), _) => format!("exited with status {status}"),
        (Cause::Killed, _) => "killed by SIGKILL".to_owned(),
        (Cause::OutOfMemory, _) => "killed by the kernel for want of memory (SIGKILL)".to_owned(),
        (Cause::Unknown, _) => "gone, and nothing says why".to_owned(),
        (Cause::Signal, Some(signal)) => format!("died by signal ({signal})"),
        (cause, Some(signal)) => format!("died of a {} ({signal})", cause.word()),
        (cause, None) => format!("died of a {}", cause.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runbook_of_a_death_tells_of_these_causes_and_no_others() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runbooks/NodeDied.md");
        let page = std::fs::read_to_string(page).unwrap();
        let told = page.lines().filter_map(|line| line.strip_prefix("- **`")?.split_once("`** "));
        assert_eq!(told.map(|(cause, _)| cause).collect::<Vec<_>>(), CAUSES);
    }

    #[test]
    fn only_known_words_are_taken_over() {
        let id = "00112233445566778899aabbccddeeff";
        let line = |cause: &str, detail: &str| {
            format!(
                "{{\"event_id\":\"{id}\",\"node\":\"n\",\"cause\":\"{cause}\",\"detail\":\"{detail}\",\"at_seconds\":7,\"is_over\":true}}\n"
            )
        };
        let told = |text: &str| Told::from_output(text.as_bytes());
        let (first, second) =
            (line("signal", "died by signal (SIGSEGV)"), line("oom\\n{}", "a\\nb\\u001b[2J"));
        assert_eq!(told(&first).unwrap().cause, "signal");
        let both = told(&format!("{first}{second}")).unwrap();
        assert_eq!(both.cause, "unknown", "the second try's line is the one that counts");
        assert!(!both.detail.contains(['\n', '\u{1b}']), "{:?}", both.detail);
        for text in ["", "\n", "rubbish", "{}", &first[..40], &line("signal", "").replace(id, "../x")] {
            assert_eq!(told(text), None, "{text:?}");
        }
        assert!(
            told(&line("signal", "").replace(":7,", ":99999999999999,")).unwrap().at_seconds <= now_seconds()
        );
    }
}
