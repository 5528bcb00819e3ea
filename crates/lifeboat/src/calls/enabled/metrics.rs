//! Metrics: handles that a node declares static, and what a call of them inlines in its caller: one plain store into a
//! row that only the calling thread writes. What the numbers become, the monitor's side knows.
//!
//! In a debug build it is no use to inline into the caller, whose code is not optimised: there the calls stay in this crate,
//! which a node's manifest may have optimised all the same.

mod counter;
mod description;
mod gauge;
mod histogram;
mod info;
mod row;
mod slot;
#[cfg(test)]
mod tests;

pub use counter::{BoundCounter, Counter};
pub use gauge::{BoundGauge, Gauge};
pub use histogram::{BoundHistogram, DEFAULT_BOUNDS, Histogram, Timer};
pub use info::Info;

pub(super) use row::in_child;

/// What the recorder of a facade makes its handles of.
#[allow(unused_imports, reason = "a facade is asked for by a feature")]
pub(crate) mod parts {
    pub(crate) use super::description::Description;
    pub(crate) use super::slot::{Change, Slot};
}

/// A label's name and its value.
pub type Label<'a> = (&'a str, &'a str);
