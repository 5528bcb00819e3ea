//! Who writes what we say of ourselves: a thread of its own, since a disk may hang for as long as it likes and nobody who
//! asks us is to wait for it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::endpoint::{Endpoint, Sheet};
use super::sandbox::{self, Ports};
use crate::spool::Spool;

/// How long a disk may take until we go on without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What we say, and the way to who writes it.
#[derive(Debug)]
pub(super) struct Sign {
    said: Endpoint,
    /// Nothing once the last word is said.
    words: Option<Sender<Endpoint>>,
    thread: Option<JoinHandle<()>>,
    /// Hears once that the others have been asked for the address, and whether it is that of a node that ours descends from;
    /// then the end of the thread.
    asked: Receiver<bool>,
}

impl Sign {
    /// To be begun before this process is confined; the thread confines itself.
    pub(super) fn begin(state_dir: PathBuf, said: Endpoint) -> Self {
        let ((words, heard), (ask, asked)) = (channel(), channel());
        let first = said.clone();
        let thread = std::thread::Builder::new().name("sign".into()).stack_size(256 * 1024);
        // Where nothing can be written the metrics are served all the same.
        let thread = thread.spawn(move || write(state_dir, first, &heard, &ask)).ok();
        Self { said, words: Some(words), thread, asked }
    }

    /// What it says.
    pub(super) const fn said(&self) -> &Endpoint {
        &self.said
    }

    /// Changes what it says.
    pub(super) fn say(&mut self, change: impl FnOnce(&mut Endpoint)) {
        let before = self.said.clone();
        change(&mut self.said);
        if before != self.said
            && let Some(words) = &self.words
        {
            let _ = words.send(self.said.clone());
        }
    }

    /// Waits until the others have been asked to leave, as long as the disk lets us; whether the address is that of a node
    /// that ours descends from.
    pub(super) fn wait(&self) -> bool {
        self.asked.recv_timeout(PATIENCE).unwrap_or(false)
    }

    /// Whether anybody may read what it says.
    pub(super) fn is_read(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        self.words = None;
        // Its thread takes the file away; what stays is swept away by the next one.
        while self.asked.recv_timeout(PATIENCE).is_ok() {}
    }
}

fn write(state_dir: PathBuf, first: Endpoint, heard: &Receiver<Endpoint>, ask: &Sender<bool>) {
    let Ok(mut sheet) = Spool::open(&state_dir).and_then(|_| Sheet::make(&state_dir, first)) else { return };
    let is_an_ancestors = sheet.take_over(&state_dir);
    if sandbox::confine(&state_dir, Ports::default()).is_err() {
        return;
    }
    let _ = ask.send(is_an_ancestors);
    while let Ok(said) = heard.recv() {
        // Where the disk is full the old words stay.
        let _ = sheet.write(said);
    }
}
