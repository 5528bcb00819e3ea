//! The words of this role's command line, as `lifeboat run` hands them on.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::Error;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Where reports go, unless the environment is asked.
    pub(super) state_dir: Option<PathBuf>,
    /// Nobody traces the program: there will be no stack.
    pub(super) no_trace: bool,
    /// How many of the last lines become breadcrumbs.
    pub(super) log_breadcrumbs: usize,
    /// The program and its arguments; not empty.
    pub(super) command: Vec<OsString>,
}

const USAGE: &str =
    "run takes [--state-dir DIRECTORY] [--no-trace] [--log-breadcrumbs COUNT] -- PROGRAM ARGUMENTS";

impl Arguments {
    /// Reads them.
    pub(super) fn from(mut words: impl Iterator<Item = OsString>) -> Result<Self, Error> {
        let wrong = || Error::usage(USAGE);
        let mut read = Self::default();
        loop {
            match words.next().as_deref().and_then(OsStr::to_str) {
                Some("--state-dir") => read.state_dir = Some(words.next().ok_or_else(wrong)?.into()),
                Some("--no-trace") => read.no_trace = true,
                Some("--log-breadcrumbs") => {
                    let count = words.next().and_then(|count| count.to_str()?.parse().ok());
                    read.log_breadcrumbs = count.ok_or_else(wrong)?;
                }
                Some("--") => break,
                _ => return Err(wrong()),
            }
        }
        read.command = words.collect();
        if read.command.is_empty() { Err(wrong()) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Arguments, Error> {
        Arguments::from(words.iter().map(OsString::from))
    }

    #[test]
    fn the_program_comes_behind_two_dashes() {
        let all = read(&["--no-trace", "--log-breadcrumbs", "7", "--state-dir", "/s", "--", "a", "--", "-b"]);
        let command = ["a", "--", "-b"].map(OsString::from).to_vec();
        let state_dir = Some("/s".into());
        assert_eq!(all.unwrap(), Arguments { state_dir, no_trace: true, log_breadcrumbs: 7, command });
        for wrong in [&[][..], &["--"], &["a"], &["--log-breadcrumbs", "x", "--", "a"], &["--state-dir"]] {
            assert!(read(wrong).unwrap_err().is_usage(), "{wrong:?}");
        }
    }
}
