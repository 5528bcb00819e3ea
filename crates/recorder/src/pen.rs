//! Bounded writing and reading of the fields of one record: numbers, then texts with their length.

use core::ptr::NonNull;

/// Stands at the end of a text that was cut.
const CUT_MARK: &[u8] = "…".as_bytes();

/// Writes fields one after the other into a claimed place; what does not fit is left out.
pub(crate) struct Pen {
    at: NonNull<u8>,
    written: usize,
    room: usize,
}

impl Pen {
    /// # Safety
    /// `at` must be valid for writes of `room` bytes for as long as the pen lives, and nobody else may write there.
    pub(crate) const unsafe fn new(at: NonNull<u8>, room: usize) -> Self {
        Self { at, written: 0, room }
    }

    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    pub(crate) fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub(crate) fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    /// At most `max` bytes of `text`, cut at a character's border and marked where it was longer.
    pub(crate) fn put_text(&mut self, text: &[u8], max: usize) {
        let max = max.min(self.room.saturating_sub(self.written).saturating_sub(4));
        if text.len() <= max {
            self.put_u32(text.len() as u32);
            self.put(text);
            return;
        }
        let kept = cut(text, max.saturating_sub(CUT_MARK.len()));
        self.put_u32((kept.len() + CUT_MARK.len()) as u32);
        self.put(kept);
        self.put(CUT_MARK);
    }

    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > self.room.saturating_sub(self.written) {
            return;
        }
        // SAFETY: `new`'s caller made `room` bytes writable, and `written` never passes `room`.
        let target = unsafe { self.at.add(self.written) };
        // SAFETY: the check above leaves room for all of `bytes`, which cannot overlap a place only we write.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) };
        self.written += bytes.len();
    }
}

/// The first `max` bytes of `text`, less the torn character at their end.
fn cut(text: &[u8], max: usize) -> &[u8] {
    let max = max.min(text.len());
    // A character has at most four bytes; what is no UTF-8 at all is cut where it must be.
    let border =
        (max.saturating_sub(3)..=max).rev().find(|end| text.get(*end).is_none_or(|byte| byte & 0xC0 != 0x80));
    text.get(..border.unwrap_or(max)).unwrap_or(&[])
}

/// Reads fields in the order in which a [`Pen`] wrote them. Every read may fail; none reads past the end.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

/// The number at `offset`, if the bytes reach that far.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Fields::new(bytes.get(offset..)?).u32()
}

/// The number at `offset`, if the bytes reach that far.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Fields::new(bytes.get(offset..)?).u64()
}

/// A checksum that tells a whole record from a torn one; no defence against malice, which bounds checks are.
pub(crate) fn checksum(bytes: &[u8], seed: u32) -> u32 {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut sum = u64::from(seed) ^ PRIME ^ (bytes.len() as u64).wrapping_mul(PRIME);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
    }
    for byte in rest {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    (sum ^ (sum >> 32)) as u32
}
