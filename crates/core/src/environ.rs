//! The node's environment as `start` is handed it: read once, never written.

use core::ffi::{CStr, c_char};

/// The environment: null, or an array of `NAME=value` that a null ends.
#[derive(Clone, Copy)]
pub(crate) struct Environ {
    at: *const *const c_char,
}

impl Environ {
    /// # Safety
    /// `at` must be null or a null-terminated array of NUL-terminated texts that nobody changes during `start`.
    pub(crate) const unsafe fn new(at: *const *const c_char) -> Self {
        Self { at }
    }

    /// Every entry, `NAME=value`.
    pub(crate) fn entries(self) -> impl Iterator<Item = &'static CStr> {
        let mut at = self.at;
        core::iter::from_fn(move || {
            if at.is_null() {
                return None;
            }
            // SAFETY: the array ends at a null entry, past which we never step.
            let entry = unsafe { at.read() };
            if entry.is_null() {
                return None;
            }
            // SAFETY: the entry was not the last one.
            at = unsafe { at.add(1) };
            // SAFETY: entries are NUL-terminated, as `new`'s caller promised.
            Some(unsafe { CStr::from_ptr(entry) })
        })
    }

    /// The number that a variable holds; nothing where it holds none.
    pub(crate) fn number(self, name: &str) -> Option<u64> {
        let text = self.get(name)?.trim_ascii();
        text.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    /// The value of a variable; nothing where it is unset or empty.
    pub(crate) fn get(self, name: &str) -> Option<&'static [u8]> {
        self.entries()
            .find_map(|entry| entry.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
            .filter(|value| !value.is_empty())
    }
}

/// What the monitor needs of it; the rest, secrets and all, stays in the node.
pub(crate) fn is_for_monitor(entry: &[u8]) -> bool {
    // Ours alone begin so, whatever they are; none holds a secret.
    const OURS: &[u8] = b"LIFEBOAT_";
    const NAMES: [&[u8]; 11] = [
        b"HTTP_PROXY=",
        b"http_proxy=",
        b"HTTPS_PROXY=",
        b"https_proxy=",
        b"ALL_PROXY=",
        b"all_proxy=",
        b"NO_PROXY=",
        b"no_proxy=",
        b"SSL_CERT_FILE=",
        b"SSL_CERT_DIR=",
        b"TZ=",
    ];
    entry.starts_with(OURS) || NAMES.iter().any(|name| entry.starts_with(name))
}
