//! What is set where: the environment wins over the options given in code.

use core::ffi::{CStr, c_char};
use core::mem::offset_of;

use lifeboat_abi::{Options, Switch, option_flags};

use crate::bell::TIMEOUT_MAX_MS;
use crate::environ::Environ;

/// The options of one start, read field by field: an older header's struct may be shorter than ours.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    options: *const Options,
    bytes: usize,
    pub(crate) environ: Environ,
}

impl Settings {
    /// # Safety
    /// `options` must be null or point to as many bytes as its `struct_size` says, laid out as some version of
    /// [`Options`]; every text in it must be null or NUL-terminated.
    pub(crate) unsafe fn new(options: *const Options) -> Option<Self> {
        if options.is_null() {
            return None;
        }
        // SAFETY: every version starts with `struct_size`, a u32.
        let bytes = unsafe { options.cast::<u32>().read_unaligned() } as usize;
        // SAFETY: nothing is read through the empty environment.
        let environ = unsafe { Environ::new(core::ptr::null()) };
        let bare = Self { options, bytes, environ };
        let at = bare.field::<*const *const c_char>(offset_of!(Options, environ));
        // SAFETY: the loader fills in the process's own environment.
        let environ = unsafe { Environ::new(at.unwrap_or(core::ptr::null())) };
        Some(Self { environ, ..bare })
    }

    /// The environment's value, else the option's, where it is neither unset nor empty.
    pub(crate) fn text(&self, name: &str, offset: usize) -> Option<&'static [u8]> {
        self.environ.get(name).or_else(|| self.option(offset))
    }

    /// The option alone.
    pub(crate) fn option(&self, offset: usize) -> Option<&'static [u8]> {
        let text = self.field::<*const c_char>(offset).filter(|text| !text.is_null())?;
        // SAFETY: texts in the options are NUL-terminated; the caller of `start` keeps them for the call.
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        (!text.is_empty()).then_some(text)
    }

    /// The environment's number, else the option's, where it is one and not 0.
    pub(crate) fn number(&self, name: &str, offset: usize) -> Option<u32> {
        let named = self.environ.number(name).and_then(|number| u32::try_from(number).ok());
        named.or_else(|| self.field::<u32>(offset)).filter(|number| *number != 0)
    }

    pub(crate) fn capture_timeout_ms(&self) -> u32 {
        const DEFAULT_MS: u32 = 2_000;
        match self.field::<u32>(offset_of!(Options, capture_timeout_ms)) {
            None | Some(0) => DEFAULT_MS,
            Some(timeout) => timeout.min(TIMEOUT_MAX_MS),
        }
    }

    /// Whether something turned it on and `LIFEBOAT` does not forbid it.
    pub(crate) fn is_on(&self) -> bool {
        let by_flag =
            self.field::<u32>(offset_of!(Options, flags)).is_some_and(|it| it & option_flags::ON != 0);
        match self.environ.get("LIFEBOAT").and_then(Switch::of) {
            Some(switch) => switch == Switch::On,
            None => by_flag || self.text("LIFEBOAT_REPORTER", offset_of!(Options, reporter)).is_some(),
        }
    }

    fn field<T: Copy>(&self, offset: usize) -> Option<T> {
        if offset.checked_add(size_of::<T>())? > self.bytes {
            return None;
        }
        // SAFETY: the caller's struct reaches past this field, as checked; fields are plain numbers and pointers.
        let at = unsafe { self.options.byte_add(offset) };
        // SAFETY: as above; the struct may stand at any address.
        Some(unsafe { at.cast::<T>().read_unaligned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_decides_whatever_else_is_set() {
        let is_on = |word: &CStr, flags: u32| {
            let environ = [c"LIFEBOAT_REPORTER=/reporter.so".as_ptr(), word.as_ptr(), core::ptr::null()];
            // SAFETY: no option is the zero of its type.
            let mut options: Options = unsafe { core::mem::zeroed() };
            options.struct_size = size_of::<Options>() as u32;
            (options.flags, options.environ) = (flags, environ.as_ptr());
            // SAFETY: options and environment are laid out as said, and outlive the settings.
            unsafe { Settings::new(&raw const options) }.is_some_and(|settings| settings.is_on())
        };
        for word in [c"LIFEBOAT=on", c"LIFEBOAT=ON", c"LIFEBOAT=1", c"LIFEBOAT=", c"OTHER=off"] {
            assert!(is_on(word, 0), "{word:?}");
        }
        for word in [c"LIFEBOAT=off", c"LIFEBOAT=OFF", c"LIFEBOAT=0", c"LIFEBOAT=of", c"LIFEBOAT=no"] {
            assert!(!is_on(word, option_flags::ON), "{word:?}");
        }
    }
}
