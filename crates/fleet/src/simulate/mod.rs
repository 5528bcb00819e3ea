//! A fleet that is not there: every endpoint of an inventory answers on this machine, with the metrics that its profile
//! says such a node has, well until it is told to be ill. For tests of rules and pages, for demonstrations and drills.
//!
//! [`World`] is what the nodes are, [`Host`] lets them be asked and takes what they are told ([`HELP`]).

mod command;
mod door;
mod host;
mod http;
mod illness;
mod node;
mod sway;
mod world;

pub use command::HELP;
pub use host::Host;
pub use world::{Generation, Settings, World};
