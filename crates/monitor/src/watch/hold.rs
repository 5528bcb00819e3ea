//! Holds a thread that has entered `exit()` until the kernel says with which status it leaves.
//!
//! This happens in a thread of its own: that is the tracer, and when it ends the kernel lets the node go.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, atomic::Ordering};

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
    /// As PID 1 the node stands still until this is dropped.
    pub(crate) release: Option<Sender<()>>,
}

/// Starts to hold the thread, answers the node, and sends what it sees.
pub(crate) fn start(link: Arc<Link>, tid: u32) -> Receiver<Exit> {
    let (send, receive) = channel();
    let node = Arc::clone(&link);
    let spawned = std::thread::Builder::new().name("exit".into()).spawn(move || hold(&node, tid, &send));
    if spawned.is_err() {
        acknowledge(&link);
    }
    receive
}

fn acknowledge(link: &Link) {
    link.control().exit_ack.store(1, Ordering::Release);
    link::wake(&link.control().exit_ack);
}

fn hold(link: &Link, tid: u32, send: &Sender<Exit>) {
    let seized = ptrace::seize_for_exit(tid);
    acknowledge(link);
    if seized.is_err() {
        return;
    }
    let Some(status) = ptrace::wait_for_exit(tid) else { return };
    let end = end::from_status(status);
    let mut exit =
        if end == End::Exited(0) { Exit { end, ..Exit::default() } } else { look(link.pid(), tid, end) };
    let (release, released) = channel();
    let is_first = link.pid() == 1;
    exit.release = is_first.then_some(release);
    if send.send(exit).is_ok() && is_first {
        link.ring();
        // The node's end is ours: it waits until its report is on disk. An error means just that: all is done.
        let _ = released.recv();
    }
}

fn look(pid: u32, tid: u32, end: End) -> Exit {
    let maps = std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let images = images::images(pid, &maps);
    let process = process::process(pid);
    Exit { end, thread: Some(threads::of_stopped(pid, tid)), maps, images, process, release: None }
}
