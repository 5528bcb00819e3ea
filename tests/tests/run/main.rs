//! `lifeboat run -- PROGRAM`: a program that knows nothing of Lifeboat dies, and is reported as a node would be; to
//! everybody else it ends as it would have without.
//!
//! Every case is a process of its own; most end twice, alone and looked after, and both must end alike.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod ends;
mod init;
mod nim;
mod output;
mod relay;
mod signals;
