//! From an inventory to files: the same inventory gives the same bytes.

mod alertmanager;
pub(crate) mod blackbox;
mod compose;
mod consul;
pub(crate) mod expression;
mod grafana;
mod inhibitions;
mod manifest;
mod matcher;
mod message;
mod plan;
mod programs;
mod prometheus;
mod readme;
mod receivers;
pub(crate) mod refusal;
mod relabel;
mod rule_tests;
pub(crate) mod rules;
mod runbooks;
mod systemd;
mod targets;
pub(crate) mod tree;
mod write;
mod yaml;

pub(crate) use expression::rate_window;
pub(crate) use rules::{alerts_of, has_nodes_for};

use crate::inventory::Inventory;
use tree::Tree;

/// How to render.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Every interval, window and `for` is divided by this: 1 for use, more for drills that need not last.
    pub accelerate: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { accelerate: 1 }
    }
}

/// All files of an inventory.
///
/// # Errors
/// What of the profiles or the catalogue cannot be made into a rule or a page, in one line.
pub fn render(inventory: &Inventory, options: Options) -> Result<Tree, String> {
    let mut tree = without_tests(inventory, options)?;
    if options.accelerate == 1 {
        rule_tests::render(inventory, &mut tree)?;
    }
    tree.whole()
}

/// Whether an inventory can be rendered.
///
/// # Errors
/// As [`render()`].
pub fn verify(inventory: &Inventory) -> Result<(), String> {
    // Tests of rules say nothing more of that, and take longer than all the rest.
    without_tests(inventory, Options::default()).map(drop)
}

fn without_tests(inventory: &Inventory, options: Options) -> Result<Tree, String> {
    let mut tree = Tree::default();
    prometheus::render(inventory, options, &mut tree)?;
    rules::render(inventory, options, &mut tree)?;
    alertmanager::render(inventory, options, &mut tree)?;
    blackbox::render(&mut tree)?;
    runbooks::render(inventory, options, &mut tree)?;
    grafana::render(inventory, options, &mut tree)?;
    compose::render(inventory, &mut tree)?;
    systemd::render(inventory, &mut tree);
    readme::render(inventory, &mut tree);
    tree.whole()
}
