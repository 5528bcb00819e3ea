//! Where no monitor answers, the recorder itself goes to a file: the next monitor makes the report of it.

use core::ffi::CStr;
use core::ptr::NonNull;

use lifeboat_recorder::{RECORDER_BYTES, Recorder};

use crate::{state, sys};

/// Room for the state directory and what is added to it.
const PATH_ROOM: usize = state::PathBuffer::ROOM + 96;
const PART: &[u8] = b".part";
const FILE_MODE: usize = 0o600;
const DIRECTORY_MODE: usize = 0o700;

/// Writes `<state>/recorders/<pid>-<boot time>-<generation>.recorder`, under another name until it is whole.
///
/// Never inlined: its path must not lie on the small signal stack of every handler that does not need it.
#[inline(never)]
pub(crate) fn write(recorder: Recorder, generation: u32) {
    let mut path = PathText { bytes: [0; PATH_ROOM], length: 0 };
    path.push(state::STATE_DIR.get());
    path.make_folder();
    path.push(b"/recorders");
    path.make_folder();
    path.push(b"/");
    path.push_number(u64::from(sys::getpid()));
    path.push(b"-");
    path.push_number(sys::clock_ns(sys::CLOCK_BOOTTIME));
    path.push(b"-");
    path.push_number(u64::from(generation));
    path.push(b".recorder");
    let whole = path.length;
    path.push(PART);
    let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL | sys::O_CLOEXEC;
    let Some(Ok(fd)) = path.c_str().map(|part| sys::open(part, flags, FILE_MODE)) else { return };
    write_whole(fd, recorder.base());
    sys::close(fd);
    path.publish(whole);
}

fn write_whole(fd: i32, base: NonNull<u8>) {
    let mut written = 0;
    while written < RECORDER_BYTES {
        // SAFETY: `written` stays below the recorder's size.
        let from = unsafe { base.add(written) };
        // SAFETY: the rest of the recorder is that long; a reader of the file checks every record.
        match unsafe { sys::write(fd, from, RECORDER_BYTES - written) } {
            Ok(0) => return,
            Ok(bytes) => written = written.saturating_add(bytes),
            Err(sys::Errno::INTERRUPTED) => {}
            Err(_) => return,
        }
    }
}

/// A path built without an allocator.
struct PathText {
    bytes: [u8; PATH_ROOM],
    length: usize,
}

impl PathText {
    fn make_folder(&self) {
        if let Some(folder) = self.c_str() {
            sys::mkdir(folder, DIRECTORY_MODE);
        }
    }

    /// Renames the file to the first `whole` bytes of its name.
    fn publish(&mut self, whole: usize) {
        let mut part = [0_u8; PATH_ROOM];
        for (to, from) in part.iter_mut().zip(self.bytes.iter()) {
            *to = *from;
        }
        if let Some(end) = self.bytes.get_mut(whole) {
            *end = 0;
        }
        self.length = whole;
        if let (Ok(part), Some(name)) = (CStr::from_bytes_until_nul(&part), self.c_str()) {
            sys::rename(part, name);
        }
    }

    fn push(&mut self, text: &[u8]) {
        let room = self.bytes.get_mut(self.length..PATH_ROOM - 1).unwrap_or(&mut []);
        if text.len() > room.len() {
            return;
        }
        for (to, from) in room.iter_mut().zip(text) {
            *to = *from;
        }
        self.length += text.len();
    }

    fn push_number(&mut self, number: u64) {
        let mut digits = [0_u8; 20];
        let (mut rest, mut count) = (number, 0);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            count += 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(20 - count..).unwrap_or(&[]));
    }

    /// The path so far; nothing where it is empty.
    fn c_str(&self) -> Option<&CStr> {
        let text = self.bytes.get(..=self.length)?;
        (self.length > 0).then(|| CStr::from_bytes_until_nul(text).ok()).flatten()
    }
}
