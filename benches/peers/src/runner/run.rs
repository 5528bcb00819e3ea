//! One run of one host: its death, or its rest.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use lifeboat_peers::{REST, now_ns};

use crate::peer::{Peer, Place};
use crate::processes::{Memory, end_helpers, helpers_memory, memory};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// From init to fault, so that what a reporter still does after its start is done.
const REST_MS: &str = "50";
const DEATH_TIMEOUT: Duration = Duration::from_secs(20);
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a host's memory is what it stays.
const SETTLE: Duration = Duration::from_secs(3);
const SIGSEGV: i32 = 11;

/// Where the parts of a run are.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The folder of the host programs.
    pub(crate) programs: PathBuf,
    /// Lifeboat's library.
    pub(crate) reporter: PathBuf,
    /// A folder that each run gets a new one in.
    pub(crate) scratch: PathBuf,
    /// The server that they are told of.
    pub(crate) dsn: String,
}

/// What a death took, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// The reporter's start.
    pub(crate) start_ns: u64,
    /// From just before the fault until the parent's wait returned.
    pub(crate) death_ns: u64,
    /// Nothing where no report came.
    pub(crate) report: Option<Report>,
}

/// A finished report on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// On the clock in a `Watch`, in a `Death` from just before the fault.
    pub(crate) ns: u64,
    pub(crate) bytes: u64,
}

/// Memory at rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) host: Memory,
    pub(crate) helpers: Memory,
}

impl Bench {
    /// Lets the peer's host die.
    ///
    /// # Errors
    /// Where it does not start, or does not die by the fault. A report that does not come is no error.
    pub(crate) fn die(&self, peer: &Peer, threads: u32) -> Result<Death> {
        let folder = self.new_folder(peer)?;
        let mut watch = Watch::new(&folder, peer.report.as_ref())?;
        let mut child = self.spawn(peer, &folder, threads, "die")?;
        let exit = wait_for_death(&mut child, watch.as_mut());
        if let (Ok((status, _)), Some(watch)) = (&exit, watch.as_mut())
            && status.signal() == Some(SIGSEGV)
        {
            watch.wait(REPORT_TIMEOUT)?;
        }
        // Helpers hold the host's output open.
        let text = end_and_read(&mut child)?;
        let (status, dead_ns) = exit?;
        let fault_ns = number(&text, "fault").filter(|_| status.signal() == Some(SIGSEGV));
        let fault_ns = fault_ns.ok_or_else(|| format!("{} ended by {status}: {text}", peer.program))?;
        let said = || Some(Report { ns: number(&text, "written")?, bytes: number(&text, "bytes")? });
        let found = watch.map_or_else(said, |watch| watch.found);
        Ok(Death {
            start_ns: number(&text, "start").ok_or("the host did not say what its start took")?,
            death_ns: dead_ns.saturating_sub(fault_ns),
            report: found.map(|found| Report { ns: found.ns.saturating_sub(fault_ns), ..found }),
        })
    }

    /// Lets the peer's host rest, and looks at its memory and that of its helpers.
    ///
    /// # Errors
    /// Where it does not stay alive.
    pub(crate) fn rest(&self, peer: &Peer) -> Result<Rest> {
        let folder = self.new_folder(peer)?;
        // Makes the folder of reports, which some reporters want to find.
        let _watch = Watch::new(&folder, peer.report.as_ref())?;
        let mut child = self.spawn(peer, &folder, 0, REST)?;
        sleep(SETTLE);
        let host = Pid::from_child(&child);
        let ended = child.try_wait()?;
        let rest =
            memory(host).and_then(|of_host| Ok(Rest { host: of_host, helpers: helpers_memory(host)? }));
        let text = end_and_read(&mut child)?;
        match ended {
            None => rest,
            Some(status) => Err(format!("{} ended by {status}: {text}", peer.program).into()),
        }
    }

    fn new_folder(&self, peer: &Peer) -> Result<PathBuf> {
        let folder = self.scratch.join(peer.name);
        // Nothing of an earlier run may weigh on this one; it may not exist.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn spawn(&self, peer: &Peer, folder: &Path, threads: u32, end: &str) -> Result<Child> {
        let mut command = Command::new(self.programs.join(peer.program));
        command.env_clear().envs(peer.environment.iter().copied());
        // Each host finds the same; only its own reporter reads it.
        command.env("LIFEBOAT_REPORTER", &self.reporter).env("LIFEBOAT_STATE_DIR", folder.join("state"));
        command.env("SENTRY_DSN", &self.dsn).env("TMPDIR", folder);
        command.arg(folder).arg(threads.to_string()).args([REST_MS, end]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(folder.join("stderr"))?);
        Ok(command.spawn()?)
    }
}

/// Looks for the report on the way, which may come before the death.
fn wait_for_death(child: &mut Child, mut watch: Option<&mut Watch>) -> Result<(ExitStatus, u64)> {
    let host = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let begin = Instant::now();
    while begin.elapsed() < DEATH_TIMEOUT {
        let pending = watch.as_deref().filter(|watch| watch.found.is_none());
        let mut files = vec![PollFd::new(&host, PollFlags::IN)];
        files.extend(pending.map(|watch| PollFd::from_borrowed_fd(watch.inotify.as_fd(), PollFlags::IN)));
        poll(&mut files, Some(&timespec(DEATH_TIMEOUT)))?;
        let is_dead = files.first().is_some_and(|file| !file.revents().is_empty());
        if is_dead {
            let status = child.wait()?;
            return Ok((status, now_ns()));
        }
        if let Some(watch) = watch.as_deref_mut() {
            watch.look()?;
        }
    }
    Err("the host did not die within twenty seconds".into())
}

/// Ends the host and its helpers, and answers what the host said.
fn end_and_read(child: &mut Child) -> Result<String> {
    // It is dead already, or is to rest no longer.
    let _ = child.kill();
    child.wait()?;
    end_helpers()?;
    let mut text = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The folder of reports, watched for the next one.
struct Watch {
    inotify: OwnedFd,
    folder: PathBuf,
    name_ending: &'static str,
    found: Option<Report>,
}

impl Watch {
    /// Nothing where there is no folder to watch.
    fn new(run: &Path, place: Option<&Place>) -> Result<Option<Self>> {
        let Some(Place::File { folder, event, name_ending }) = place else { return Ok(None) };
        let folder = run.join(folder);
        fs::create_dir_all(&folder)?;
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&inotify, &folder, *event)?;
        Ok(Some(Self { inotify, folder, name_ending, found: None }))
    }

    fn wait(&mut self, timeout: Duration) -> Result<()> {
        let begin = Instant::now();
        while self.found.is_none() && begin.elapsed() < timeout {
            let mut files = [PollFd::new(&self.inotify, PollFlags::IN)];
            poll(&mut files, Some(&timespec(timeout)))?;
            self.look()?;
        }
        Ok(())
    }

    /// Takes the size at once: a report that was sent moves away.
    fn look(&mut self) -> Result<()> {
        let ns = now_ns();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if self.found.is_none() && name.ends_with(self.name_ending) {
                let bytes = fs::metadata(self.folder.join(&name)).map_or(0, |file| file.len());
                self.found = Some(Report { ns, bytes });
            }
        }
    }
}

/// The figure behind this word, which opens a line.
fn number(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    line?.parse().ok()
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() }
}
