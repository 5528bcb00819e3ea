//! A layer for `tracing_subscriber`, with feature `tracing`: events become breadcrumbs, and those of level ERROR
//! also reports where that is asked for.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod enabled;

#[cfg(feature = "tracing")]
pub use enabled::*;
