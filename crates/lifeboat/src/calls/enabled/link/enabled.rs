//! The linked reporter: turned on by `LIFEBOAT=on`, never in a program with rights that its caller lacks.

use super::super::reporter::Reporter;
use super::super::status::Status;

/// The reporter in this program, where it is turned on.
pub(in super::super) fn find(is_turned_on: bool) -> Result<Reporter, Status> {
    let is_wished = std::env::var_os("LIFEBOAT").is_some_and(|wish| wish == "on");
    if !is_wished && !is_turned_on {
        return Err(Status::OFF);
    }
    in_program()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn in_program() -> Result<Reporter, Status> {
    use lifeboat_abi::{ABI_VERSION, Status as Abi, Table};

    // The caller of a set-uid program chose its environment: it names no monitor to run with rights that he lacks.
    if super::super::host::is_privileged() {
        return Err(Status::of(Abi::Privileged));
    }
    let table = lifeboat_core::api(ABI_VERSION, size_of::<Table>() as u32);
    // SAFETY: the core's table is a static of this version.
    unsafe { Reporter::new(table, None) }.ok_or(Status::of(Abi::ReporterOtherVersion))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn in_program() -> Result<Reporter, Status> {
    Err(Status::of(lifeboat_abi::Status::UnsupportedPlatform))
}

// Runs at `exit()` and at the return of main, on glibc and musl.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[used]
#[unsafe(link_section = ".fini_array")]
static ON_EXIT: extern "C" fn() = lifeboat_core::on_exit;
