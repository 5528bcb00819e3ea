//! Where no monitor answers, the recorder itself goes to a file: the next monitor makes the report of it.

use core::ffi::CStr;
use core::ptr::NonNull;

use lifeboat_recorder::{RECORDER_BYTES, Recorder};

use crate::{state, sys};

/// Room for the state directory and what is added to it.
const PATH_ROOM: usize = state::PathBuffer::ROOM + 96;
const FILE_MODE: usize = 0o600;
const DIRECTORY_MODE: usize = 0o700;

/// Writes `<state>/recorders/<pid>-<boot time>-<generation>.recorder`, under another name until it is whole.
pub(crate) fn write(recorder: Recorder, generation: u32) {
    let mut path = PathText::new(state::STATE_DIR.get());
    let Some(directory) = path.c_str() else { return };
    sys::mkdir(directory, DIRECTORY_MODE);
    path.push(b"/recorders");
    let Some(directory) = path.c_str() else { return };
    sys::mkdir(directory, DIRECTORY_MODE);
    path.push(b"/");
    path.push_number(u64::from(sys::getpid()));
    path.push(b"-");
    path.push_number(sys::clock_ns(sys::CLOCK_BOOTTIME));
    path.push(b"-");
    path.push_number(u64::from(generation));
    path.push(b".recorder");
    let Some(file) = path.c_str() else { return };
    let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL | sys::O_CLOEXEC;
    let Ok(fd) = sys::open(file, flags, FILE_MODE) else { return };
    write_whole(fd, recorder.base());
    sys::close(fd);
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
    fn new(start: &[u8]) -> Self {
        let mut path = Self { bytes: [0; PATH_ROOM], length: 0 };
        path.push(start);
        path
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
