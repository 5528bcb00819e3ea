//! `lifeboat doctor`: tries, on this machine and as this user, what a death would need.

mod files;
mod kernel;
mod metrics;
mod server;
mod settings;
mod state_dir;
mod trace;

use std::path::Path;

use serde_json::json;

use crate::output::{Failure, print, width};
use crate::show::page::{BOLD, DIM, GREEN, Page, RED, YELLOW};

pub(crate) use trace::probe;

/// What one check found.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    result: Outcome,
    detail: String,
    /// What to do about it; empty where nothing is to be done.
    remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Fine,
    Warning,
    Failed,
}

impl Finding {
    fn fine(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, result: Outcome::Fine, detail: detail.into(), remedy: String::new() }
    }

    fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, result: Outcome::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    fn failed(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, result: Outcome::Failed, detail: detail.into(), remedy: remedy.into() }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// Runs every check.
pub(crate) fn run(state_dir: &Path, json: bool, offline: bool) -> Result<(), Failure> {
    let library = files::library();
    let monitor = files::monitor();
    let state = state_dir::check(state_dir);
    let mut findings = vec![
        library,
        monitor,
        state,
        trace::check(),
        kernel::check(),
        server::check(offline),
        metrics::check(state_dir),
        files::switch(),
    ];
    findings.extend(settings::check());
    print(&if json { findings.iter().map(as_json).collect() } else { page(&findings) })?;
    match findings.iter().filter(|finding| finding.result == Outcome::Failed).count() {
        0 => Ok(()),
        1 => Err(Failure::no("one check failed")),
        failed => Err(Failure::no(format!("{failed} checks failed"))),
    }
}

fn as_json(finding: &Finding) -> String {
    let Finding { check, result, detail, remedy } = finding;
    let object = json!({"check": check, "result": result.word(), "detail": detail, "remedy": remedy});
    format!("{}\n", crate::clean::json(&object.to_string()))
}

fn page(findings: &[Finding]) -> String {
    let mut page = Page::new(width());
    for finding in findings {
        let style = match finding.result {
            Outcome::Fine => GREEN,
            Outcome::Warning => YELLOW,
            Outcome::Failed => RED,
        };
        let head = [(style, format!("{:9}", finding.result.word())), (BOLD, format!("{:9}", finding.check))];
        let head: Vec<_> = head.iter().map(|(style, text)| (*style, text.as_str())).collect();
        page.wrapped_after(&head, DIM, &finding.detail);
        if !finding.remedy.is_empty() {
            page.wrapped(BOLD, &" ".repeat(18), &finding.remedy);
        }
    }
    page.into_text()
}
