//! The one reporter of this program: found once, by the loader or in the program itself, and kept for good.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr;

use lifeboat_abi::Table;
use once_cell::sync::OnceCell;

use super::options::{Lowered, Options};
use super::{Status, link, load};

/// The smallest table: its size and its version.
const TABLE_BYTES_MIN: usize = std::mem::offset_of!(Table, start);

static REPORTER: OnceCell<Reporter> = OnceCell::new();

/// A reporter that was found.
pub(super) struct Reporter {
    /// What it offers. Entries that it does not know are `None`.
    table: Table,
    /// The real path of the file; none where it is linked in.
    path: Option<CString>,
}

/// The reporter's table, once a reporter was found.
#[inline]
pub(super) fn table() -> Option<&'static Table> {
    REPORTER.get().map(|reporter| &reporter.table)
}

/// The reporter, found now if it was not before. One thread looks at a time.
pub(super) fn find(options: &Options<'_>) -> Result<&'static Reporter, Status> {
    REPORTER.get_or_try_init(|| {
        if load::IS_IN { load::find(options.reporter_path()) } else { link::find(options.is_turned_on()) }
    })
}

impl Reporter {
    /// Copies what both sides know of the table.
    ///
    /// # Safety
    /// `table` must be null or a table of this ABI version that is valid for the life of the process.
    pub(super) unsafe fn new(table: *const Table, path: Option<CString>) -> Option<Self> {
        if table.is_null() {
            return None;
        }
        // SAFETY: every table starts with its size, a u32.
        let size = unsafe { table.cast::<u32>().read() } as usize;
        if size < TABLE_BYTES_MIN {
            return None;
        }
        let whole_entries = size.min(size_of::<Table>()) & !(align_of::<Table>() - 1);
        let mut known = MaybeUninit::<Table>::zeroed();
        // SAFETY: the table has at least that many bytes, and so has the copy.
        unsafe { ptr::copy_nonoverlapping(table.cast::<u8>(), known.as_mut_ptr().cast(), whole_entries) };
        // SAFETY: zeros are numbers and entries that are not there; the rest is the table's own.
        let table = unsafe { known.assume_init() };
        Some(Self { table, path })
    }

    /// Starts it; the reporter decides what a second start means.
    pub(super) fn start(&self, options: &Options<'_>) -> Status {
        let lowered = Lowered::new(options, self.path.as_ref());
        let Some(start) = self.table.start else { return Status::NOT_SUPPORTED };
        // SAFETY: the options and their texts live until the call returns, and tell their size.
        Status::from_number(unsafe { start(&raw const lowered.options) })
    }
}

/// A reporter of a test's own, for the rest of its process.
#[cfg(test)]
pub(super) fn pretend(table: Table) {
    let _ = REPORTER.set(Reporter { table, path: None });
}
