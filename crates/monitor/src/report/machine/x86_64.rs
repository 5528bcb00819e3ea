//! x86_64. Register numbers are indices into the kernel's `user_regs_struct`.

use framehop::UnwindRegsNative;

use super::Registers;

/// As Sentry calls this processor.
pub(in crate::report) const ARCH: &str = "x86_64";
/// The names of the three registers that a report may hold.
pub(in crate::report) const REGISTER_NAMES: [&str; 3] = ["rip", "rsp", "rbp"];
/// More bits than this are not used of an address (four-level paging, lower half).
pub(in crate::report) const ADDRESS_BITS: u32 = 47;
/// Longest call instruction, bytes.
pub(in crate::report) const CALL_BYTES_MAX: u64 = 7;
/// `mov $15, %rax; syscall`: the C library's way out of a signal handler, `rt_sigreturn`.
pub(in crate::report) const SIGNAL_RETURN: &[u8] = &[0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05];

const RBP: usize = 4;
const RIP: usize = 16;
const RSP: usize = 19;
/// Within the `ucontext` that lies at the stack pointer when a handler has returned.
const CONTEXT_RBP: u64 = 120;
const CONTEXT_RSP: u64 = 160;
const CONTEXT_RIP: u64 = 168;

impl Registers {
    pub(in crate::report) fn of(values: &[u64]) -> Option<Self> {
        Some(Self { ip: *values.get(RIP)?, sp: *values.get(RSP)?, fp: *values.get(RBP)?, lr: 0 })
    }

    /// Those of the code that a signal interrupted.
    pub(in crate::report) fn of_signal_frame(sp: u64, word: impl Fn(u64) -> Option<u64>) -> Option<Self> {
        let at = |offset: u64| word(sp.checked_add(offset)?);
        Some(Self { ip: at(CONTEXT_RIP)?, sp: at(CONTEXT_RSP)?, fp: at(CONTEXT_RBP)?, lr: 0 })
    }

    /// Those of the caller, where a call went to an address that holds no code.
    pub(in crate::report) fn of_bad_jump(self, word: impl Fn(u64) -> Option<u64>) -> Option<Self> {
        Some(Self { ip: word(self.sp)?, sp: self.sp.checked_add(8)?, ..self })
    }

    pub(in crate::report) fn native(self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.ip, self.sp, self.fp)
    }

    pub(in crate::report) fn from_native(native: &UnwindRegsNative, ip: u64) -> Self {
        Self { ip, sp: native.sp(), fp: native.bp(), lr: 0 }
    }
}

/// Whether these bytes end with a call: `E8` with a distance, or `FF /2` with any operand.
pub(in crate::report) fn ends_with_call(code: &[u8]) -> bool {
    let back = |bytes: usize| code.len().checked_sub(bytes).and_then(|at| code.get(at).copied());
    let is_indirect = |bytes: usize| {
        let operand = back(bytes - 1).map(|operand| (operand >> 6, operand >> 3 & 7, operand & 7));
        let Some((mode, 2, base)) = operand.filter(|_| back(bytes) == Some(0xFF)) else { return false };
        let index = usize::from(mode != 3 && base == 4);
        let distance = match (mode, base) {
            (0, 5) | (2, _) => 4,
            (1, _) => 1,
            _ => 0,
        };
        bytes == 2 + index + distance
    };
    back(5) == Some(0xE8) || [2, 3, 4, 6, 7].into_iter().any(is_indirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known() {
        let cases: [(&[u8], bool); 8] = [
            (&[0x90, 0x90, 0xE8, 1, 2, 3, 4], true),
            (&[0x90, 0x90, 0x90, 0x90, 0x90, 0xFF, 0xD0], true),
            (&[0x90, 0xFF, 0x15, 1, 2, 3, 4], true),
            (&[0x90, 0x90, 0x90, 0x90, 0xFF, 0x50, 0x18], true),
            (&[0xFF, 0x94, 0x24, 1, 2, 3, 4], true),
            (&[0x90, 0x90, 0x90, 0x90, 0x90, 0xFF, 0xE0], false),
            (&[0x90; 7], false),
            (&[], false),
        ];
        for (code, is_call) in cases {
            assert_eq!(ends_with_call(code), is_call, "{code:x?}");
        }
    }
}
