//! How a command ends, and how its text reaches the terminal.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command did not end with 0: a sentence, and which of the two other codes.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// The answer is no.
    pub(crate) fn no(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// The command was used wrongly.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

/// Writes to standard output, with colours where a terminal wants them. A reader that has seen enough
/// (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::no(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// How many columns a table may take, where something bounds it: who reads from a pipe wants whole texts.
pub(crate) fn table_width() -> Option<usize> {
    let stdout = io::stdout();
    let terminal = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(named).map(|width: usize| width.max(60))
}

/// How many columns there are to fill.
pub(crate) fn width() -> usize {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(named).unwrap_or(100).clamp(60, 120)
}
