//! The role `report`: one capture in, one envelope on disk. It works on copies; the node may be long gone.
//!
//! `case` puts the facts together, `modules`, `unwind` and `symbols` say where the threads stood, `event` tells it to
//! a server, `scrub` keeps to itself what must not leave the host, `role` is the process around all this.

mod case;
mod contexts;
mod course;
mod debug_files;
mod demangle;
mod elf;
mod envelope;
mod event;
mod exceptions;
mod grouping;
mod hang;
mod health;
mod machine;
mod modules;
mod nim;
mod out_of_memory;
mod role;
mod runtime;
mod sandbox;
mod scrub;
mod secrets;
pub(crate) mod signals;
mod stacks;
mod store;
mod symbols;
mod text;
mod told;
mod unwind;
mod words;

pub use envelope::{Detail, Made, make};
pub use event::DSN_UNREADABLE;
pub use role::run;
pub(crate) use sandbox::confine;
pub(crate) use told::Told;
pub(crate) use words::cause_in_words;
