//! A collector for a registry of prometheus-client, with feature `prometheus-client`: the page that a node serves itself
//! holds Lifeboat's metrics too.

#[cfg(not(feature = "prometheus-client"))]
mod disabled;
#[cfg(feature = "prometheus-client")]
mod enabled;

#[cfg(feature = "prometheus-client")]
pub use enabled::*;
