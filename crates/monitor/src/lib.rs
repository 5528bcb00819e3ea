//! Beside the node: one program with several roles. `watch` holds the flight recorder and captures a death,
//! `report` turns one capture into one envelope on disk, `post` delivers what is on disk.

pub mod at_start;
pub mod capture;
pub mod check_database;
mod confine;
pub mod dsn;
pub mod envelope;
mod error;
mod hygiene;
mod lives;
mod lock;
pub mod maps;
mod metrics;
pub mod post;
pub mod report;
mod rest;
pub mod run;
pub mod sample;
pub mod serve;
pub mod spool;
mod state_file;
pub mod switch;
mod talk;
pub mod watch;

pub use error::Error;
pub use hygiene::close_all_but;
pub use metrics::MetricValue;

/// Version and commit of this build: `0.1.0 (3ec908a4f0d2)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LIFEBOAT_BUILD_COMMIT"), ")");
