//! Starts the program, stopped short of its first instruction until somebody is ready to look after it.
//!
//! While this happens the process has one thread: between `fork` and `execvp` the child may do all that we may.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::pipe::{PipeFlags, pipe_with};

use super::signals::Mask;

/// What a shell answers where there is no such program.
const NOT_FOUND: i32 = 127;
/// What a shell answers where it cannot be executed.
const NOT_EXECUTABLE: i32 = 126;

/// A child that waits for the word to become the program.
pub(super) struct Waiting {
    pub(super) pid: u32,
    go: File,
    failure: File,
}

/// Where the program's standard output and error go; nothing where they stay as they are.
#[derive(Default)]
pub(super) struct Outputs {
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Forks.
pub(super) fn fork(command: &[OsString], outputs: Outputs, mask: &Mask) -> io::Result<Waiting> {
    let words = command.iter().map(|word| CString::new(word.clone().into_vec()));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let (ready, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let (failure, failed) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: there is one thread, so the child has all that it needs.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop((go, failure));
            let error = become_program(&words, &outputs, mask, File::from(ready));
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            // Nobody is left to tell where this fails.
            let _ = File::from(failed).write_all(&number.to_ne_bytes());
            // SAFETY: ends the child at once, without running what the parent will run at its own end.
            unsafe { libc::_exit(NOT_FOUND) }
        }
        pid => Ok(Waiting { pid: pid as u32, go: File::from(go), failure: File::from(failure) }),
    }
}

impl Waiting {
    /// Lets the child become the program. The answer is why it could not.
    pub(super) fn go(mut self) -> Result<(), io::Error> {
        self.go.write_all(&[1])?;
        drop(self.go);
        let mut number = [0; 4];
        match self.failure.read_exact(&mut number) {
            Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))),
            // The pipe was closed by the program's start.
            Err(_) => Ok(()),
        }
    }
}

/// The status with which a shell would answer this failure.
pub(super) fn status_of(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}

/// In the child: answers only where it fails.
fn become_program(words: &[CString], outputs: &Outputs, mask: &Mask, mut ready: File) -> io::Error {
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
    // Rust ignores SIGPIPE at its start, and the program would inherit that.
    // SAFETY: the default action is no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    mask.restore();
    let mut arguments: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    arguments.push(std::ptr::null());
    let Some(program) = words.first() else { return io::ErrorKind::NotFound.into() };
    // SAFETY: both are NUL-terminated, and a null ends the array.
    unsafe { libc::execvp(program.as_ptr(), arguments.as_ptr()) };
    io::Error::last_os_error()
}
