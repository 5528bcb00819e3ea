//! Reads the node's memory. Every address may be wrong: what cannot be read is simply not there.

use std::io;

/// One piece to read: from this address into these bytes.
pub(crate) struct Piece<'a> {
    pub(crate) address: u64,
    pub(crate) into: &'a mut [u8],
}

/// Reads up to `into.len()` bytes and says how many; the kernel stops at the first page that is not there.
pub(crate) fn read(pid: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    read_all(pid, &mut [Piece { address, into }])
}

/// Reads several pieces in one system call and answers how many bytes came, in order. Stops at the first gap.
/// At most 1,024 pieces, `IOV_MAX`.
pub(crate) fn read_all(pid: u32, pieces: &mut [Piece<'_>]) -> io::Result<usize> {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return Err(io::Error::from_raw_os_error(libc::ESRCH)) };
    let local: Vec<_> = pieces
        .iter_mut()
        .map(|piece| libc::iovec { iov_base: piece.into.as_mut_ptr().cast(), iov_len: piece.into.len() })
        .collect();
    let remote: Vec<_> = pieces
        .iter()
        .map(|piece| libc::iovec { iov_base: piece.address as *mut libc::c_void, iov_len: piece.into.len() })
        .collect();
    let (local, remote) = (local.as_slice(), remote.as_slice());
    // SAFETY: every local window is a slice borrowed through the call; the kernel checks the remote ones.
    let read = unsafe {
        libc::process_vm_readv(
            pid,
            local.as_ptr(),
            local.len() as libc::c_ulong,
            remote.as_ptr(),
            remote.len() as libc::c_ulong,
            0,
        )
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
