//! x86_64: the system call instruction, signal frames and the two ways into a new stack.

use core::arch::{asm, naked_asm};
use core::ffi::c_void;

/// System call numbers of this machine.
pub(crate) mod number {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const MPROTECT: usize = 10;
    pub(crate) const RT_SIGACTION: usize = 13;
    pub(crate) const RT_SIGPROCMASK: usize = 14;
    pub(crate) const PREAD64: usize = 17;
    pub(crate) const SCHED_YIELD: usize = 24;
    pub(crate) const MREMAP: usize = 25;
    pub(crate) const MADVISE: usize = 28;
    pub(crate) const DUP2: usize = 33;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const SOCKET: usize = 41;
    pub(crate) const SENDTO: usize = 44;
    pub(crate) const CLONE: usize = 56;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const EXIT: usize = 60;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const KILL: usize = 62;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const FTRUNCATE: usize = 77;
    pub(crate) const RENAME: usize = 82;
    pub(crate) const SETSID: usize = 112;
    pub(crate) const GETEUID: usize = 107;
    pub(crate) const SIGALTSTACK: usize = 131;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const GETTID: usize = 186;
    pub(crate) const FUTEX: usize = 202;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const EXIT_GROUP: usize = 231;
    pub(crate) const TGKILL: usize = 234;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 128;
    pub(crate) const UNLINKAT: usize = 263;
    pub(crate) const MKDIRAT: usize = 258;
    pub(crate) const NEWFSTATAT: usize = 262;
    pub(crate) const READLINKAT: usize = 267;
    pub(crate) const FACCESSAT: usize = 269;
    pub(crate) const RT_TGSIGQUEUEINFO: usize = 297;
    pub(crate) const PROCESS_VM_READV: usize = 310;
    pub(crate) const MEMFD_CREATE: usize = 319;
    pub(crate) const PIDFD_OPEN: usize = 434;
    pub(crate) const CLOSE_RANGE: usize = 436;
}

/// The system call instruction.
///
/// # Safety
/// As [`super::call`].
pub(crate) unsafe fn syscall(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the kernel clobbers rcx and r11 alone, which are named; memory effects are the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// Clones with `flags` onto a stack of its own and calls `entry(argument)` there; answers as clone(2) does in
/// the parent. `entry` must not return.
///
/// # Safety
/// `stack_top` must be 16-aligned and end at least 2 KiB of memory that nobody else uses until the child has
/// executed another program or ended.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on_new_stack(
    flags: usize,
    stack_top: *mut u8,
    entry: extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> isize {
    naked_asm!(
        // The child finds entry and argument on its own stack.
        "sub rsi, 16",
        "mov [rsi], rdx",
        "mov [rsi + 8], rcx",
        "xor edx, edx",
        "xor r10d, r10d",
        "xor r8d, r8d",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "ud2",
        clone = const number::CLONE,
    )
}

/// Ends a signal handler. Its bytes are the ones by which unwinders and debuggers know a signal frame.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn restorer() {
    naked_asm!("mov rax, 15", "syscall")
}

/// Ends a handler that we chained to: before the thread goes on, `after` takes our place back.
///
/// The stack pointer stands at the `ucontext`; what lies below is free. The unwind table describes the signal
/// frame as libc's own restorer does, so that a backtrace made in the chained handler passes through; it starts
/// one byte early because unwinders look up the return address less one.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn chained_restorer_with_table() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        // CFA = [rsp + 160], the interrupted stack pointer.
        ".cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06",
        // Each register's place within the ucontext, from rsp on: rax rdx rcx rbx rsi rdi rbp, r8 to r15, rip.
        ".cfi_escape 0x10, 0, 3, 0x77, 0x90, 0x01",
        ".cfi_escape 0x10, 1, 3, 0x77, 0x88, 0x01",
        ".cfi_escape 0x10, 2, 3, 0x77, 0x98, 0x01",
        ".cfi_escape 0x10, 3, 3, 0x77, 0x80, 0x01",
        ".cfi_escape 0x10, 4, 3, 0x77, 0xf0, 0x00",
        ".cfi_escape 0x10, 5, 3, 0x77, 0xe8, 0x00",
        ".cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0x00",
        ".cfi_escape 0x10, 8, 2, 0x77, 0x28",
        ".cfi_escape 0x10, 9, 2, 0x77, 0x30",
        ".cfi_escape 0x10, 10, 2, 0x77, 0x38",
        ".cfi_escape 0x10, 11, 3, 0x77, 0xc0, 0x00",
        ".cfi_escape 0x10, 12, 3, 0x77, 0xc8, 0x00",
        ".cfi_escape 0x10, 13, 3, 0x77, 0xd0, 0x00",
        ".cfi_escape 0x10, 14, 3, 0x77, 0xd8, 0x00",
        ".cfi_escape 0x10, 15, 3, 0x77, 0xe0, 0x00",
        ".cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01",
        "nop",
        "mov rbx, rsp",
        "lea rdi, [rsp + {siginfo}]",
        "and rsp, -16",
        "call {after}",
        "mov rsp, rbx",
        "mov rax, 15",
        "syscall",
        ".cfi_endproc",
        siginfo = const UCONTEXT_BYTES,
        after = sym crate::chain::after_chained,
    )
}

/// The address that a chained handler returns to.
pub(crate) fn chained_restorer() -> usize {
    // The first byte is the `nop` that keeps "return address less one" inside the unwind table.
    chained_restorer_with_table as *const () as usize + 1
}

/// `sizeof(struct ucontext)` without the extended state; the siginfo follows it in the signal frame.
const UCONTEXT_BYTES: usize = 304;
/// Where the general registers start in it.
const GREGS_OFFSET: usize = 40;
const GREGS: usize = 23;

/// The interrupted registers in the order of `user_regs_struct`.
///
/// # Safety
/// `ucontext` must be the third argument of a handler with SA_SIGINFO.
pub(crate) unsafe fn registers_of(ucontext: *const c_void) -> [u64; 27] {
    // SAFETY: the kernel's ucontext holds 23 longs from this offset on.
    let at = unsafe { ucontext.byte_add(GREGS_OFFSET) };
    // SAFETY: as above; the frame lives until the handler returns.
    let gregs = unsafe { &*at.cast::<[u64; GREGS]>() };
    let [
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        eflags,
        segments,
        ..,
    ] = *gregs;
    let (cs, ss) = (segments & 0xFFFF, segments >> 48);
    [
        r15,
        r14,
        r13,
        r12,
        rbp,
        rbx,
        r11,
        r10,
        r9,
        r8,
        rax,
        rcx,
        rdx,
        rsi,
        rdi,
        u64::MAX,
        rip,
        cs,
        eflags,
        rsp,
        ss,
        0,
        0,
        0,
        0,
        0,
        0,
    ]
}

/// The stack pointer among them.
pub(crate) fn stack_pointer_of(registers: &[u64; 27]) -> u64 {
    let [.., rsp, _ss, _fs_base, _gs_base, _ds, _es, _fs, _gs] = *registers;
    rsp
}
