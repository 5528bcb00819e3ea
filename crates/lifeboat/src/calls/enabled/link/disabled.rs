//! No reporter is linked in: the loader looks for one.

use super::super::options::Options;
use super::super::reporter::Reporter;
use super::super::status::Status;

/// Finds none.
pub(in super::super) fn find(_: &Options<'_>) -> Result<Reporter, Status> {
    Err(Status::OFF)
}
