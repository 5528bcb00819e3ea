//! A small server of HTTP/1: one thread, GET and HEAD, everything bounded. What is answered is `pages`' concern.

mod connection;
pub(super) mod negotiate;
mod request;
mod response;
mod server;

pub use request::{Parsed, Request, parse};
pub(super) use response::Response;
pub(super) use server::Server;
