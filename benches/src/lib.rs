//! Runs the host program of the benches and takes its times; statistics and the table they end in.

mod host;
mod results;
mod table;

pub use host::{Death, Host, Rest, build_host, dist, now_ns};
pub use results::{argument, machine, write_section};
pub use table::{Sample, Table};
