//! The registers that the kernel keeps for a thread while it runs a signal handler, in the order of `user_regs_struct`.

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{BYTES, OFFSET, registers};

#[cfg(not(target_arch = "x86_64"))]
pub(super) use elsewhere::{BYTES, OFFSET, registers};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    /// Where the general registers start in a `ucontext`.
    pub(crate) const OFFSET: u64 = 40;
    const COUNT: usize = 19;
    pub(crate) const BYTES: usize = COUNT * 8;
    /// Of each register of `user_regs_struct` its place in the `ucontext`: r15 to r12, rbp, rbx, r11 to r8, rax, rcx, rdx,
    /// rsi, rdi, then the number of a system call, which is not kept, and rip.
    const PLACES: [Option<usize>; 17] = [
        Some(7),
        Some(6),
        Some(5),
        Some(4),
        Some(10),
        Some(11),
        Some(3),
        Some(2),
        Some(1),
        Some(0),
        Some(13),
        Some(14),
        Some(12),
        Some(9),
        Some(8),
        None,
        Some(16),
    ];
    const STACK_POINTER: usize = 15;
    const FLAGS: usize = 17;
    const SEGMENTS: usize = 18;

    pub(crate) fn registers(bytes: &[u8; BYTES]) -> Vec<u64> {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |place: usize| words.get(place).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let general = PLACES.iter().map(|place| place.map_or(u64::MAX, word));
        let segments = word(SEGMENTS);
        let rest = [segments & 0xFFFF, word(FLAGS), word(STACK_POINTER), segments >> 48, 0, 0, 0, 0, 0, 0];
        general.chain(rest).collect()
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    pub(crate) const OFFSET: u64 = 0;
    pub(crate) const BYTES: usize = 8;

    pub(crate) fn registers(_: &[u8; BYTES]) -> Vec<u64> {
        Vec::new()
    }
}
