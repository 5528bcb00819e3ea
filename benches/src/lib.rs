//! Runs the host programs of the benches and takes its times; statistics and the table they end in.

mod counting;
mod host;
mod results;
mod scrape;
mod table;

pub use counting::{Build, Counted, Counting, Figure, build_counting};
pub use host::{Death, Host, Rest, build_host, dist, now_ns};
pub use results::{argument, machine, tool_is_here, write_section};
pub use scrape::{free_address, scrape, scrape_first};
pub use table::{Sample, Table};
