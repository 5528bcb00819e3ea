//! Names of signals and of their codes, and what a fault address says. See sigaction(2).

use super::machine::{self, Registers};

/// Below this an address is a null pointer with a small distance, such as a field's.
const NULL_PAGE: u64 = 4096;
/// A fault this near to the stack pointer, on either side, is the stack's.
const STACK_NEAR: u64 = 256 * 1024;

const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const SI_KERNEL: i32 = 128;

/// Whether this signal means a mistake in the program, which a handler of ours would have seen.
pub(crate) const fn is_fault(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGSEGV
            | libc::SIGBUS
            | libc::SIGILL
            | libc::SIGFPE
            | libc::SIGABRT
            | libc::SIGTRAP
            | libc::SIGSYS
    )
}

/// `SIGSEGV` for 11.
pub(crate) fn name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// `SEGV_MAPERR` for code 1 of SIGSEGV.
pub(super) fn code_name(signal: i32, code: i32) -> Option<&'static str> {
    let name = match (signal, code) {
        (_, 0) => "SI_USER",
        (_, SI_KERNEL) => "SI_KERNEL",
        (_, -1) => "SI_QUEUE",
        (_, -6) => "SI_TKILL",
        (libc::SIGSEGV, SEGV_MAPERR) => "SEGV_MAPERR",
        (libc::SIGSEGV, SEGV_ACCERR) => "SEGV_ACCERR",
        (libc::SIGSEGV, 3) => "SEGV_BNDERR",
        (libc::SIGSEGV, 4) => "SEGV_PKUERR",
        (libc::SIGBUS, 1) => "BUS_ADRALN",
        (libc::SIGBUS, 2) => "BUS_ADRERR",
        (libc::SIGBUS, 3) => "BUS_OBJERR",
        (libc::SIGBUS, 4 | 5) => "BUS_MCEERR",
        (libc::SIGFPE, 1) => "FPE_INTDIV",
        (libc::SIGFPE, 2) => "FPE_INTOVF",
        (libc::SIGFPE, 3) => "FPE_FLTDIV",
        (libc::SIGFPE, 7) => "FPE_FLTINV",
        (libc::SIGILL, 1) => "ILL_ILLOPC",
        (libc::SIGILL, 2) => "ILL_ILLOPN",
        (libc::SIGTRAP, 1) => "TRAP_BRKPT",
        (libc::SIGTRAP, 2) => "TRAP_TRACE",
        (libc::SIGSYS, 1) => "SYS_SECCOMP",
        _ => return None,
    };
    Some(name)
}

/// What kind of address a fault was at. The number itself stays on the host, except within the null page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressClass {
    NullPage(u64),
    StackOverflow,
    NonCanonical,
    Unmapped,
    Protected,
    /// The signal was sent, or its address says nothing.
    None,
}

impl AddressClass {
    /// Judges `si_addr`, with the registers of the thread that took the signal.
    pub(super) fn of(signal: i32, code: i32, address: u64, registers: Option<Registers>) -> Self {
        let is_fault = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        if !is_fault || code <= 0 {
            return Self::None;
        }
        // For an address that is none at all the processor tells no address.
        if code == SI_KERNEL {
            return Self::NonCanonical;
        }
        if address < NULL_PAGE {
            return Self::NullPage(address);
        }
        let sp = registers.map_or(0, |registers| registers.sp);
        let ip = registers.map_or(0, |registers| registers.ip);
        if address.abs_diff(sp) < STACK_NEAR && address != ip {
            return Self::StackOverflow;
        }
        if address >> machine::ADDRESS_BITS != 0 {
            return Self::NonCanonical;
        }
        if code == SEGV_ACCERR && signal == libc::SIGSEGV { Self::Protected } else { Self::Unmapped }
    }

    /// One word for a context.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::NullPage(_) => Some("null page"),
            Self::StackOverflow => Some("near the stack pointer"),
            Self::NonCanonical => Some("non-canonical"),
            Self::Unmapped => Some("unmapped"),
            Self::Protected => Some("protected"),
            Self::None => None,
        }
    }
}

/// A readable sentence about a signal, such as "null pointer dereference at 0x10 (SEGV_MAPERR)".
pub(super) fn sentence(signal: i32, code: Option<i32>, class: AddressClass, is_at_ip: bool) -> String {
    let text = match class {
        AddressClass::NullPage(_) if is_at_ip => "jump to a null pointer".into(),
        AddressClass::NullPage(address) => format!("null pointer dereference at {address:#x}"),
        AddressClass::StackOverflow => "stack overflow, or access beyond the stack".into(),
        AddressClass::NonCanonical => "access through a pointer that is no address".into(),
        AddressClass::Unmapped if signal == libc::SIGBUS => {
            "access to memory behind the end of a mapped file".into()
        }
        AddressClass::Unmapped if is_at_ip => "jump to unmapped memory".into(),
        AddressClass::Protected if is_at_ip => "jump to memory that is not code".into(),
        AddressClass::Unmapped => "access to unmapped memory".into(),
        AddressClass::Protected => "access to protected memory".into(),
        AddressClass::None => without_address(signal, code).into(),
    };
    match code.and_then(|code| code_name(signal, code)) {
        Some(name) => format!("{text} ({name})"),
        None => text,
    }
}

fn without_address(signal: i32, code: Option<i32>) -> &'static str {
    match signal {
        libc::SIGABRT => "aborted",
        libc::SIGFPE if code == Some(1) => "integer division by zero",
        libc::SIGFPE => "arithmetic fault",
        libc::SIGILL => "illegal instruction",
        libc::SIGTRAP => "trap",
        libc::SIGSYS => "forbidden system call",
        libc::SIGKILL => "killed: by somebody, or by the kernel when memory ran out",
        _ if code.is_some_and(|code| code <= 0) => "sent by a process",
        _ => "ended by a signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: u64 = 0x7FFD_0000_0000;

    fn check(signal: i32, code: i32, address: u64, ip: u64, expected: &str) {
        let registers = Registers { ip, sp: STACK, fp: 0, lr: 0 };
        let class = AddressClass::of(signal, code, address, Some(registers));
        assert_eq!(sentence(signal, Some(code), class, address == ip), expected);
    }

    #[test]
    fn a_fault_is_told_in_a_sentence() {
        let code = 0x55_0000_1000;
        check(libc::SIGSEGV, 1, 0x10, code, "null pointer dereference at 0x10 (SEGV_MAPERR)");
        check(libc::SIGSEGV, 1, 0, 0, "jump to a null pointer (SEGV_MAPERR)");
        check(
            libc::SIGSEGV,
            2,
            STACK - 4096,
            code,
            "stack overflow, or access beyond the stack (SEGV_ACCERR)",
        );
        check(libc::SIGSEGV, 1, 0x1234_5678, code, "access to unmapped memory (SEGV_MAPERR)");
        check(libc::SIGSEGV, 1, 0x1234_5678, 0x1234_5678, "jump to unmapped memory (SEGV_MAPERR)");
        check(libc::SIGSEGV, 2, 0x1234_5678, code, "access to protected memory (SEGV_ACCERR)");
        check(libc::SIGSEGV, 128, 0, code, "access through a pointer that is no address (SI_KERNEL)");
        check(libc::SIGSEGV, 0, 77, code, "sent by a process (SI_USER)");
        check(libc::SIGABRT, -6, 0, code, "aborted (SI_TKILL)");
        check(libc::SIGFPE, 1, code, code, "integer division by zero (FPE_INTDIV)");
        check(
            libc::SIGBUS,
            2,
            0x1234_5678,
            code,
            "access to memory behind the end of a mapped file (BUS_ADRERR)",
        );
    }
}
