//! A process that belongs to a host: it ends with the host, and the host's monitor may look after it, too.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lifeboat_abi::Switch;
use lifeboat_recorder::{Setting, Snapshot};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Error;
use crate::capture::End;

use super::door::{self, Joining};
use super::link::{Link, SETTINGS_BYTES};
use super::modules::find;
use super::roles::Destination;
use super::run;

/// Lets processes share their host's monitor.
const SHARED_VARIABLE: &str = "LIFEBOAT_SHARED";
/// Lets a host's monitor look after its modules.
const MODULES_VARIABLE: &str = "LIFEBOAT_MODULES";
/// A module dies with its host, and its end may be seen first.
const HOST_END_PATIENCE: Duration = Duration::from_millis(100);

/// Whether processes are to share their host's monitor.
fn is_shared() -> bool {
    switch(SHARED_VARIABLE) == Some(Switch::On)
}

/// Whether a host's modules are to be looked after.
pub(crate) fn are_modules_wanted() -> bool {
    switch(MODULES_VARIABLE).map_or_else(is_shared, |modules| modules == Switch::On)
}

fn switch(variable: &str) -> Option<Switch> {
    Switch::of(std::env::var_os(variable)?.as_encoded_bytes())
}

/// So long a module's monitor waits for its host's to be there.
const DOOR_PATIENCE: Duration = Duration::from_secs(3);
const DOOR_PAUSE: Duration = Duration::from_millis(10);

/// The host of a process, if it has one.
#[derive(Debug)]
pub(crate) struct Host {
    pidfd: Option<OwnedFd>,
    /// Where the host's own reports go, where the process was handed over to its monitor.
    destination: Option<Destination>,
}

impl Host {
    /// Asks the monitor of a process above this one, which then knows that this process reports itself.
    pub(crate) fn of(link: &Link) -> Self {
        let say = |state_dir: &Path| door::report_itself(state_dir, link.pid());
        let host = if are_modules_wanted() { at_the_door(link, say) } else { None };
        if let Some(module) = host.and_then(|_| find::module(link.pid())) {
            link.set_module(module.name);
        }
        let pidfd =
            host.and_then(|host| pidfd_open(Pid::from_raw(host.cast_signed())?, PidfdFlags::empty()).ok());
        Self { pidfd, destination: None }
    }

    /// Where reports of the process go: who was handed over has no say in where the host's monitor writes.
    ///
    /// # Errors
    /// Where its recorder names no state directory.
    pub(crate) fn destination(&self, recorder: &Snapshot<'_>) -> Result<Destination, Error> {
        if let Some(destination) = &self.destination {
            return Ok(destination.clone());
        }
        let text = |setting| recorder.setting(setting).map(|text| String::from_utf8_lossy(text).into_owned());
        let state_dir =
            text(Setting::StateDir).ok_or_else(|| Error::malformed("no state directory was named"))?;
        Ok(Destination { state_dir: state_dir.into(), dsn: text(Setting::Dsn) })
    }

    /// Whether there is one: then its monitor serves and looks after modules.
    pub(crate) const fn is_known(&self) -> bool {
        self.pidfd.is_some()
    }

    /// Whether a process that ended so was taken along by its host's end: the kernel kills modules then.
    pub(crate) fn took_it(&self, end: End) -> bool {
        let Some(host) = self.pidfd.as_ref().filter(|_| end == End::Signaled(libc::SIGKILL)) else {
            return false;
        };
        has_ended(host, HOST_END_PATIENCE)
    }
}

/// Whether the process behind a pidfd ends within this time.
pub(crate) fn has_ended(pidfd: impl AsFd, patience: Duration) -> bool {
    let patience = Timespec::try_from(patience).unwrap_or_default();
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)).is_ok_and(|ended| ended > 0)
}

/// Hands the process over to its host's monitor, where that is asked for and there is one.
pub(crate) fn is_handed_over(link: &Link) -> bool {
    let join = |state_dir: &Path| door::join(state_dir, link.pid(), &link.descriptors()).then_some(());
    is_shared() && at_the_door(link, join).is_some()
}

/// Calls at the host's door. A host that has just started, with its modules, may not have opened it yet: who is a module
/// by its command line waits for it.
fn at_the_door<T>(link: &Link, call: impl Fn(&Path) -> Option<T>) -> Option<T> {
    let state_dir = state_dir(link)?;
    let until = Instant::now() + DOOR_PATIENCE;
    let is_module = find::module(link.pid()).is_some();
    loop {
        let answer = call(&state_dir);
        if answer.is_some() || !is_module || Instant::now() >= until || has_ended(link.pidfd(), DOOR_PAUSE) {
            return answer;
        }
    }
}

/// Looks after a process that was handed over, in a thread of its own, until it has ended. Answers with its number.
/// Who does not stand below the host is not taken: it has a monitor of its own.
///
/// A panic in that thread would end the host's monitor (`panic = "abort"`): what it runs has no `unwrap`, no indexing, and
/// trusts no byte of the recorder.
pub(crate) fn take(
    joining: Joining,
    host: &Link,
    destination: &Destination,
) -> Option<(u32, JoinHandle<()>)> {
    let mut descriptors = joining.descriptors.iter().map(|fd| fd.try_clone().ok());
    let (recorder, pidfd) = (descriptors.next()??, descriptors.next()??);
    let link = Arc::new(Link::handed_over(recorder, pidfd, descriptors.next().flatten()).ok()?);
    if !joining.is_there() || !find::is_below(link.pid(), host.pid()) {
        return None;
    }
    if let Some(module) = find::module(link.pid()) {
        link.set_module(module.name);
    }
    let pidfd = Some(host.pidfd().try_clone_to_owned().ok()?);
    let (pid, host) = (link.pid(), Host { pidfd, destination: Some(destination.clone()) });
    let thread = std::thread::Builder::new().name("joined".into());
    let thread = thread.spawn(move || {
        let former = link.announce();
        // From here on it is ours: should its monitor have lost patience, the node is looked after twice, and both make
        // the same report.
        if joining.welcome() {
            let _ = run::watch_joined(&link, host);
            link.leave();
        } else {
            // It lost patience just now, and is the node's monitor.
            link.withdraw(&former);
        }
    });
    Some((pid, thread.ok()?))
}

fn state_dir(link: &Link) -> Option<PathBuf> {
    let copy = link.copy_of(SETTINGS_BYTES).ok()?;
    let snapshot = Snapshot::read(&copy).ok()?;
    Some(PathBuf::from(String::from_utf8_lossy(snapshot.setting(Setting::StateDir)?).into_owned()))
}
