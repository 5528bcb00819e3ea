//! Gives back the memory that work needed, so that a role at rest is small.

use std::ffi::{c_int, c_void};

use rustix::mm::{Advice, madvise};

const PAGE_BYTES: usize = 4096;

/// Returns free heap to the system, and the program's own code and constants to the page cache: what runs
/// next is mapped again when it is touched.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it has no preconditions; see <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>.
    unsafe {
        libc::malloc_trim(0);
    }
    // SAFETY: the callback has the right type and takes no data; it runs within this call.
    unsafe { libc::dl_iterate_phdr(Some(give_segments_back), std::ptr::null_mut()) };
}

/// Called for the program first, and stops there.
unsafe extern "C" fn give_segments_back(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the C library hands over a valid pointer for the duration of this call.
    let Some(info) = (unsafe { info.as_ref() }) else { return 1 };
    if info.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: the C library vouches for pointer and count; the headers are part of the loaded program.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers.iter().filter(|header| is_read_only(header)) {
        let start = usize::try_from(info.dlpi_addr.wrapping_add(header.p_vaddr)).unwrap_or_default();
        let length = usize::try_from(header.p_memsz).unwrap_or_default();
        let (first, last) = (start.next_multiple_of(PAGE_BYTES), (start + length) / PAGE_BYTES * PAGE_BYTES);
        if first < last {
            let place = std::ptr::with_exposed_provenance_mut(first);
            // SAFETY: a segment that nobody can write is clean: its pages come back from the file unchanged.
            let _ = unsafe { madvise(place, last - first, Advice::LinuxDontNeed) };
        }
    }
    1
}

fn is_read_only(header: &libc::Elf64_Phdr) -> bool {
    header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0
}
