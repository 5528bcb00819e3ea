//! Signal dispositions as the kernel keeps them, independent of any libc's struct.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

pub(crate) const SIGINT: u32 = 2;
pub(crate) const SIGILL: u32 = 4;
pub(crate) const SIGTRAP: u32 = 5;
pub(crate) const SIGABRT: u32 = 6;
pub(crate) const SIGBUS: u32 = 7;
pub(crate) const SIGFPE: u32 = 8;
pub(crate) const SIGSEGV: u32 = 11;
pub(crate) const SIGTERM: u32 = 15;
pub(crate) const SIGSYS: u32 = 31;

/// The signals of a crash.
pub(crate) const FATAL: [u32; 7] = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS];
/// The signals by which somebody asks a process to stop. One with a handler for SIGHUP is asked to read its files.
pub(crate) const STOP: [u32; 2] = [SIGINT, SIGTERM];

pub(crate) const SA_SIGINFO: u64 = 4;
pub(crate) const SA_RESTART: u64 = 0x1000_0000;
pub(crate) const SA_RESTORER: u64 = 0x0400_0000;
pub(crate) const SA_ONSTACK: u64 = 0x0800_0000;
pub(crate) const SA_NODEFER: u64 = 0x4000_0000;
pub(crate) const SA_RESETHAND: u64 = 0x8000_0000;

const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;

/// Room for every signal number that we keep an action of.
const SIGNALS: usize = 32;

/// The kernel's `struct sigaction`: handler, flags, restorer, mask.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) handler: u64,
    pub(crate) flags: u64,
    pub(crate) restorer: u64,
    pub(crate) mask: u64,
}

/// A handler with SA_SIGINFO.
pub(crate) type InfoHandler = extern "C" fn(signal: i32, info: *mut c_void, ucontext: *mut c_void);

impl Action {
    pub(crate) const DEFAULT: Self = Self { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    pub(crate) const IGNORED: Self = Self { handler: SIG_IGN, flags: 0, restorer: 0, mask: 0 };

    /// A handler of ours.
    pub(crate) fn ours(handler: InfoHandler, flags: u64, mask: u64) -> Self {
        let restorer = sys::restorer as *const () as u64;
        Self { handler: handler as *const () as u64, flags: flags | SA_SIGINFO | SA_RESTORER, restorer, mask }
    }

    pub(crate) const fn is_default(&self) -> bool {
        self.handler == SIG_DFL
    }

    pub(crate) const fn is_ignored(&self) -> bool {
        self.handler == SIG_IGN
    }

    pub(crate) const fn is_function(&self) -> bool {
        self.handler > SIG_IGN
    }

    /// What the kernel has for this signal.
    pub(crate) fn current(signal: u32) -> Option<Self> {
        let mut current = Self::DEFAULT;
        let arguments = [signal as usize, 0, (&raw mut current) as usize, 8, 0, 0];
        // SAFETY: the kernel writes one struct of this layout.
        unsafe { sys::call(sys::number::RT_SIGACTION, arguments) }.ok()?;
        Some(current)
    }

    /// Makes it the action of this signal.
    pub(crate) fn install(&self, signal: u32) -> bool {
        let arguments = [signal as usize, (&raw const *self) as usize, 0, 8, 0, 0];
        // SAFETY: the kernel reads one struct; the handlers in it are ours or were installed before by the node.
        unsafe { sys::call(sys::number::RT_SIGACTION, arguments) }.is_ok()
    }
}

impl Action {
    /// Calls it as a function, as another handler does that remembers who stood before it.
    pub(crate) fn call(&self, signal: i32, info: *mut c_void, ucontext: *mut c_void) {
        if !self.is_function() {
            return;
        }
        let handler = self.handler as *const ();
        if self.flags & SA_SIGINFO != 0 {
            // SAFETY: the node installed this address as a handler with SA_SIGINFO.
            let handler = unsafe { core::mem::transmute::<*const (), InfoHandler>(handler) };
            handler(signal, info, ucontext);
        } else {
            // SAFETY: the node installed this address as a handler without SA_SIGINFO.
            let handler = unsafe { core::mem::transmute::<*const (), extern "C" fn(i32)>(handler) };
            handler(signal);
        }
    }
}

/// The bit of a signal in a mask.
pub(crate) const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Actions that stood before ours, one a signal.
pub(crate) struct Kept {
    handler: [AtomicU64; SIGNALS],
    flags: [AtomicU64; SIGNALS],
    restorer: [AtomicU64; SIGNALS],
    mask: [AtomicU64; SIGNALS],
}

/// What we hand on to: what stood when ours was last installed.
pub(crate) static BEFORE: Kept = Kept::new();
/// What stood when ours was first installed: who came later and calls "the one before me" means this one.
pub(crate) static FIRST: Kept = Kept::new();

impl Kept {
    const fn new() -> Self {
        Self {
            handler: [const { AtomicU64::new(0) }; SIGNALS],
            flags: [const { AtomicU64::new(0) }; SIGNALS],
            restorer: [const { AtomicU64::new(0) }; SIGNALS],
            mask: [const { AtomicU64::new(0) }; SIGNALS],
        }
    }

    pub(crate) fn get(&self, signal: u32) -> Action {
        let load = |from: &[AtomicU64; SIGNALS]| {
            from.get(signal as usize).map_or(0, |it| it.load(Ordering::Acquire))
        };
        Action {
            handler: load(&self.handler),
            flags: load(&self.flags),
            restorer: load(&self.restorer),
            mask: load(&self.mask),
        }
    }

    /// Keeps an action. A fault in this very instant may find the old handler with the new one's flags; both are the
    /// node's own.
    pub(crate) fn set(&self, signal: u32, action: &Action) {
        let store = |to: &[AtomicU64; SIGNALS], value: u64| {
            if let Some(to) = to.get(signal as usize) {
                to.store(value, Ordering::Release);
            }
        };
        store(&self.flags, action.flags);
        store(&self.restorer, action.restorer);
        store(&self.mask, action.mask);
        store(&self.handler, action.handler);
    }
}
