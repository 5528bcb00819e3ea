//! A fleet in one file: the inventory that an operator writes, and what is rendered from it for the engines that he
//! has: Prometheus, Alertmanager, Grafana, exporters. None of those is built again here.
//!
//! The way of the data: [`Inventory`] (what there is) takes its [`profile`]s (how such nodes speak: signals as queries)
//! and the [`catalogue`] (alerts and panels in terms of signals), and [`render()`] writes one [`Tree`] of files. [`simulate`] lets a fleet be watched that is not there.

pub mod budget;
mod duration;
mod hash;
mod inventory;
mod problem;
mod render;
mod survey;
mod template;

pub mod catalogue;
pub mod profile;
pub mod simulate;

pub use duration::Duration;
pub use inventory::{
    Alertmanager, Blackbox, Channel, Consul, Destination, Engines, Fleet, Grafana, Intervals, Inventory,
    Links, Node, Objectives, Place, Prometheus, Secret, Version,
};
pub use problem::{Problem, Problems};
pub use render::refusal::Refusal;
pub use render::tree::{Tree, Written};
pub use render::{Options, render, verify};
pub use survey::Gap;
