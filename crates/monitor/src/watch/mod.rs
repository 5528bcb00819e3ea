//! The role `watch`: holds the flight recorder, captures what dies, and speaks to no network.

pub(crate) mod abort;
mod budget;
mod capture;
mod context;
mod door;
pub(crate) mod end;
mod errors;
mod hang;
mod hold;
pub mod images;
mod interrupted;
pub(crate) mod kin;
pub(crate) mod leftovers;
pub(crate) mod link;
pub(crate) mod memory;
pub(crate) mod modules;
mod panics;
mod pending;
pub mod process;
pub(crate) mod ptrace;
pub(crate) mod roles;
mod run;
pub(crate) mod sampler;
pub(crate) mod serving;
pub mod threads;
pub(crate) mod verdict;

pub use run::run;
pub use sampler::NamedDatabases;
