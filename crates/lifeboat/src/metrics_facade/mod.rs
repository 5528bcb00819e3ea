//! A recorder for the facade `metrics`, with feature `metrics-facade`: what a node counts by its macros lands in Lifeboat.

#[cfg(not(feature = "metrics-facade"))]
mod disabled;
#[cfg(all(feature = "metrics-facade", feature = "_on"))]
mod enabled;
#[cfg(all(feature = "metrics-facade", not(feature = "_on")))]
mod public;

#[cfg(all(feature = "metrics-facade", feature = "_on"))]
pub use enabled::Recorder;
#[cfg(all(feature = "metrics-facade", not(feature = "_on")))]
pub use public::Recorder;
