//! Where no monitor answers, the recorder itself goes to a file: the next monitor makes the report of it.

use core::ffi::CStr;
use core::ptr::NonNull;

use lifeboat_recorder::{RECORDER_BYTES, Recorder};

use crate::action::bit;
use crate::{state, sys};

/// Room for the state directory and what is added to it.
const PATH_ROOM: usize = state::PathBuffer::ROOM + 96;
const PART: &[u8] = b".part";
const FILE_MODE: usize = 0o600;
const DIRECTORY_MODE: usize = 0o700;

/// How many raw captures there may be: a node that dies without a monitor again and again fills no disk.
const FILES_MAX: u64 = 32;
const FILE_EXISTS: sys::Errno = sys::Errno(17);
const SIGXFSZ: u32 = 25;

/// Writes `<state>/recorders/raw-<number>.recorder`, under another name until it is whole.
///
/// Never inlined: its path must not lie on the small signal stack of every handler that does not need it.
#[inline(never)]
pub(crate) fn write(recorder: Recorder) {
    let mut path = PathText { bytes: [0; PATH_ROOM], length: 0 };
    path.length = state::STATE_DIR.copy_to(&mut path.bytes);
    path.make_folder();
    path.push(b"/recorders");
    path.make_folder();
    path.push(b"/raw-");
    let start = path.length;
    for number in 0..FILES_MAX {
        path.cut(start);
        path.push_number(number);
        path.push(b".recorder");
        let whole = path.length;
        if path.c_str().is_none_or(|name| sys::stat(name).is_ok()) {
            continue;
        }
        path.push(PART);
        let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL | sys::O_CLOEXEC;
        match path.c_str().map(|part| sys::open(part, flags, FILE_MODE)) {
            Some(Ok(fd)) => {
                let is_whole = write_whole(fd, recorder.base());
                sys::close(fd);
                return path.conclude(whole, is_whole);
            }
            // Another process writes this one just now.
            Some(Err(FILE_EXISTS)) => {}
            _ => return,
        }
    }
}

fn write_whole(fd: i32, base: NonNull<u8>) -> bool {
    let mut written = 0;
    while written < RECORDER_BYTES {
        // SAFETY: `written` stays below the recorder's size.
        let from = unsafe { base.add(written) };
        // SAFETY: the rest of the recorder is that long; a reader of the file checks every record.
        match unsafe { sys::write(fd, from, RECORDER_BYTES - written) } {
            Ok(bytes) if bytes > 0 => written = written.saturating_add(bytes),
            Err(sys::Errno::INTERRUPTED) => {}
            _ => {
                // Beyond RLIMIT_FSIZE the kernel sends a signal that would end the node otherwise than it died.
                sys::consume(bit(SIGXFSZ));
                return false;
            }
        }
    }
    true
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

    /// Renames the file to the first `whole` bytes of its name, or removes it.
    fn conclude(&mut self, whole: usize, is_whole: bool) {
        let part = self.bytes;
        self.cut(whole);
        if let (Ok(part), Some(name)) = (CStr::from_bytes_until_nul(&part), self.c_str()) {
            if is_whole { sys::rename(part, name) } else { sys::unlink(part) }
        }
    }

    /// Back to the first `length` bytes.
    fn cut(&mut self, length: usize) {
        for byte in self.bytes.iter_mut().skip(length) {
            *byte = 0;
        }
        self.length = length;
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
