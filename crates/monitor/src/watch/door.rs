//! Where the monitors of modules call at the monitor of their host: a socket in the state directory, named after the host's
//! process. They say that their process reports itself, or hand it over and leave.
//!
//! Only who runs as the same user is heard. Two hosts may share a state directory; each has a door of its own.

use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::modules::find::parent_of;

/// How long either side waits for the other: both are monitors, and neither may keep a dying process waiting.
const PATIENCE: Duration = Duration::from_millis(500);
/// How far above a module its host may stand.
const DEPTH_MAX: usize = 8;
/// Recorder, pidfd, metrics.
const DESCRIPTORS_MAX: usize = 3;
const REPORTS_ITSELF: u8 = b'R';
const JOINS: u8 = b'J';
const WELCOME: u8 = b'W';

/// The host's side.
pub(crate) struct Door {
    listener: UnixListener,
    place: PathBuf,
}

/// Who called.
pub(crate) enum Caller {
    /// The monitor of this process reports its death.
    ReportsItself(u32),
    /// A monitor that would hand its process over.
    Joins(Joining),
}

/// A process that is handed over.
pub(crate) struct Joining {
    stream: UnixStream,
    /// Recorder, pidfd, and metrics where there are any; as yet nobody knows what they are.
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl Joining {
    /// Whether the caller still waits for an answer: one that has lost patience looks after its process itself.
    pub(crate) fn is_there(&self) -> bool {
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::RDHUP;
        let mut polled = [PollFd::new(&self.stream, gone)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready == 0)
    }

    /// Tells the caller that its process is looked after from now on. Answers whether it was still there.
    pub(crate) fn welcome(&self) -> bool {
        (&self.stream).write_all(&[WELCOME]).is_ok()
    }
}

impl Door {
    /// Opens it for the modules of this host.
    pub(crate) fn open(state_dir: &Path, host: u32) -> Option<Self> {
        let place = state_dir.join(name(host));
        // A former process of this number may have left it.
        let _ = fs::remove_file(&place);
        let listener = by_folder(state_dir, host, |path| UnixListener::bind(path))?;
        listener.set_nonblocking(true).ok()?;
        Some(Self { listener, place })
    }

    /// Takes the next caller, if there is one.
    pub(crate) fn next(&self) -> Option<Caller> {
        loop {
            let (stream, _) = self.listener.accept().ok()?;
            if let Some(caller) = hear(stream) {
                return Some(caller);
            }
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Should that fail nobody answers there.
        let _ = fs::remove_file(&self.place);
    }
}

/// The module's side: tells the host's monitor, if there is one, that this process reports itself. Answers with the host.
pub(crate) fn report_itself(state_dir: &Path, process: u32) -> Option<u32> {
    let (host, stream) = calls(state_dir, process)?;
    (&stream).write_all(&message(REPORTS_ITSELF, process)).ok()?;
    Some(host)
}

/// The module's side: hands the process over. Answers whether the host's monitor took it.
pub(crate) fn join(state_dir: &Path, process: u32, descriptors: &[BorrowedFd<'_>]) -> bool {
    let Some((_, stream)) = calls(state_dir, process) else { return false };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return false;
    }
    let said = message(JOINS, process);
    let mut answer = [0];
    sendmsg(&stream, &[IoSlice::new(&said)], &mut control, SendFlags::NOSIGNAL).is_ok()
        && (&stream).read_exact(&mut answer).is_ok()
        && answer == [WELCOME]
}

/// A connection to the monitor of the nearest process above this one that has a door.
fn calls(state_dir: &Path, process: u32) -> Option<(u32, UnixStream)> {
    let mut above = process;
    for _ in 0..DEPTH_MAX {
        above = parent_of(above)?;
        if let Some(stream) = by_folder(state_dir, above, |path| UnixStream::connect(path)) {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.set_write_timeout(Some(PATIENCE));
            return is_own(&stream).then_some((above, stream));
        }
    }
    None
}

/// Hears one caller out. Who says nothing, or something else, is sent away.
fn hear(stream: UnixStream) -> Option<Caller> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    if !is_own(&stream) {
        return None;
    }
    let mut said = message(0, 0);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(&stream, &mut [IoSliceMut::new(&mut said)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    let descriptors: Vec<_> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let [kind, process @ ..] = said;
    match kind {
        _ if received.bytes != said.len() => None,
        REPORTS_ITSELF => Some(Caller::ReportsItself(u32::from_le_bytes(process))),
        JOINS if descriptors.len() >= 2 => Some(Caller::Joins(Joining { stream, descriptors })),
        _ => None,
    }
}

const fn message(kind: u8, process: u32) -> [u8; 5] {
    let [a, b, c, d] = process.to_le_bytes();
    [kind, a, b, c, d]
}

fn is_own(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn name(host: u32) -> String {
    format!("monitor-{host}.sock")
}

/// A socket's path has room for 107 bytes, a state directory's may have more: it goes through a descriptor.
fn by_folder<T>(state_dir: &Path, host: u32, act: impl Fn(&Path) -> std::io::Result<T>) -> Option<T> {
    let folder = File::open(state_dir).ok()?;
    act(&PathBuf::from(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), name(host)))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's process stands for the module, its parent for the host.
    fn host() -> u32 {
        parent_of(std::process::id()).unwrap()
    }

    fn next(door: &Door) -> Option<Caller> {
        poll(&mut [PollFd::new(door, PollFlags::IN)], None).unwrap();
        door.next()
    }

    #[test]
    fn a_module_finds_the_door_of_its_host_in_a_deep_folder() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(100)).join("b".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(report_itself(&deep, std::process::id()), None, "nobody is there");
        let door = Door::open(&deep, host()).unwrap();
        assert_eq!(report_itself(&deep, std::process::id()), Some(host()));
        assert!(matches!(next(&door), Some(Caller::ReportsItself(pid)) if pid == std::process::id()));
        drop(door);
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0, "a door that is closed is gone");
    }

    #[test]
    fn descriptors_arrive_and_are_what_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::open(folder.path(), host()).unwrap();
        let sent = [folder.path().join("a"), folder.path().join("b")].map(|path| {
            fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
            File::open(path).unwrap()
        });
        std::thread::scope(|scope| {
            let joins =
                scope.spawn(|| join(folder.path(), std::process::id(), &[sent[0].as_fd(), sent[1].as_fd()]));
            let Some(Caller::Joins(joining)) = next(&door) else { panic!("no caller") };
            assert!(joining.is_there() && joining.welcome());
            assert!(joins.join().unwrap());
            assert!(!joining.is_there(), "it has left");
            let texts =
                joining.descriptors.into_iter().map(|fd| std::io::read_to_string(File::from(fd)).unwrap());
            let texts: Vec<_> = texts.collect();
            assert!(texts[0].ends_with("/a") && texts[1].ends_with("/b"), "{texts:?}");
        });
    }

    #[test]
    fn who_is_sent_away_and_who_talks_nonsense_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::open(folder.path(), host()).unwrap();
        let say = |bytes: &[u8]| {
            let stream = UnixStream::connect(folder.path().join(name(host()))).unwrap();
            (&stream).write_all(bytes).unwrap();
        };
        for nonsense in [b"".as_slice(), b"R", b"J\x01\0\0\0", b"X\x01\0\0\0", b"R\x01\0\0"] {
            say(nonsense);
        }
        assert!(door.next().is_none());
        std::thread::scope(|scope| {
            let joins =
                scope.spawn(|| join(folder.path(), std::process::id(), &[door.as_fd(), door.as_fd()]));
            drop(next(&door));
            assert!(!joins.join().unwrap(), "nobody welcomed it");
        });
    }
}
