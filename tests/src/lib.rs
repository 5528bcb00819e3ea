//! Helpers of the tests that compile C programs and run them: [`Compile`], [`Run`], [`Scratch`]; and a server that
//! takes their reports: [`Server`]; and a node's metrics: [`Memory`]; and the
//! [`engines`] that watch fleets of nodes, such as [`ExampleNodes`].
//!
//! They panic with the sentence that mends it, as a test should; nothing that ships depends on them.
#![expect(clippy::panic, reason = "a helper of tests fails the test that called it")]

mod compile;
mod deaths;
mod memory;
mod nodes;
mod run;
mod scratch;
mod server;
mod wait;

pub mod engines;
pub mod http;

pub use compile::{Compile, Compiler, delivered, repository};
pub use deaths::note_death;
pub use memory::Memory;
pub use nodes::{ExampleNode, ExampleNodes};
pub use run::{Outcome, Run, Running, tool};
pub use scratch::Scratch;
pub use server::{Event, Issue, Project, Server};
pub use wait::{wait_for, wait_until};
