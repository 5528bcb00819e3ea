//! aarch64. Register numbers are indices into the kernel's `user_pt_regs`. Built, but not yet tried on a machine.

use framehop::UnwindRegsNative;

use super::Registers;

/// As Sentry calls this processor.
pub(in crate::report) const ARCH: &str = "arm64";
/// The names of the three registers that a report may hold.
pub(in crate::report) const REGISTER_NAMES: [&str; 3] = ["pc", "sp", "fp"];
/// More bits than this are not used of an address.
pub(in crate::report) const ADDRESS_BITS: u32 = 48;
/// Longest call instruction, bytes.
pub(in crate::report) const CALL_BYTES_MAX: u64 = 4;
/// `mov x8, #139; svc #0`: the way out of a signal handler, `rt_sigreturn`.
pub(in crate::report) const SIGNAL_RETURN: &[u8] = &[0x68, 0x11, 0x80, 0xD2, 0x01, 0, 0, 0xD4];

const FP: usize = 29;
const LR: usize = 30;
const SP: usize = 31;
const PC: usize = 32;
/// `siginfo` comes first, then the `ucontext` with its registers.
const CONTEXT: u64 = 128 + 176;

impl Registers {
    pub(in crate::report) fn of(values: &[u64]) -> Option<Self> {
        Some(Self { ip: *values.get(PC)?, sp: *values.get(SP)?, fp: *values.get(FP)?, lr: *values.get(LR)? })
    }

    /// Those of the code that a signal interrupted.
    pub(in crate::report) fn of_signal_frame(sp: u64, word: impl Fn(u64) -> Option<u64>) -> Option<Self> {
        let at = |index: usize| word(sp.checked_add(CONTEXT + 8 + 8 * index as u64)?);
        Some(Self { ip: at(PC)?, sp: at(SP)?, fp: at(FP)?, lr: at(LR)? })
    }

    /// Those of the caller, where a call went to an address that holds no code.
    pub(in crate::report) fn of_bad_jump(self, _word: impl Fn(u64) -> Option<u64>) -> Option<Self> {
        Some(Self { ip: self.lr, ..self })
    }

    pub(in crate::report) fn native(self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.lr, self.sp, self.fp)
    }

    pub(in crate::report) fn from_native(native: &UnwindRegsNative, ip: u64) -> Self {
        Self { ip, sp: native.sp(), fp: native.fp(), lr: native.lr() }
    }
}

/// Whether these bytes are `bl` or `blr`.
pub(in crate::report) fn ends_with_call(code: &[u8]) -> bool {
    let word = code.last_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    word.is_some_and(|word| word >> 26 == 0b10_0101 || word & 0xFFFF_FC1F == 0xD63F_0000)
}
