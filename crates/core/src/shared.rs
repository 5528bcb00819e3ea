//! Memory that node and monitor share, and that outlives the node.

use core::ptr::NonNull;

use lifeboat_abi::Status;

use crate::sys::{self, number};

const MFD_CLOEXEC: usize = 1;
const MFD_ALLOW_SEALING: usize = 2;
const MFD_NOEXEC_SEAL: usize = 8;
const F_ADD_SEALS: usize = 1033;
/// Nobody may shrink what two processes have mapped: the next access would be a SIGBUS.
const F_SEAL_SIZE: usize = 2 | 4;

/// Makes zeroed memory that node and monitor share.
pub(crate) fn memory(bytes: usize) -> Result<(NonNull<u8>, i32), Status> {
    let create = |flags| {
        let arguments = [c"lifeboat".as_ptr() as usize, flags, 0, 0, 0, 0];
        // SAFETY: the name is NUL-terminated and only read.
        unsafe { sys::call(number::MEMFD_CREATE, arguments) }
    };
    // Some systems demand the seal against execution (vm.memfd_noexec=2), older kernels do not know it.
    let fd = create(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)
        .or_else(|_| create(MFD_CLOEXEC | MFD_ALLOW_SEALING))
        .map_err(|_| Status::NoMemory)?;
    let numbers_only = |number, arguments| {
        // SAFETY: these calls take descriptors and numbers alone.
        unsafe { sys::call(number, arguments) }
    };
    let mapped = numbers_only(number::FTRUNCATE, [fd, bytes, 0, 0, 0, 0])
        .and_then(|_| numbers_only(number::FCNTL, [fd, F_ADD_SEALS, F_SEAL_SIZE, 0, 0, 0]))
        .and_then(|_| sys::map(bytes, sys::PROT_READ_WRITE, sys::MAP_SHARED, fd as i32));
    let Ok(base) = mapped else {
        sys::close(fd as i32);
        return Err(Status::NoMemory);
    };
    Ok((base, fd as i32))
}
