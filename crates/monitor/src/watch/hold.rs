//! Holds a thread that has entered `exit()` until the kernel says with which status it leaves.
//!
//! This happens in a thread of its own: that is the tracer, and when it ends the kernel lets the node go.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use crate::capture::{End, Image, Process, Thread};

use super::link::{self, Link};
use super::{end, images, process, ptrace, threads};

/// What was seen at the exit. Beyond the status it is empty where that asks for no report.
#[derive(Default)]
pub(crate) struct Exit {
    /// The status.
    pub(crate) end: End,
    /// The thread that called `exit`, as it stood there.
    pub(crate) thread: Option<Thread>,
    /// `/proc/PID/maps` at that moment.
    pub(crate) maps: Vec<u8>,
    /// Build ids of what was mapped.
    pub(crate) images: Vec<Image>,
    /// What `/proc` said.
    pub(crate) process: Process,
    /// Where the node's end may be ours, it stands still until this is dropped.
    pub(crate) release: Option<Sender<()>>,
}

/// How long an exiting node is held at most, while its report or capture is written.
const HELD_MAX: Duration = Duration::from_secs(10);

/// Starts to hold the thread, answers the node, and sends what it sees. With `until_stored` the node stands still
/// until the answer has been dropped.
pub(crate) fn start(link: Arc<Link>, tid: u32, until_stored: bool) -> Receiver<Exit> {
    let (send, receive) = channel();
    let node = Arc::clone(&link);
    let spawned =
        std::thread::Builder::new().name("exit".into()).spawn(move || hold(&node, tid, until_stored, &send));
    if spawned.is_err() {
        acknowledge(&link);
    }
    receive
}

fn acknowledge(link: &Link) {
    link.control().exit_ack.store(1, Ordering::Release);
    link::wake(&link.control().exit_ack);
}

fn hold(link: &Link, tid: u32, until_stored: bool, send: &Sender<Exit>) {
    // The number of one that has ended may be another's by now.
    let is_seized = link.lives() && ptrace::seize_for_exit(tid).is_ok();
    acknowledge(link);
    if !is_seized {
        return;
    }
    let Some(status) = ptrace::wait_for_exit(tid) else { return };
    let end = end::from_status(status);
    let mut exit =
        if end == End::Exited(0) { Exit { end, ..Exit::default() } } else { look(link.pid(), tid, end) };
    let (release, released) = channel();
    exit.release = until_stored.then_some(release);
    if send.send(exit).is_ok() && until_stored {
        link.ring();
        // Both an answer and none in time let the node go.
        let _ = released.recv_timeout(HELD_MAX);
    }
}

fn look(pid: u32, tid: u32, end: End) -> Exit {
    let maps = process::maps(tid);
    let images = images::images(tid, &maps);
    let process = process::process(pid);
    Exit { end, thread: Some(threads::of_stopped(pid, tid)), maps, images, process, release: None }
}
