//! `lifeboat fleet …`: a fleet's inventory, and what is made of it.

mod render;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lifeboat_fleet::Inventory;

use crate::output::{Failure, print};

/// What to do with an inventory.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether an inventory is right, and what it holds
    Check {
        #[command(flatten)]
        file: File,
    },
    /// Write the configuration of Prometheus, Alertmanager and Grafana
    Render {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        wish: render::Wish,
    },
}

/// The inventory.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The inventory
    #[arg(value_name = "FILE", default_value = "fleet.toml")]
    pub(crate) path: PathBuf,
}

/// Does it.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check { file } => check(&read(&file.path)?),
        Command::Render { file, wish } => render::run(&read(&file.path)?, &wish),
    }
}

/// The inventory that stands in a file.
pub(crate) fn read(path: &Path) -> Result<Inventory, Failure> {
    // A file that is not there is wrong use; one that says something wrong is an answer.
    if let Err(error) = std::fs::metadata(path) {
        return Err(Failure::usage(format!("cannot read {}: {error}", path.display())));
    }
    Inventory::load(path).map_err(|problems| Failure::no(problems.to_string()))
}

fn check(inventory: &Inventory) -> Result<(), Failure> {
    let lines = inventory.fleets.iter().map(|fleet| format!("{}: {} nodes\n", fleet.name, fleet.nodes.len()));
    print(&lines.collect::<String>())
}
