//! What `post` is told: by its arguments, and the DSN by its environment, because arguments are public.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::Error;

/// The environment variable that carries the DSN for reports that name none.
pub const DSN_VARIABLE: &str = "LIFEBOAT_POST_DSN";

/// What `post` is to do.
#[derive(Debug, Default)]
pub struct Config {
    /// The state directory.
    pub state_dir: PathBuf,
    /// Where reports go that do not say so themselves.
    pub dsn: Option<String>,
    /// The processes (pidfds) that are served: while one of them lives, `post` stays.
    pub serves: Vec<OwnedFd>,
    /// Whether a post that already works here is asked to leave.
    pub take_over: bool,
}

impl Config {
    /// Reads `--state-dir DIR [--pidfd N]... [--pid N]... [--take-over]` and `LIFEBOAT_POST_DSN`. A pidfd is
    /// inherited and belongs to the configuration from then on.
    ///
    /// # Errors
    /// `is_usage()` where an argument is not known or has no sense.
    pub fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut config = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--state-dir") => config.state_dir = arguments.next().unwrap_or_default().into(),
                Some("--pidfd") => {
                    let pidfd = inherited(number(arguments.next())?, &config.serves)?;
                    config.serves.push(pidfd);
                }
                Some("--pid") => config.serves.extend(living(number(arguments.next())?)?),
                Some("--take-over") => config.take_over = true,
                _ => return Err(Error::usage(format!("post does not know {}", argument.display()))),
            }
        }
        if !config.state_dir.is_absolute() {
            return Err(Error::usage("post needs --state-dir with an absolute path"));
        }
        config.dsn = std::env::var(DSN_VARIABLE).ok().filter(|dsn| !dsn.is_empty());
        Ok(config)
    }
}

fn number(argument: Option<OsString>) -> Result<i32, Error> {
    let text = argument.and_then(|argument| argument.into_string().ok());
    text.and_then(|text| text.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| Error::usage("--pid and --pidfd take a number"))
}

fn inherited(number: RawFd, known: &[OwnedFd]) -> Result<OwnedFd, Error> {
    let is_known = known.iter().any(|fd| fd.as_raw_fd() == number);
    // SAFETY: the number is only looked up, and an invalid one is answered with EBADF.
    let flags = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if number <= 2 || is_known || flags < 0 {
        return Err(Error::usage(format!("--pidfd {number} is not an inherited descriptor")));
    }
    // SAFETY: it is open, and whoever started this process handed it over under this number for `post` alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Nothing where the process has ended already.
fn living(number: i32) -> Result<Option<OwnedFd>, Error> {
    let Some(pid) = Pid::from_raw(number) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(Error::system("cannot watch the process that is served", error)),
    }
}
