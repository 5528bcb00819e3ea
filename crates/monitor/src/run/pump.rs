//! Carries bytes from a pipe to where they were meant to go: each as soon as it comes, and no faster than it is taken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::Error;
use crate::hygiene;

/// As much as a pipe holds.
const BUFFER_BYTES: usize = 64 * 1024;

/// The pipe, where somebody may still write into it.
pub(super) type Rest = Option<OwnedFd>;

/// The role `pump`: carries standard input to standard output, until nobody writes or nobody reads.
///
/// # Errors
/// None; the answer fits the other roles'.
pub fn pump() -> Result<(), Error> {
    hygiene::close_above(2);
    hygiene::settle();
    let Ok(from) = io::stdin().as_fd().try_clone_to_owned() else { return Ok(()) };
    // The only reader shall be the one that ends with the reading.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    run(from, io::stdout().as_fd(), None, |_| {});
    Ok(())
}

/// Carries until the pipe's end; or, once `ended` can be read, until what lay in the pipe at that moment is out.
/// Where nobody takes it any more the pipe is closed, so that the writer learns it.
pub(super) fn run(
    from: OwnedFd,
    to: BorrowedFd<'_>,
    ended: Option<BorrowedFd<'_>>,
    mut heard: impl FnMut(&[u8]),
) -> Rest {
    let mut buffer = vec![0; BUFFER_BYTES];
    // What the program has left behind, once it has ended.
    let mut left: Option<usize> = None;
    let mut asked = Some(to);
    loop {
        let has_ended = left.is_some();
        let ready = match wait(from.as_fd(), asked, ended.filter(|_| !has_ended)) {
            Ok(ready) => ready,
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        };
        if ready.is_refused {
            return None;
        }
        if ready.is_hung_up {
            // A socket's other side has gone: a write tells, and asking again would only be answered so again.
            asked = None;
        }
        if ready.has_ended && left.is_none() {
            left = Some(rustix::io::ioctl_fionread(&from).map_or(0, |bytes| bytes as usize));
        }
        if left == Some(0) {
            return (!is_closed(from.as_fd())).then_some(from);
        }
        if !ready.is_readable {
            continue;
        }
        let count = match rustix::io::read(&from, &mut buffer) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(_) => return None,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        heard(bytes);
        if write_all(to, bytes) == Err(Errno::PIPE) {
            return None;
        }
        left = left.map(|left| left.saturating_sub(count));
    }
}

struct Ready {
    is_readable: bool,
    is_refused: bool,
    is_hung_up: bool,
    has_ended: bool,
}

/// Waits until there is something to do. Whoever has ended or hung up is not asked again.
fn wait(
    from: BorrowedFd<'_>,
    to: Option<BorrowedFd<'_>>,
    ended: Option<BorrowedFd<'_>>,
) -> Result<Ready, Errno> {
    let mut polled = vec![PollFd::from_borrowed_fd(from, PollFlags::IN)];
    polled.extend(ended.map(|ended| PollFd::from_borrowed_fd(ended, PollFlags::IN)));
    let (at_ended, at_to) = (if ended.is_some() { 1 } else { usize::MAX }, polled.len());
    // Nothing is asked for: that nobody reads any more is told unasked.
    polled.extend(to.map(|to| PollFd::from_borrowed_fd(to, PollFlags::empty())));
    poll(&mut polled, None)?;
    let has = |at: usize, flags: PollFlags| polled.get(at).is_some_and(|fd| fd.revents().intersects(flags));
    Ok(Ready {
        is_readable: has(0, PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
        is_refused: has(at_to, PollFlags::ERR),
        is_hung_up: has(at_to, PollFlags::HUP),
        has_ended: has(at_ended, PollFlags::IN),
    })
}

/// Whether there is something to read within this time.
pub(super) fn is_readable(from: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
    let patience = Timespec::try_from(patience).unwrap_or_default();
    poll(&mut polled, Some(&patience)).is_ok_and(|ready| ready > 0)
}

fn is_closed(from: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
    let asked = poll(&mut polled, Some(&Timespec::default()));
    let [fd] = polled;
    asked.is_ok() && fd.revents().contains(PollFlags::HUP) && !fd.revents().contains(PollFlags::IN)
}

/// Writes all, also where the other side has made the file non-blocking. What cannot be written for another reason
/// than a closed pipe, such as a full disk, is lost: the program goes on.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut polled = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
                // An interrupted wait is begun again by the next write.
                let _ = poll(&mut polled, None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
