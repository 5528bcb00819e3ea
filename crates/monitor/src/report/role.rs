//! The process around one report. It looks into files that anybody may have made, so it gives up first what it does
//! not need, and it has a second try: should the first one fail, hang or die, the report is made without those files.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_recorder::{Setting, Snapshot};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use crate::capture::{self, CAPTURE_VERSION, Capture, End, OutOfMemory, Process, Subject};
use crate::lives::{Lives, node_name};
use crate::spool::Spool;
use crate::{Error, hygiene};

use super::envelope::{Detail, make};
use super::sandbox;
use super::told::Told;

/// Largest capture that is read.
const CAPTURE_BYTES_MAX: u64 = 256 << 20;
/// How long the first try may take.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Reads a capture, or a bare recorder, from standard input and writes its report to the spool.
///
/// Takes `--state-dir DIRECTORY`.
///
/// # Errors
/// `is_malformed()` where the input is neither; else where the spool cannot be written.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Error> {
    let state_dir = state_dir(arguments)?;
    hygiene::close_above(2);
    sandbox::confine()?;
    let capture = read(std::io::stdin().as_fd())?;
    let spool = Spool::open(&state_dir)?;
    let capture = with_restarts(capture, &state_dir);
    match try_in_child(TIME_MAX, || store(&spool, &capture, Detail::Full)) {
        true => Ok(()),
        false => {
            let mut capture = capture;
            capture
                .notes
                .push("looking into the program's files failed: this report was made without them".into());
            store(&spool, &capture, Detail::CaptureOnly)
        }
    }
}

fn store(spool: &Spool, capture: &Capture, detail: Detail) -> Result<(), Error> {
    let made = make(capture, detail)?;
    spool.store(made.event_id, &made.envelope)?;
    if let Some(told) = Told::of(capture) {
        told.print();
    }
    Ok(())
}

/// Looks up how often the node had been started again by the life that this is of.
fn with_restarts(capture: Capture, state_dir: &Path) -> Capture {
    let Ok(snapshot) = Snapshot::read(&capture.recorder) else { return capture };
    let record = Lives::new(state_dir, &node_name(&snapshot, capture.module.as_deref())).read().ok();
    let restarts =
        record.and_then(|it| it.start(snapshot.control().start_realtime_ns).map(|start| start.restarts));
    Capture { restarts, ..capture }
}

fn state_dir(mut arguments: impl Iterator<Item = OsString>) -> Result<PathBuf, Error> {
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(option), Some(state_dir), None) if option == "--state-dir" => Ok(state_dir.into()),
        _ => Err(Error::usage("report takes --state-dir DIRECTORY and a capture on standard input")),
    }
}

fn read(input: std::os::fd::BorrowedFd<'_>) -> Result<Capture, Error> {
    let unreadable = |error| Error::system("cannot read the capture from standard input", error);
    let input = File::from(input.try_clone_to_owned().map_err(unreadable)?);
    let mut bytes = Vec::new();
    input.take(CAPTURE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    match Snapshot::read(&bytes) {
        Ok(_) => Ok(bare(bytes)),
        Err(_) => capture::decode(&bytes),
    }
}

/// What a node without a monitor wrote: its recorder and nothing else.
fn bare(recorder: Vec<u8>) -> Capture {
    let program =
        Snapshot::read(&recorder).ok().and_then(|copy| copy.setting(Setting::Program).map(<[u8]>::to_vec));
    let program = String::from_utf8_lossy(&program.unwrap_or_default()).into_owned();
    Capture {
        version: CAPTURE_VERSION,
        captured_boottime_ns: 0,
        hang: None,
        captured_realtime_ns: 0,
        metrics: Vec::new(),
        restarts: None,
        module: None,
        course: Vec::new(),
        out_of_memory: OutOfMemory::default(),
        subject: Subject::Death,
        recorder,
        end: End::Unknown,
        threads: Vec::new(),
        maps: Vec::new(),
        images: Vec::new(),
        process: Process { program, ..Process::default() },
        abort_message: String::new(),
        notes: vec!["no monitor was there: only the dying thread was captured, by itself".into()],
    }
}

/// Whether a child of ours did this and ended well in time.
fn try_in_child(time_max: Duration, act: impl FnOnce() -> Result<(), Error>) -> bool {
    // SAFETY: this process has one thread, so the child may do all that we may.
    let child = unsafe { libc::fork() };
    match Pid::from_raw(child) {
        None if child == 0 => {
            let status = i32::from(act().is_err());
            // SAFETY: ends the child at once, without running what the parent will run at its own end.
            unsafe { libc::_exit(status) }
        }
        Some(child) if child.as_raw_nonzero().get() > 0 => ended_well(child, time_max),
        _ => act().is_ok(),
    }
}

fn ended_well(child: Pid, time_max: Duration) -> bool {
    if !ends_within(child, time_max) {
        // It has not been waited for, so the id is still its own.
        let _ = rustix::process::kill_process(child, Signal::KILL);
    }
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty());
    matches!(status, Ok(Some((_, status))) if status.exit_status() == Some(0))
}

fn ends_within(child: Pid, time_max: Duration) -> bool {
    // Where that is forbidden the limit on processor time still ends a child that hangs.
    let Ok(pidfd) = rustix::process::pidfd_open(child, PidfdFlags::empty()) else { return true };
    let time = Timespec::try_from(time_max).ok();
    rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], time.as_ref()).is_ok_and(|ended| ended > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_try_that_dies_hangs_or_fails_is_seen() {
        let short = Duration::from_millis(50);
        assert!(try_in_child(TIME_MAX, || Ok(())));
        assert!(!try_in_child(TIME_MAX, || Err(Error::usage("no"))));
        assert!(!try_in_child(TIME_MAX, || std::process::abort()));
        assert!(!try_in_child(short, || loop {
            std::hint::spin_loop();
        }));
    }
}
