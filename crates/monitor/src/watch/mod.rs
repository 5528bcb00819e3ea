//! The role `watch`: holds the flight recorder, captures what dies, and speaks to no network.

mod abort;
mod capture;
mod end;
mod errors;
mod hold;
pub mod images;
mod leftovers;
mod link;
mod memory;
mod panics;
mod pending;
pub mod process;
mod ptrace;
mod roles;
mod run;
pub mod threads;
mod verdict;

pub use run::run;
