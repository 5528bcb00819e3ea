//! The other variables of the environment: is each one known, and can its value be read? A node takes the default in the place
//! of a value that it cannot read, and says nothing.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lifeboat_monitor::serve::scrape::check_url;
use lifeboat_monitor::switch::Switch;
use lifeboat_monitor::watch::NamedDatabases;

use crate::doctor::Finding;

const CHECK: &str = "settings";
/// Every variable that Lifeboat reads.
const KNOWN: [&str; 24] = [
    "LIFEBOAT",
    "LIFEBOAT_COMMIT",
    "LIFEBOAT_DEBUG_DIRS",
    "LIFEBOAT_FLEET",
    "LIFEBOAT_HANG_SIGNAL",
    "LIFEBOAT_METRICS",
    "LIFEBOAT_METRICS_HOSTS",
    "LIFEBOAT_METRICS_PUBLIC",
    "LIFEBOAT_MODULES",
    "LIFEBOAT_MONITOR",
    "LIFEBOAT_NODE",
    // Ours alone, among the monitor's roles.
    "LIFEBOAT_POST_DSN",
    "LIFEBOAT_REPORTER",
    "LIFEBOAT_SCRAPE",
    "LIFEBOAT_SCRAPE_ALLOW",
    "LIFEBOAT_SCRAPE_INTERVAL",
    "LIFEBOAT_SERIES_MAX",
    "LIFEBOAT_SHARED",
    "LIFEBOAT_SQLITE",
    "LIFEBOAT_SQLITE_CHECK_BYTES_MAX",
    "LIFEBOAT_SQLITE_CHECK_SECONDS",
    "LIFEBOAT_STATE_DIR",
    "LIFEBOAT_SYSTEMD",
    "LIFEBOAT_TAGS",
];
/// A typing mistake changes no more letters than this.
const MISTAKES_MAX: usize = 4;
/// Memory for metrics ends there.
const SERIES_MAX: u32 = 1 << 20;
const WORDS: &str = "write on, 1, yes or true, or off, 0, no or false";

/// What a value is, and what to write in its place.
type Wrong = (&'static str, String);

pub(super) fn check() -> Vec<Finding> {
    let mut set: Vec<(String, OsString)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, value)| name.starts_with("LIFEBOAT") && !value.is_empty())
        .collect();
    set.sort();
    let mut findings: Vec<Finding> = set.iter().flat_map(|(name, value)| of_variable(name, value)).collect();
    if findings.is_empty() {
        let words = match set.len() {
            0 => "no variable of Lifeboat's is set".to_owned(),
            count => format!("{count} set: each is known, and its value can be read"),
        };
        findings.push(Finding::fine(CHECK, words));
    }
    findings
}

fn of_variable(name: &str, value: &OsStr) -> Vec<Finding> {
    if !KNOWN.contains(&name) {
        let remedy = match nearest(name) {
            Some(known) => format!("write {known}, if that was meant"),
            None => "unset it: docs/guide.md has the list".to_owned(),
        };
        return vec![Finding::warning(CHECK, format!("{name} is no variable of Lifeboat's"), remedy)];
    }
    if name == "LIFEBOAT_SQLITE" {
        return databases(value);
    }
    let text = value.to_string_lossy();
    if name == "LIFEBOAT_SCRAPE" {
        return scrape(&text);
    }
    let wrong = wrong(name, &text);
    wrong
        .map(|(what, remedy)| Finding::failed(CHECK, format!("{name}={text} {what}"), remedy))
        .into_iter()
        .collect()
}

/// What is wrong with the value, as the node and its monitor read it.
fn wrong(name: &str, text: &str) -> Option<Wrong> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match name {
        "LIFEBOAT_SCRAPE_INTERVAL" => {
            let is_right = number(text).is_some_and(|seconds| (1..=3600).contains(&seconds));
            (!is_right).then(|| ("is no number of seconds: 15 is taken", "write one from 1 to 3600".into()))
        }
        "LIFEBOAT_SERIES_MAX" => {
            let is_right = text.trim().parse().is_ok_and(|most: u32| (1..=SERIES_MAX).contains(&most));
            (!is_right).then(|| {
                ("is no number of series", format!("write one from 1 to {SERIES_MAX}; 10000 is usual"))
            })
        }
        "LIFEBOAT_HANG_SIGNAL" => {
            let is_right = number(text).is_some_and(|signal| signal == 0 || (35..=64).contains(&signal));
            (!is_right).then(|| {
                ("is no real-time signal: a hang has no stack", "write one from 35 to 64; 0 for none".into())
            })
        }
        "LIFEBOAT_SQLITE_CHECK_SECONDS" => number(text)
            .is_none()
            .then(|| ("is no number of seconds: 21600 is taken", "write a number; 0 for no checks".into())),
        "LIFEBOAT_SQLITE_CHECK_BYTES_MAX" => number(text)
            .is_none()
            .then(|| ("is no number of bytes: 1073741824 is taken", "write a number without a unit".into())),
        "LIFEBOAT_MODULES" | "LIFEBOAT_SHARED" | "LIFEBOAT_SYSTEMD" => {
            let is_unknown = Switch::of(text.as_bytes()) == Some(Switch::Unknown);
            is_unknown.then(|| ("is no word for on or off: it is off", WORDS.into()))
        }
        "LIFEBOAT_METRICS_PUBLIC" => {
            let is_unknown = Switch::of(text.trim().as_bytes()) == Some(Switch::Unknown);
            is_unknown.then(|| ("is no word for on or off: it is off", WORDS.into()))
        }
        _ => None,
    }
}

/// The node's own endpoint, as its monitor reads it.
fn scrape(text: &str) -> Vec<Finding> {
    let refused = check_url(text).err();
    let finding = |sentence: String| {
        let (what, remedy) = sentence.rsplit_once(": ").unwrap_or((&sentence, ""));
        Finding::failed(CHECK, what, remedy)
    };
    refused.map(finding).into_iter().collect()
}

/// Each of the paths.
fn databases(value: &OsStr) -> Vec<Finding> {
    let named = NamedDatabases::of(value);
    let told = |path: &Path, what: &str| format!("LIFEBOAT_SQLITE: {} {what}", path.display());
    let mut findings = Vec::new();
    for path in &named.relative {
        let detail = told(path, "is not absolute: nobody looks after it");
        findings.push(Finding::failed(CHECK, detail, "write it from the root on"));
    }
    for path in named.watched.iter().filter(|path| !path.is_file()) {
        // A node may make it at its first start.
        let detail = told(path, "is no file, or cannot be seen by this user");
        findings.push(Finding::warning(CHECK, detail, "correct the path, or let the node make it"));
    }
    if !named.beyond.is_empty() {
        let most = named.watched.len();
        let detail =
            format!("LIFEBOAT_SQLITE names {} databases: {most} are looked after", most + named.beyond.len());
        findings.push(Finding::failed(CHECK, detail, "leave out those that matter least"));
    }
    findings
}

/// The known name that was most likely meant.
fn nearest(name: &str) -> Option<&'static str> {
    let near = KNOWN.into_iter().map(|known| (strsim::levenshtein(name, known), known)).min()?;
    (near.0 <= MISTAKES_MAX).then_some(near.1)
}
