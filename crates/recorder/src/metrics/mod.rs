//! Metrics: a memory of their own beside the recorder, shared by node and monitor, that outlives the node.
//!
//! Each thread adds to a row that only it writes; a series is one slot in every row, and its value is the sum over the
//! rows. A new thread adopts the row of one that has ended, values and all, so that nothing is lost or counted twice.
//! Nothing here locks or allocates; what a node may register is bounded.

mod expose;
mod layout;
mod name;
mod reader;
mod registry;
mod rows;
mod series;
mod take_over;

pub use expose::{Exposed, Format, Source, expose, expose_own};
pub use layout::{DEFAULT_BOUNDS, Kind, METRICS_BYTES_MAX, Plan, ROWS, SERIES_DEFAULT, SERIES_MAX};
pub use name::Label;
pub use reader::{Family, MetricsSnapshot, Series};
pub use registry::{Metrics, Refusal, Registered, Wanted};
