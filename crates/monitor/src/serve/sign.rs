//! Who writes what we say of ourselves: a thread of its own, since a disk may hang for as long as it likes and nobody who
//! asks us is to wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::endpoint::{Endpoint, Sheet};
use super::sandbox::{self, Ports};
use crate::spool::Spool;

/// How long a disk may take until we go on without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What there is to do.
#[derive(Debug)]
enum Word {
    /// To be written.
    Say(Endpoint),
    /// Whether the file is still there.
    Look,
}

/// What is known of the file.
#[derive(Debug, Default)]
struct Seen {
    is_being_looked: AtomicBool,
    is_removed: AtomicBool,
}

/// What we say, and the way to who writes it.
#[derive(Debug)]
pub(super) struct Sign {
    said: Endpoint,
    /// Nothing once the last word is said.
    words: Option<Sender<Word>>,
    thread: Option<JoinHandle<()>>,
    /// Hears once that the others have been asked for the address, and whether it is that of a node that ours descends from;
    /// then the end of the thread.
    asked: Receiver<bool>,
    seen: Arc<Seen>,
}

impl Sign {
    /// To be begun before this process is confined; the thread confines itself.
    pub(super) fn begin(state_dir: PathBuf, said: Endpoint) -> Self {
        let ((words, heard), (ask, asked)) = (channel(), channel());
        let (first, seen) = (said.clone(), Arc::new(Seen::default()));
        let shown = Arc::clone(&seen);
        let thread = std::thread::Builder::new().name("sign".into()).stack_size(256 * 1024);
        // Where nothing can be written the metrics are served all the same.
        let thread = thread.spawn(move || write(state_dir, first, &heard, &ask, &shown)).ok();
        Self { said, words: Some(words), thread, asked, seen }
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
            let _ = words.send(Word::Say(self.said.clone()));
        }
    }

    /// Waits until the others have been asked to leave, as long as the disk lets us; whether the address is that of a node
    /// that ours descends from.
    pub(super) fn wait(&self) -> bool {
        self.asked.recv_timeout(PATIENCE).unwrap_or(false)
    }

    /// Whether the file was found to have gone, as with the whole state directory; has it looked for, once at a time.
    pub(super) fn is_removed(&self) -> bool {
        if let Some(words) = &self.words
            && !self.seen.is_being_looked.swap(true, Ordering::AcqRel)
        {
            let _ = words.send(Word::Look);
        }
        self.seen.is_removed.load(Ordering::Acquire)
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

fn write(state_dir: PathBuf, first: Endpoint, heard: &Receiver<Word>, ask: &Sender<bool>, seen: &Seen) {
    let Ok(mut sheet) = Spool::open(&state_dir).and_then(|_| Sheet::make(&state_dir, first)) else { return };
    let is_an_ancestors = sheet.take_over(&state_dir);
    if sandbox::confine(&state_dir, Ports::default()).is_err() {
        return;
    }
    let _ = ask.send(is_an_ancestors);
    while let Ok(word) = heard.recv() {
        match word {
            // Where the disk is full the old words stay.
            Word::Say(said) => drop(sheet.write(said)),
            Word::Look => {
                seen.is_removed.store(sheet.is_removed(), Ordering::Release);
                seen.is_being_looked.store(false, Ordering::Release);
            }
        }
    }
}
