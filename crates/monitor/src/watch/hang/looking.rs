//! The look at what hangs, in a thread of its own: a loop that hangs with the node's memory map locked makes whoever reads
//! that memory stand in the kernel, and a death meanwhile must be captured all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::capture::Capture;

use super::super::link::Link;
use super::super::threads::GoesOn;
use super::Found;

/// How long a death waits for the threads that are held here. They are let go at once, unless the kernel keeps us.
const LET_GO_TIMEOUT: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_micros(100);

/// A look that was begun.
pub(crate) struct Looking {
    captured: Receiver<Capture>,
    held: Arc<Held>,
}

/// Whether threads of the node are traced by the look.
#[derive(Default)]
pub(super) struct Held(AtomicBool);

impl Looking {
    /// Begins; nothing where there can be no thread.
    pub(crate) fn start(link: &Arc<Link>, found: Found) -> Option<Self> {
        let (send, captured) = channel();
        let held = Arc::new(Held::default());
        let (link, holder) = (Arc::clone(link), Arc::clone(&held));
        let work = move || {
            if let Some(capture) = super::look::capture(&link, found, &holder) {
                // Who does not listen any more has seen the node's end.
                let _ = send.send(capture);
            }
            // Whoever the bell wakes shall see that this is over.
            drop(send);
            link.ring();
        };
        std::thread::Builder::new().name("hang".into()).spawn(work).ok()?;
        Some(Self { captured, held })
    }

    /// What was seen, within this time.
    ///
    /// # Errors
    /// Where it is not over, and where it was given up because the node is about to end.
    pub(crate) fn take(&self, patience: Duration) -> Result<Capture, RecvTimeoutError> {
        self.captured.recv_timeout(patience)
    }

    /// Waits until no thread of the node is held here: two cannot trace it at once. For whoever has seen that it is about
    /// to end.
    pub(crate) fn wait_until_let_go(&self) {
        let from = Instant::now();
        fence(Ordering::SeqCst);
        while self.held.0.load(Ordering::SeqCst) && from.elapsed() < LET_GO_TIMEOUT {
            std::thread::sleep(NAP);
        }
    }
}

impl Held {
    /// Takes threads for as long as the node is not about to end. Nothing where it is.
    pub(super) fn take<T>(&self, link: &Link, take: impl FnOnce(GoesOn<'_>) -> T) -> Option<T> {
        let goes_on = || link.lives() && !link.is_ending();
        self.0.store(true, Ordering::SeqCst);
        // Either this sees that the node is about to end, or whoever saw that sees that threads are held.
        fence(Ordering::SeqCst);
        let taken = goes_on().then(|| take(&goes_on));
        self.0.store(false, Ordering::SeqCst);
        taken.filter(|_| goes_on())
    }
}
