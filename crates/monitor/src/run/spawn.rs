//! Starts the program, stopped short of its first instruction until somebody is ready to look after it.
//!
//! While this happens the process has one thread: between `fork` and `execvp` the child may do all that we may.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::at_start;
use crate::watch::ptrace;

use super::signals::Mask;

/// What a shell answers where there is no such program.
const NOT_FOUND: i32 = 127;
/// What a shell answers where it cannot be executed.
const NOT_EXECUTABLE: i32 = 126;
/// Sockets that were opened for a process, a watchdog that it is to calm, and that it is a service's first process. See
/// `sd_listen_fds(3)`, `sd_watchdog_enabled(3)` and `systemd.exec(5)`.
const NUMBERED: [&str; 3] = ["LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"];

/// A child that waits for the word to become the program.
pub(super) struct Waiting {
    pub(super) pid: u32,
    go: File,
    failure: File,
    /// As long as they are open here nobody takes the streams for ended.
    outputs: Outputs,
}

/// Where the program's standard output and error go; nothing where they stay as they are.
#[derive(Default)]
pub(super) struct Outputs {
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Forks.
pub(super) fn fork(command: &[OsString], outputs: Outputs, mask: &Mask) -> io::Result<Waiting> {
    let (ready, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let (failure, failed) = pipe_with(PipeFlags::CLOEXEC)?;
    let parent = std::process::id();
    // SAFETY: there is one thread, so the child has all that it needs.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop((go, failure));
            die_with(parent);
            take_over_number(parent);
            let error = wait_and_become(command, &outputs, mask, File::from(ready));
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            // Nobody is left to tell where this fails.
            let _ = File::from(failed).write_all(&number.to_ne_bytes());
            // SAFETY: ends the child at once, without running what the parent will run at its own end.
            unsafe { libc::_exit(NOT_FOUND) }
        }
        pid => Ok(Waiting { pid: pid as u32, go: File::from(go), failure: File::from(failure), outputs }),
    }
}

/// In the child: whoever kills us means the program, and may start the next one at once. The kernel looks at the thread
/// that forked, which is our first and lives as long as we do; see `PR_SET_PDEATHSIG`. It forgets this of a program that
/// changes its rights; of one that is traced the tracer's end tells all the same.
fn die_with(parent: u32) {
    // SAFETY: numbers alone.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
    // SAFETY: it has no preconditions.
    if unsafe { libc::getppid() } != parent.cast_signed() {
        // SAFETY: ends the child at once, without running what the parent will run at its own end.
        unsafe { libc::_exit(NOT_FOUND) }
    }
}

/// In the child: what a service manager hands to one process, by its number, is the program's, not ours.
fn take_over_number(parent: u32) {
    for name in NUMBERED {
        if std::env::var(name).is_ok_and(|number| number == parent.to_string()) {
            // SAFETY: this process is a copy of one that had one thread.
            unsafe { std::env::set_var(name, std::process::id().to_string()) };
        }
    }
}

impl Waiting {
    /// Lets the child become the program. The answer is why it could not.
    pub(super) fn go(mut self) -> Result<(), io::Error> {
        self.go.write_all(&[1])?;
        drop((self.go, self.outputs));
        let mut number = [0; 4];
        match self.failure.read_exact(&mut number) {
            Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))),
            // The pipe was closed by the program's start.
            Err(_) => Ok(()),
        }
    }

    /// Ends the child, which is not the program yet. What it was to write to stays open: it has not ended for its reader.
    pub(super) fn abandon(self) {
        super::kill(self.pid);
        while let Ok(Some((pid, status))) = ptrace::next_change(true) {
            if libc::WIFSTOPPED(status) {
                // Where it is traced it stands still once more.
                let _ = ptrace::resume(pid, 0);
            } else if pid == self.pid {
                break;
            }
        }
        std::mem::forget(self.outputs);
    }
}

/// The status with which a shell would answer this failure.
pub(super) fn status_of(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}

/// In the child: answers only where it fails.
fn wait_and_become(command: &[OsString], outputs: &Outputs, mask: &Mask, mut ready: File) -> io::Error {
    if let Err(error) = ready.read_exact(&mut [0]) {
        return error;
    }
    for (output, number) in [(&outputs.stdout, 1), (&outputs.stderr, 2)] {
        // SAFETY: both are descriptor numbers; what the target was is given up on purpose.
        let moved = output.as_ref().map(|fd| unsafe { libc::dup2(fd.as_fd().as_raw_fd(), number) });
        if moved == Some(-1) {
            return io::Error::last_os_error();
        }
    }
    become_program(command, mask)
}

/// Becomes the program, with the signals that we were started with. Answers only where it fails.
pub(super) fn become_program(command: &[OsString], mask: &Mask) -> io::Error {
    at_start::restore();
    mask.restore();
    let words = command.iter().map(|word| CString::new(word.clone().into_vec()));
    let words: Vec<CString> = match words.collect() {
        Ok(words) => words,
        Err(error) => return io::Error::from(error),
    };
    let mut arguments: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    arguments.push(std::ptr::null());
    let Some(program) = words.first() else { return io::ErrorKind::NotFound.into() };
    // SAFETY: both are NUL-terminated, and a null ends the array.
    unsafe { libc::execvp(program.as_ptr(), arguments.as_ptr()) };
    io::Error::last_os_error()
}
