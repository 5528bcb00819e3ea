//! The role `run`: starts a program that knows nothing of Lifeboat, looks after it, and tells its death as that of a node
//! with a reporter. To the program, and to whoever started us, it is as if we were not there: its output, its signals
//! and its exit status are handed on. As the first process of a container it does what such a one must.

mod arguments;
mod conclude;
mod disposition;
pub mod level;
mod lines;
pub mod missing;
mod output;
mod pump;
pub mod reason;
pub(crate) mod recorder;
mod settings;
mod signals;
mod spawn;
mod standstill;
mod trace;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use lifeboat_recorder::Snapshot;
use rustix::process::{Pid, PidfdFlags};

use crate::capture::End;
use crate::lives::{Lives, node_name};
use crate::spool::Spool;
use crate::watch::link::Link;
use crate::watch::modules::Modules;
use crate::watch::roles::Destination;
use crate::watch::sampler::{Sampler, Subject};
use crate::watch::serving::{self, Shown};
use crate::watch::{leftovers, ptrace};
use crate::{Error, hygiene, rest};

use arguments::Arguments;
use conclude::Ended;
use output::{Pumps, Source};
use recorder::OwnRecorder;
use settings::Settings;
use signals::{Forwarder, Mask, Seen};
use spawn::Waiting;
use trace::Tracer;

pub use pump::pump;

/// Runs a program to its end and ends as it did.
///
/// # Errors
/// `is_usage()` where the arguments name no program.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<ExitCode, Error> {
    let arguments = Arguments::from(arguments)?;
    let inherited = inherited();
    let is_quiet = settings::is_left_to_others();
    let settings = Settings::read(arguments.state_dir.clone(), &arguments.command);
    ptrace::probe();
    let mask = Mask::block();
    let (waiting, helpers) = match get_ready(&arguments, &settings, is_quiet, &mask) {
        Ok(ready) => ready,
        Err(why) => return Ok(run_alone(&arguments, &mask, &why)),
    };
    let pid = waiting.pid;
    stand_back(&inherited);
    if let Err(code) = go(waiting, &arguments) {
        return Ok(code);
    }
    helpers.recorder.set_pid(pid);
    let destination = settings.destination.filter(|_| !is_quiet);
    Ok(end_so(helpers.look_after(pid, destination, arguments.log_breadcrumbs), &mask))
}

/// All that is needed to look after a program. None of it can fail any more once the program runs.
struct Helpers {
    recorder: Arc<OwnRecorder>,
    seen: Arc<Seen>,
    tracing: Tracing,
    pidfd: OwnedFd,
    pumps: Pumps,
}

/// Forks the child that will become the program, and starts what looks after it.
fn get_ready(
    arguments: &Arguments,
    settings: &Settings,
    is_quiet: bool,
    mask: &Mask,
) -> Result<(Waiting, Helpers), Error> {
    let failed = |error| Error::system("no pipe, process or thread for it", error);
    let (outputs, sources) = if is_quiet { Default::default() } else { output::pipes().map_err(failed)? };
    let recorder = Arc::new(OwnRecorder::new()?);
    recorder.describe(settings);
    let waiting = spawn::fork(&arguments.command, outputs, mask).map_err(failed)?;
    let tracing = if is_quiet { Tracing::NotAsked } else { begin_tracing(arguments, waiting.pid) };
    match Helpers::start(waiting.pid, recorder, tracing, sources) {
        Ok(helpers) => Ok((waiting, helpers)),
        Err(error) => {
            waiting.abandon();
            Err(failed(error))
        }
    }
}

impl Helpers {
    fn start(
        pid: u32,
        recorder: Arc<OwnRecorder>,
        tracing: Tracing,
        sources: Vec<Source>,
    ) -> io::Result<Self> {
        let number = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
        let pidfd = rustix::process::pidfd_open(number, PidfdFlags::empty())?;
        let seen = Arc::new(Seen::default());
        let forwarder = Forwarder {
            recorder: Arc::clone(&recorder),
            seen: Arc::clone(&seen),
            is_traced: tracing == Tracing::On,
            pid,
            pidfd: pidfd.try_clone()?,
        };
        forwarder.start()?;
        Ok(Self { recorder, seen, tracing, pidfd, pumps: Pumps::start(sources)? })
    }

    /// Looks after the program until it has ended, and tells of its death.
    fn look_after(self, pid: u32, destination: Option<Destination>, log_breadcrumbs: usize) -> End {
        let Self { recorder, seen, tracing, pidfd, pumps } = self;
        prepare(destination.as_ref(), &pidfd, &recorder, pid);
        let looked_at = destination.as_ref().and_then(|it| sample(it, &recorder, &pidfd, pid));
        let (sampler, modules) = looked_at.unzip();
        let mut tracer = Tracer::new(pid, Arc::clone(&recorder), seen);
        let end = tracer.run();
        let ended = Ended {
            end,
            pid,
            pidfd,
            recorder,
            tracer,
            tracing,
            destination,
            log_breadcrumbs,
            pumps,
            sampler,
            modules: modules.flatten(),
        };
        ended.conclude();
        end
    }
}

/// Becomes the program: a node without a report is better than no node. Answers only where that fails.
fn run_alone(arguments: &Arguments, mask: &Mask, why: &Error) -> ExitCode {
    say(&format!("nobody looks after the program: {why}"));
    cannot_run(arguments, &spawn::become_program(&arguments.command, mask))
}

/// Whether there will be stacks.
#[derive(Debug, PartialEq, Eq)]
enum Tracing {
    On,
    /// Nobody asked for it.
    NotAsked,
    /// `--no-trace`.
    Forbidden,
    /// A program that gets more rights by being executed gets them only where nobody traces it.
    Privileged,
    /// The system's answer.
    Refused(String),
}

fn begin_tracing(arguments: &Arguments, pid: u32) -> Tracing {
    if arguments.no_trace {
        return Tracing::Forbidden;
    }
    if arguments.command.first().is_some_and(|program| gains_rights(program)) {
        return Tracing::Privileged;
    }
    match ptrace::seize_program(pid) {
        Ok(()) => Tracing::On,
        Err(error) => Tracing::Refused(error.to_string()),
    }
}

/// Whether the file is set-uid or set-gid, or has capabilities of its own.
fn gains_rights(program: &OsStr) -> bool {
    use std::os::unix::fs::MetadataExt;
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    let gains = |path: &Path| {
        let is_set_id = path.metadata().is_ok_and(|file| file.is_file() && file.mode() & SET_ID != 0);
        is_set_id || rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 64]).is_ok()
    };
    missing::place(program).is_some_and(|path| gains(&path))
}

/// Lets the child become the program; where it cannot, the answer is a shell's, with a sentence.
fn go(waiting: Waiting, arguments: &Arguments) -> Result<(), ExitCode> {
    let pid = waiting.pid;
    let Err(error) = waiting.go() else { return Ok(()) };
    // It may stand still at its exit, for us to look at.
    kill(pid);
    Err(cannot_run(arguments, &error))
}

fn cannot_run(arguments: &Arguments, error: &io::Error) -> ExitCode {
    let program = arguments.command.first().map(OsString::as_os_str).unwrap_or_default();
    say(&format!("cannot run {}: {}", program.display(), missing::reason(program, error)));
    ExitCode::from(u8::try_from(spawn::status_of(error)).unwrap_or(1))
}

/// A sentence for whoever started us. Where nobody reads, nobody misses it.
fn say(sentence: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("lifeboat: {sentence}\n").as_bytes());
}

fn kill(pid: u32) {
    // SAFETY: numbers alone; the child is ours and unreaped.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
}

/// Descriptors beyond the first three that we were started with: they are the program's.
fn inherited() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // SAFETY: the number is only asked about; the listing's own is closed by now.
    let is_open = |number: &i32| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0;
    numbers.into_iter().filter(|number| *number > 2).filter(is_open).collect()
}

/// Gives up, in the parent, what is the program's alone: who waits for an end of file must not wait for us.
fn stand_back(inherited: &[i32]) {
    for number in inherited {
        // SAFETY: it was open when we began, and nothing of ours has it.
        unsafe { libc::close(*number) };
    }
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    // The threads that are at work by now carry bytes and signals alone.
    settings::forget_environment();
    hygiene::stand_apart();
}

/// Makes the state directory ready and looks what was left in it. In a thread of its own: a disk that hangs must not keep
/// the program waiting.
fn prepare(destination: Option<&Destination>, pidfd: &OwnedFd, recorder: &Arc<OwnRecorder>, pid: u32) {
    let (Some(destination), Ok(pidfd)) = (destination.cloned(), pidfd.try_clone()) else { return };
    let recorder = Arc::clone(recorder);
    let work = move || {
        match Spool::open(&destination.state_dir) {
            Ok(_) => {
                recorder.begin_life(&destination.state_dir, pid);
                destination.deliver(pidfd.as_fd(), true);
                leftovers::report(&destination);
            }
            Err(error) => say(&format!("a death could not be reported: {error}")),
        }
        rest::give_back();
    };
    // Where no thread can be started the next run does it.
    let _ = std::thread::Builder::new().name("leftovers".into()).spawn(work);
}

/// Looks at the program from outside, for the course that its report shows; and serves what is seen, where that is asked
/// for.
fn sample(destination: &Destination, recorder: &OwnRecorder, pidfd: &OwnedFd, pid: u32) -> Option<Looking> {
    let copy = recorder.copy().ok()?;
    let node = node_name(&Snapshot::read(&copy).ok()?, None);
    let state_dir = destination.state_dir.clone();
    let lives = Lives::new(&state_dir, &node);
    let shown =
        Shown { pid, state_dir: &state_dir, recorder: recorder.file(), pidfd: pidfd.as_fd(), metrics: None };
    let serve = serving::start(&shown);
    let link = Link::of_own(recorder.file(), pidfd).ok().map(Arc::new);
    let modules = link.and_then(|link| Modules::start(&link, destination, serve.is_some()));
    let (suppressed, hung) = (Arc::default(), Arc::default());
    let has_server = destination.dsn.is_some();
    let subject = Subject { pid, state_dir, lives, suppressed, hung, modules: modules.clone(), has_server };
    Some((Sampler::start(subject, serve), modules))
}

/// Who looks at the program, and at its modules where it is a host of Logos Core.
type Looking = (Sampler, Option<Arc<Modules>>);

/// Ends as the program did: by the same signal, so that a shell sees it, or with the same status.
fn end_so(end: End, mask: &Mask) -> ExitCode {
    let status = match end {
        End::Exited(status) => status,
        End::Signaled(signal) => {
            // The program's core is the one that counts.
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the limits are ours and live through the call.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
            // SAFETY: the default action is no code of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
            // SAFETY: it has no preconditions.
            unsafe { libc::raise(signal) };
            mask.restore();
            // As the first process of a namespace, or with the signal blocked from the start, we are still here.
            128 + signal
        }
        End::Unknown | End::StillAlive => 1,
    };
    // Not back through `main`: threads of ours may be at work that nobody needs any more.
    std::process::exit(status)
}
