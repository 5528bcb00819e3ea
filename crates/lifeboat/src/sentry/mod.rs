//! A transport for the sentry SDK, with feature `sentry`: its envelopes go to Lifeboat's spool.

#[cfg(not(feature = "sentry"))]
mod disabled;
#[cfg(feature = "sentry")]
mod enabled;

#[cfg(feature = "sentry")]
pub use enabled::*;
