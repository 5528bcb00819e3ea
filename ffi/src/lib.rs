//! The core as the loadable library `liblifeboat_reporter.so` and its static twin: one symbol, no libc.
//!
//! Only the profile `reporter` (panic=abort) makes the real library. Any other profile makes an ordinary one of
//! the same name, for the workspace's builds and tests; `scripts/build` ships the real one alone.
#![cfg_attr(panic = "abort", no_std)]

mod memory;

use lifeboat_abi::Table;

/// Hands out the reporter's table; null where the host was built for another major version, and always from a
/// library that was not built with the profile `reporter`.
#[unsafe(no_mangle)]
pub extern "C" fn lifeboat_api_v1(host_abi: u32, host_size: u32) -> *const Table {
    if cfg!(panic = "abort") { lifeboat_core::api(host_abi, host_size) } else { core::ptr::null() }
}

// Runs at `exit()` and at the return of main, on glibc and musl.
#[used]
#[unsafe(link_section = ".fini_array")]
static ON_EXIT: extern "C" fn() = lifeboat_core::on_exit;

#[cfg(panic = "abort")]
#[panic_handler]
fn must_not_panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        // Defined nowhere: a panic that the optimiser could not rule out fails the link.
        safe fn lifeboat_must_not_panic() -> !;
    }
    lifeboat_must_not_panic()
}
