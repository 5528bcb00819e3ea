//! The loader: what `lifeboat_load.h` does, in Rust. Which file is good, `place` and `content` judge.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod content;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod library;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod place;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use super::super::{reporter::Reporter, status::Status};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(in super::super) use library::find;

/// Whether the loader is in this build.
pub(in super::super) const IS_IN: bool = true;

/// Finds none: there is no reporter for this platform.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(in super::super) fn find(_: Option<&str>) -> Result<Reporter, Status> {
    Err(Status::of(lifeboat_abi::Status::UnsupportedPlatform))
}
