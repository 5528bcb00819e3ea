//! A fleet as its operator has it: what `lifeboat fleet render` writes, in the engines that it is for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod alert_path;
mod configuration;
mod consul;
mod dashboards;
mod demo;
mod end_to_end;
mod engines;
mod incident;
mod mail;
mod messages;
mod pages;
mod real_nodes;
mod rules;
mod simulated;
