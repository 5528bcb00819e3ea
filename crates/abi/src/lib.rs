//! The contract between a node and the reporter: one `#[repr(C)]` table, status codes, options.
//!
//! Every struct that crosses the border starts with its own size and only grows at its end. Each side uses
//! the smaller of the two sizes and treats a missing or null entry as "does nothing". Nothing here has code
//! that a node would run, but for [`Status::text`] and [`Switch::of`].
#![no_std]

mod metric;
mod options;
mod status;
mod switch;
mod table;

pub use metric::{Metric, MetricKind, MetricLabel};
pub use options::{Options, option_flags};
pub use status::Status;
pub use switch::Switch;
pub use table::{ABI_VERSION, API_SYMBOL, ApiFunction, Frame, Level, Origin, REPORT_IF_CAUGHT, Str, Table};
