//! The calls: through the reporter's table where `load` or `link` is asked for, else nothing.

#[cfg(not(feature = "_on"))]
mod disabled;
#[cfg(feature = "_on")]
mod enabled;

#[cfg(not(feature = "_on"))]
pub use disabled::*;
#[cfg(feature = "_on")]
pub use enabled::*;
