//! Who calls at the door of a host's monitor is taken only where its process is the host's, and still waits.
//!
//! 1. A process that does not stand below the host is sent away.
//! 2. A pipe in the place of memory is not opened: the monitor goes on.
//! 3. A caller that has left takes nothing from the monitor that its process has.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use lifeboat_recorder::Control;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::bench::{Bench, Host, Modules, wait_until};

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Where the control block begins in a recorder.
const CONTROL_OFFSET: usize = 1024;

#[test]
fn who_is_not_below_the_host_is_sent_away() {
    let bench = Bench::new("logos-strangers");
    let host = bench.start(Modules::WithLifeboat, &["demo_module"], &[]);
    let (ours, recorder) = (std::process::id().cast_signed(), recorder_of(&host, host_pid(&host)));
    assert_eq!(answer(&joins(&host, &[recorder.as_fd(), pidfd(ours).as_fd()])), b"");
    // The same words for a module of the host are heard.
    let module = host.module("demo_module");
    let recorder = recorder_of(&host, module);
    assert_eq!(answer(&joins(&host, &[recorder.as_fd(), pidfd(module).as_fd()])), b"W");
    host.stop(&bench);
}

#[test]
fn a_pipe_in_the_place_of_memory_holds_nobody_up() {
    let bench = Bench::new("logos-pipe");
    let host = bench.start(Modules::WithLifeboat, &["demo_module"], &[]);
    let pipe = bench.scratch.join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let pipe = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let module = host.module("demo_module");
    let recorder = recorder_of(&host, module);
    let metrics = joins(&host, &[recorder.as_fd(), pidfd(module).as_fd(), pipe.as_fd()]);
    assert_eq!(answer(&metrics), b"");
    assert_eq!(answer(&joins(&host, &[pipe.as_fd(), pidfd(module).as_fd()])), b"");
    host.stop(&bench);
}

#[test]
fn who_has_left_takes_nothing_away() {
    let bench = Bench::new("logos-left");
    let host = bench.start(Modules::WithLifeboat, &["demo_module"], &[]);
    let module = host.module("demo_module");
    let recorder = recorder_of(&host, module);
    let monitor_pid = || {
        let mut bytes = [0; 4];
        let at = CONTROL_OFFSET + offset_of!(Control, monitor_pid);
        recorder.read_exact_at(&mut bytes, at.try_into().unwrap()).unwrap();
        i32::from_le_bytes(bytes)
    };
    let own = monitor_of(&host, module).unwrap();
    wait_until("the module's own monitor is at work", || monitor_pid() == own);
    for _ in 0..20 {
        // Callers are heard one after the other: this one says nothing until the next has left.
        let silent = connect(&host);
        drop(joins(&host, &[recorder.as_fd(), pidfd(module).as_fd()]));
        drop(silent);
        // Heard after the one that has left.
        let stream = connect(&host);
        (&stream).write_all(b"X....").unwrap();
        assert_eq!(answer(&stream), b"");
        assert_eq!(monitor_pid(), own);
    }
    host.stop(&bench);
}

/// A monitor of a process, told by the pidfd that the reporter left.
fn monitor_of(host: &Host, pid: i32) -> Option<i32> {
    let is_its = |monitor: &i32| {
        let info = std::fs::read_to_string(format!("/proc/{monitor}/fdinfo/4")).unwrap_or_default();
        info.contains(&format!("\nPid:\t{pid}\n"))
    };
    host.monitors().into_iter().find(is_its)
}

/// The recorder of a process, out of the hands of its monitor, once that is at work and the host's hears.
fn recorder_of(host: &Host, pid: i32) -> File {
    wait_until("it has a monitor", || monitor_of(host, pid).is_some());
    wait_until("the door is open", || UnixStream::connect(door(host)).is_ok());
    let path = format!("/proc/{}/fd/3", monitor_of(host, pid).unwrap());
    File::options().read(true).write(true).open(path).unwrap()
}

fn host_pid(host: &Host) -> i32 {
    host.running.pid().cast_signed()
}

fn pidfd(pid: i32) -> OwnedFd {
    pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap()
}

fn door(host: &Host) -> std::path::PathBuf {
    host.state_dir().join(format!("monitor-{}.sock", host_pid(host)))
}

fn connect(host: &Host) -> UnixStream {
    let stream = UnixStream::connect(door(host)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Hands a process over, as its monitor would.
fn joins(host: &Host, descriptors: &[BorrowedFd<'_>]) -> UnixStream {
    let stream = connect(host);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(&stream, &[IoSlice::new(b"J....")], &mut control, SendFlags::NOSIGNAL).unwrap();
    stream
}

/// What is answered until the other side closes, or the first byte.
fn answer(mut stream: &UnixStream) -> Vec<u8> {
    let mut byte = [0];
    let count = stream.read(&mut byte).unwrap();
    byte.get(..count).unwrap_or_default().to_vec()
}
