//! The level of a line, by the common forms of logs: chronicles, `tracing`, `env_logger`, JSON, logfmt, syslog's words.

use lifeboat_abi::Level;

/// Words that stand for a level, in capitals.
const WORDS: [(&str, Level); 22] = [
    ("TRC", Level::Debug),
    ("TRACE", Level::Debug),
    ("DBG", Level::Debug),
    ("DEBUG", Level::Debug),
    ("INF", Level::Info),
    ("INFO", Level::Info),
    ("NTC", Level::Info),
    ("NOT", Level::Info),
    ("NOTICE", Level::Info),
    ("WRN", Level::Warning),
    ("WARN", Level::Warning),
    ("WARNING", Level::Warning),
    ("ERR", Level::Error),
    ("EROR", Level::Error),
    ("ERROR", Level::Error),
    ("FAT", Level::Fatal),
    ("FTL", Level::Fatal),
    ("FATAL", Level::Fatal),
    ("CRIT", Level::Fatal),
    ("CRITICAL", Level::Fatal),
    ("PANIC", Level::Fatal),
    ("EMERG", Level::Fatal),
];
/// Keys under which JSON and logfmt tell the level.
const KEYS: [&str; 4] = ["level", "lvl", "severity", "levelname"];
/// The level of a line in plain text is among its first words.
const WORDS_MAX: usize = 6;

/// The level that a line tells, if it does. Terminal escapes have been taken out.
#[must_use]
pub fn of(line: &str) -> Option<Level> {
    let line = line.trim_start();
    if line.starts_with('{') {
        return KEYS.iter().find_map(|key| by_json(line, key));
    }
    by_word(line).or_else(|| KEYS.iter().find_map(|key| by_logfmt(line, key)))
}

/// `"level":"error"`; some write numbers, as pino does.
fn by_json(line: &str, key: &str) -> Option<Level> {
    let (_, rest) = line.split_once(&format!("\"{key}\""))?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    match value.strip_prefix('"') {
        Some(text) => word(text.split('"').next()?),
        None => by_number(value.split([',', '}']).next()?.trim().parse().ok()?),
    }
}

const fn by_number(number: u32) -> Option<Level> {
    match number {
        0..10 => None,
        10..30 => Some(Level::Debug),
        30..40 => Some(Level::Info),
        40..50 => Some(Level::Warning),
        50..60 => Some(Level::Error),
        _ => Some(Level::Fatal),
    }
}

/// `level=error`, with quotes or without.
fn by_logfmt(line: &str, key: &str) -> Option<Level> {
    let (before, rest) = line.split_once(&format!("{key}="))?;
    let is_key = before.is_empty() || before.ends_with([' ', '\t']);
    let value = rest.trim_start_matches('"').split(['"', ' ', '\t']).next()?;
    if is_key { word(value) } else { None }
}

/// A word in capitals among the first, perhaps in brackets or before a colon: `[ERROR]`, `ERR`, `WARN[01-02|15:04:05]`.
fn by_word(line: &str) -> Option<Level> {
    line.split_whitespace().take(WORDS_MAX).find_map(|part| {
        let bare = part.trim_start_matches(['[', '<', '(', '|']);
        let end = bare.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(bare.len());
        let (name, rest) = bare.split_at_checked(end)?;
        let ends_well = rest.is_empty() || rest.starts_with([']', '>', ')', '|', ':', '[']);
        let in_capitals = name.chars().all(|letter| letter.is_ascii_uppercase());
        if in_capitals && ends_well { word(name) } else { None }
    })
}

fn word(text: &str) -> Option<Level> {
    WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_logs_tell_their_level() {
        let cases = [
            ("ERR 2026-08-20 10:00:00.000+00:00 dial failed  topics=\"node\" tid=7", Some(Level::Error)),
            ("FAT 2026-08-20 10:00:00.000+00:00 database is gone", Some(Level::Fatal)),
            ("WRN 2026-08-20 10:00:00.000+00:00 slow", Some(Level::Warning)),
            ("{\"lvl\":\"ERR\",\"ts\":\"2026\",\"msg\":\"INF\"}", Some(Level::Error)),
            ("{\"level\": \"warning\", \"msg\": \"x\"}", Some(Level::Warning)),
            ("{\"time\":1,\"level\":50}", Some(Level::Error)),
            ("2026-08-20T10:00:00.000000Z ERROR node::peer: gone", Some(Level::Error)),
            ("[2026-08-20T10:00:00Z WARN  node] slow", Some(Level::Warning)),
            ("2026-08-20 10:00:00,000 - root - CRITICAL - over", Some(Level::Fatal)),
            ("time=2026 level=error msg=\"no\"", Some(Level::Error)),
            ("CRIT [08-20|10:00:00.000] Fatal disk", Some(Level::Fatal)),
            ("WARN[08-20|10:00:00] slow", Some(Level::Warning)),
            ("[ERROR] no", Some(Level::Error)),
            ("ERROR: no", Some(Level::Error)),
            ("Error: no", None),
            ("no ERRORS at all", None),
            ("sublevel=error", None),
            ("{\"msg\":\"level\"}", None),
            ("{\"level\"", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(of(line), expected, "{line}");
        }
    }
}
