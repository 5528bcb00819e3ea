//! Starts the other two roles as programs of their own, so that neither shares `watch`'s rights or its memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::Error;
use crate::capture::Capture;
use crate::hygiene;
use crate::lives::Lives;
use crate::report::Told;
use crate::spool::Spool;

use super::{end, leftovers};

/// The program's name.
const NAME: &str = "lifeboat-monitor";
/// This very program, even if its file has been replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// A command that takes this role. Whoever lists processes is to see the program's name.
pub(crate) fn command(role: &str) -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg0(NAME).arg(role);
    command
}

/// Where reports of one node go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    /// The state directory.
    pub(crate) state_dir: PathBuf,
    /// The server, where there is one.
    pub(crate) dsn: Option<String>,
}

/// Most captures that wait on disk: what cannot be reported fills no disk.
const KEPT_MAX: usize = 64;
/// More than a role has to say to us.
const OUTPUT_BYTES_MAX: usize = 4096;

impl Destination {
    /// Turns a capture into a report on disk; keeps the capture itself where that fails. Answers with the death, where it
    /// is of one that has its report.
    ///
    /// # Errors
    /// Where neither could be written.
    pub(crate) fn report(&self, capture: &Capture) -> Result<Option<Told>, Error> {
        self.report_within(None, capture)
    }

    /// The same for somebody who cannot wait for ever: a report that is not made in time is left to the next monitor.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn report_within(
        &self,
        patience: Option<Duration>,
        capture: &Capture,
    ) -> Result<Option<Told>, Error> {
        let bytes = crate::capture::encode(capture)?;
        let reported = memory_file(&bytes)
            .map_err(|error| Error::system("cannot hand the capture over", error))
            .and_then(|file| self.report_of(patience, file));
        match reported {
            Ok(told) => Ok(told),
            Err(_) => self.keep(&bytes, Sync::Whole).map(|_| None),
        }
    }

    /// Turns an open capture file into a report, and counts the death that it is of.
    ///
    /// # Errors
    /// Where the role could not be started, says no or takes too long.
    pub(crate) fn report_of(&self, patience: Option<Duration>, capture: File) -> Result<Option<Told>, Error> {
        let mut role = command("report");
        role.arg("--state-dir").arg(&self.state_dir).stdin(capture);
        role.stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = |error| Error::system("the role `report` failed", error);
        let mut role = role.spawn().map_err(failed)?;
        let status = wait(&mut role, patience).map_err(failed)?;
        if !status.success() {
            return Err(Error::refused(format!("the role `report` ended with {status}")));
        }
        let told = role.stdout.take().and_then(|output| Told::from_output(&said(output)));
        if let Some(told) = told.as_ref().filter(|told| told.is_over) {
            self.count(told);
        }
        Ok(told)
    }

    /// Counts a death in the record of its node.
    pub(crate) fn count(&self, told: &Told) {
        // The report is there; a count that could not be written is not worth a second one.
        let _ = Lives::new(&self.state_dir, &told.node).death(told);
    }

    /// Writes the capture to `recorders/`, for the next monitor.
    ///
    /// # Errors
    /// Where it could not be written.
    pub(crate) fn keep(&self, bytes: &[u8], sync: Sync) -> Result<Kept, Error> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}-{}.capture", std::process::id(), now.as_nanos());
        Spool::open(&self.state_dir)?;
        let folder = self.state_dir.join("recorders");
        let is_ours = |entry: &fs::DirEntry| leftovers::is_ours(&entry.path());
        let count = fs::read_dir(&folder).map_or(0, |entries| entries.flatten().filter(is_ours).count());
        if count >= KEPT_MAX {
            return Err(Error::refused(format!("{} holds {count} captures already", folder.display())));
        }
        let path = folder.join(name);
        let part = path.with_extension("part");
        let kept = write_through(&part, bytes, sync).and_then(|file| {
            // Taken before anybody can see the file by its name.
            flock(&file, FlockOperation::LockExclusive)?;
            fs::rename(&part, &path)?;
            if sync == Sync::Whole {
                File::open(&folder)?.sync_all()?;
            }
            Ok(file)
        });
        let lock = kept.map_err(|error| Error::at("cannot keep the capture in", &path, error))?;
        Ok(Kept { path, _lock: lock })
    }

    /// Starts `post`, where there is a server. With `take_over` a post that is at work here is asked to leave.
    pub(crate) fn deliver(&self, node: BorrowedFd<'_>, take_over: bool) {
        let Some(dsn) = &self.dsn else { return };
        let Ok(pidfd) = hygiene::inheritable(node) else { return };
        let mut role = command("post");
        role.arg("--state-dir").arg(&self.state_dir);
        role.arg("--pidfd").arg(pidfd.as_raw_fd().to_string());
        if take_over {
            role.arg("--take-over");
        }
        role.env(crate::post::DSN_VARIABLE, dsn);
        role.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Always a new one: the last may be about to leave, with nothing to send a moment ago. Where one is at work the
        // new one leaves at once. It lives on beyond us; where none can be started the reports wait on disk for the
        // next monitor.
        let Ok(mut post) = role.spawn() else { return };
        // Who leaves at once would stay a zombie for as long as the node lives and has nothing more to report.
        let reaper = std::thread::Builder::new().name("post".into()).stack_size(64 * 1024);
        let _ = reaper.spawn(move || post.wait());
    }
}

/// What a role that has ended has left in its pipe: a child of its own may yet hold the other end, so nobody waits.
pub(crate) fn said(output: ChildStdout) -> Vec<u8> {
    let mut bytes = vec![0; OUTPUT_BYTES_MAX];
    let read = rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)
        .and_then(|()| rustix::io::read(&output, &mut bytes));
    bytes.truncate(read.unwrap_or(0));
    bytes
}

fn wait(role: &mut Child, patience: Option<Duration>) -> io::Result<ExitStatus> {
    if let Some(patience) = patience
        && !end::comes_within(role.id(), patience)
    {
        // One that hangs in the kernel may not even die of it: nobody waits for that.
        role.kill()?;
        return Err(io::ErrorKind::TimedOut.into());
    }
    role.wait()
}

fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let fd = rustix::fs::memfd_create("capture", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// A capture on disk. While this lives nobody takes it for a leftover: its report is still to come from here.
pub(crate) struct Kept {
    path: PathBuf,
    _lock: File,
}

impl Kept {
    /// Removes it: its report is made, or nobody needs one.
    pub(crate) fn forget(self) {
        // Should that fail the report is made again, under the same event id.
        let _ = fs::remove_file(self.path);
    }
}

/// How sure a file must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// It outlives the machine.
    Whole,
    /// It outlives us: what the node waits for.
    Quick,
}

fn write_through(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    if sync == Sync::Whole {
        file.sync_all()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_hangs_is_given_up() {
        let mut role = Command::new("sleep").arg("1000").spawn().unwrap();
        let given_up = wait(&mut role, Some(Duration::from_millis(10)));
        assert_eq!(given_up.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(!role.wait().unwrap().success());
        let mut role = Command::new("false").spawn().unwrap();
        assert_eq!(wait(&mut role, Some(Duration::from_secs(60))).unwrap().code(), Some(1));
    }

    #[test]
    fn only_what_waits_for_its_report_takes_room() {
        let state_dir = tempfile::tempdir().unwrap();
        let destination = Destination { state_dir: state_dir.path().into(), dsn: None };
        Spool::open(state_dir.path()).unwrap();
        for number in 0..KEPT_MAX {
            let path = state_dir.path().join(format!("recorders/{number}.capture.refused"));
            File::create(path).unwrap();
        }
        for _ in 0..KEPT_MAX {
            assert!(destination.keep(b"a", Sync::Quick).is_ok());
        }
        assert!(destination.keep(b"one too many", Sync::Quick).is_err());
    }
}
