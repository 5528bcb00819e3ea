//! Runs the host program of the benches and takes its times; statistics and the table they end in.

mod host;
mod table;

pub use host::{Death, Host, Rest, build_host, dist};
pub use table::{Sample, Table};
