//! The program's standard output and error on their way through us, unchanged; and their last lines, kept.
//!
//! A terminal is left to the program: behind a pipe it would lose its colours and write in blocks. Where both streams
//! lead to the same place they share one pipe, so that their order stays.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::fstat;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::watch::roles;

use super::lines::{Line, Lines, Stream};
use super::pump::{self, Rest};
use super::spawn::Outputs;

/// A program that closes its output and has not ended in this time lives on without it.
const CLOSED_TO_END: Duration = Duration::from_millis(250);

/// Where a stream of the program comes out, and where it goes.
pub(super) struct Source {
    stream: Stream,
    from: OwnedFd,
}

/// Makes the pipes that are needed.
pub(super) fn pipes() -> io::Result<(Outputs, Vec<Source>)> {
    let (mut outputs, mut sources) = (Outputs::default(), Vec::new());
    let pipe = || Ok::<_, io::Error>(pipe_with(PipeFlags::CLOEXEC)?);
    let (for_stdout, for_stderr) = (!io::stdout().is_terminal(), !io::stderr().is_terminal());
    if for_stdout && for_stderr && lead_to_the_same() {
        let (from, to) = pipe()?;
        (outputs.stdout, outputs.stderr) = (Some(to.try_clone()?), Some(to));
        sources.push(Source { stream: Stream::Output, from });
        return Ok((outputs, sources));
    }
    if for_stdout {
        let (from, to) = pipe()?;
        outputs.stdout = Some(to);
        sources.push(Source { stream: Stream::Stdout, from });
    }
    if for_stderr {
        let (from, to) = pipe()?;
        outputs.stderr = Some(to);
        sources.push(Source { stream: Stream::Stderr, from });
    }
    Ok((outputs, sources))
}

fn lead_to_the_same() -> bool {
    let place = |fd: BorrowedFd<'_>| fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
    let (stdout, stderr) = (place(io::stdout().as_fd()), place(io::stderr().as_fd()));
    stdout.is_some() && stdout == stderr
}

/// The threads that carry the output.
pub(super) struct Pumps {
    lines: Arc<Mutex<Lines>>,
    ended: Arc<OwnedFd>,
    results: Receiver<(Stream, Rest)>,
    /// How many are at work.
    at_work: usize,
    /// Whether there is a stream that is read.
    pub(super) is_any_read: bool,
    /// What others than the program may still write to.
    rests: Vec<(Stream, OwnedFd)>,
}

impl Pumps {
    /// Starts one for each stream.
    pub(super) fn start(sources: Vec<Source>) -> io::Result<Self> {
        let ended = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let (send, results) = channel();
        let lines = Arc::new(Mutex::new(Lines::default()));
        let (at_work, is_any_read) = (sources.len(), !sources.is_empty());
        for source in sources {
            start_one(source, Arc::clone(&lines), Arc::clone(&ended), send.clone())?;
        }
        Ok(Self { lines, ended, results, at_work, is_any_read, rests: Vec::new() })
    }

    /// Tells them that the program has ended, and waits for so long until all that it wrote is out.
    pub(super) fn settle(&mut self, patience: Duration) {
        // A counter that is written once has room.
        let _ = rustix::io::write(&*self.ended, &1_u64.to_ne_bytes());
        let until = Instant::now() + patience;
        while self.at_work > 0 {
            let left = until.saturating_duration_since(Instant::now());
            match self.results.recv_timeout(left) {
                Ok(result) => self.take(result),
                Err(_) => return,
            }
        }
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    /// Waits until all is out, however slowly it is read, and leaves what others hold open to a process of its own:
    /// a daemon that the program left behind would else lose its output at our end.
    pub(super) fn finish(mut self) {
        while self.at_work > 0 {
            let Ok(result) = self.results.recv() else { break };
            self.take(result);
        }
        for (stream, rest) in self.rests {
            leave(stream, rest);
        }
    }

    fn take(&mut self, (stream, rest): (Stream, Rest)) {
        self.at_work = self.at_work.saturating_sub(1);
        self.rests.extend(rest.map(|rest| (stream, rest)));
    }
}

fn start_one(
    source: Source,
    lines: Arc<Mutex<Lines>>,
    ended: Arc<OwnedFd>,
    send: Sender<(Stream, Rest)>,
) -> io::Result<()> {
    let Source { stream, from } = source;
    let run = move || {
        let heard = |bytes: &[u8]| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).take(stream, bytes);
        };
        let rest = match stream {
            Stream::Stderr => pump::run(from, io::stderr().as_fd(), Some(ended.as_fd()), heard),
            _ => pump::run(from, io::stdout().as_fd(), Some(ended.as_fd()), heard),
        };
        // Most programs close their output by their end: then what we have to say may still come here.
        if rest.is_none() && !pump::is_readable(ended.as_fd(), CLOSED_TO_END) {
            let_go(stream);
        }
        // Nobody waits for it where we are about to end.
        let _ = send.send((stream, rest));
    };
    std::thread::Builder::new().name(stream.word().into()).spawn(run).map(drop)
}

/// The program lives on without this stream: whoever reads it shall see its end, as without us.
fn let_go(stream: Stream) {
    let Ok(null) = std::fs::File::options().write(true).open("/dev/null") else { return };
    if stream != Stream::Stderr {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
    if stream != Stream::Stdout {
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn leave(stream: Stream, rest: OwnedFd) {
    let to = match stream {
        Stream::Stderr => io::stderr().as_fd().try_clone_to_owned(),
        _ => io::stdout().as_fd().try_clone_to_owned(),
    };
    let Ok(to) = to else { return };
    let mut role = roles::command("pump");
    role.stdin(Stdio::from(rest)).stdout(Stdio::from(to)).stderr(Stdio::null());
    // It lives on beyond us. Where it cannot be started the others' output ends with us.
    let _ = role.spawn();
}
