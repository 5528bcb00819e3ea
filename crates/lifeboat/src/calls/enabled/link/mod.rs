//! Link mode: the reporter is compiled in.

#[cfg(not(feature = "link"))]
mod disabled;
#[cfg(feature = "link")]
mod enabled;

#[cfg(not(feature = "link"))]
pub(super) use disabled::find;
#[cfg(feature = "link")]
pub(super) use enabled::find;
