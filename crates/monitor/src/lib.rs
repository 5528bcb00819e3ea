//! Beside the node: one program with several roles. `watch` holds the flight recorder and captures a death,
//! `report` turns one capture into one envelope on disk, `post` delivers what is on disk.

pub mod capture;
pub mod dsn;
pub mod envelope;
mod error;
mod hygiene;
pub mod maps;
mod metrics;
pub mod post;
pub mod report;
mod rest;
pub mod run;
pub mod spool;
pub mod watch;

pub use error::Error;
pub use metrics::MetricValue;
