//! The node's own metrics as text, for whoever collects them within the process.

use core::ffi::c_char;

use lifeboat_recorder::metrics::expose_own;

use crate::metrics;

/// What ends a page, and the text.
const END: &[u8] = b"# EOF\n\0";

/// Writes the OpenMetrics text of all metrics and a NUL, if all of it fits; answers how many bytes that takes, 0 where
/// there are none. Where it does not fit, the text is empty.
///
/// # Safety
/// `buffer` must be valid for writes of `size` bytes.
pub(crate) unsafe fn metrics_text(buffer: *mut c_char, size: u64) -> u64 {
    let Some(source) = metrics::source() else { return 0 };
    let mut needed = 0_u64;
    let mut put = |piece: &[u8]| {
        let start = needed;
        needed += piece.len() as u64;
        if needed <= size {
            // SAFETY: the place lies within the caller's bytes, as just seen.
            let place = unsafe { buffer.add(start as usize) };
            // SAFETY: there is room for all of the piece, which is ours.
            unsafe { core::ptr::copy_nonoverlapping(piece.as_ptr().cast(), place, piece.len()) };
        }
        true
    };
    let _ = expose_own(&source, &mut put);
    put(END);
    if needed > size && size > 0 {
        // SAFETY: there is one byte at least.
        unsafe { buffer.write(0) };
    }
    needed
}
