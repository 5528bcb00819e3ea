//! The row that the calling thread writes, and the one that all threads share.

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::super::reporter;

thread_local! {
    /// Null until this thread's first use after start, in a fork's child, and where there is none left. A pointer needs
    /// no destructor: a thread that ends leaves its row, values and all, to the next.
    static OWN: Cell<*mut u64> = const { Cell::new(ptr::null_mut()) };
    /// How often this thread, which got no row, counts in that of all before it asks again.
    static ROWLESS: Cell<u32> = const { Cell::new(0) };
}

/// With all rows taken it takes long to look for one whose owner has ended.
const COUNTS_A_LOOK: u32 = 64;

/// Null until the first use of a gauge after start.
static SHARED: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());

/// The calling thread's row, where it has one by now.
#[inline(always)]
pub(super) fn own() -> Option<NonNull<u64>> {
    NonNull::new(OWN.get())
}

/// The row of all threads, where it is known by now.
#[inline(always)]
pub(super) fn shared() -> Option<NonNull<u64>> {
    NonNull::new(SHARED.load(Ordering::Relaxed))
}

/// One slot of a row.
///
/// # Safety
/// The row must be the reporter's, and it must have given out the slot.
#[inline(always)]
pub(super) unsafe fn place(row: NonNull<u64>, slot: u32) -> &'static AtomicU64 {
    // SAFETY: slots that the reporter gives out lie within its rows.
    let place = unsafe { row.add(slot as usize) };
    // SAFETY: rows are mapped for the life of the process, and every side accesses them atomically.
    unsafe { AtomicU64::from_ptr(in_register(place.as_ptr())) }
}

/// The address as one register. Intel's cores forward a store to the next load of the same place at once only where the
/// address is no sum of two: with the slot as an index, a counter in a loop takes 1.7 ns and not 0.7.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[expect(clippy::pointers_in_nomem_asm_block, reason = "there is no instruction in it")]
#[inline(always)]
fn in_register(mut place: *mut u64) -> *mut u64 {
    // SAFETY: no instruction at all; the pointer comes out as it went in.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) place, options(pure, nomem, nostack, preserves_flags));
    };
    place
}

/// Elsewhere the compiler knows best.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
const fn in_register(place: *mut u64) -> *mut u64 {
    place
}

/// The calling thread's row, asked for where it has none.
pub(super) fn own_or_new() -> Option<NonNull<u64>> {
    own().or_else(|| {
        if let Some(left) = ROWLESS.get().checked_sub(1) {
            ROWLESS.set(left);
            return None;
        }
        let row = reporter::table()?.metric_row?();
        OWN.set(row);
        ROWLESS.set(if row.is_null() { COUNTS_A_LOOK } else { 0 });
        NonNull::new(row)
    })
}

/// The row of all threads, asked for where it is not known.
pub(super) fn shared_or_new() -> Option<NonNull<u64>> {
    shared().or_else(|| {
        let row = NonNull::new(reporter::table()?.metric_shared?())?;
        SHARED.store(row.as_ptr(), Ordering::Relaxed);
        Some(row)
    })
}

/// The rows are the parent's: two writers would lose counts. Called in a fork's child, whose only thread this is.
pub(in super::super) extern "C" fn in_child() {
    OWN.set(ptr::null_mut());
    ROWLESS.set(0);
    SHARED.store(ptr::null_mut(), Ordering::Relaxed);
}
