//! `lifeboat fleet …`: a fleet's inventory, and what is made of it.

mod check;
mod problems;
mod render;
mod secrets;
mod simulate;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lifeboat_fleet::{Inventory, Problems};

use crate::output::Failure;

/// What to do with an inventory.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether an inventory is right, and what it holds
    Check {
        #[command(flatten)]
        file: File,
        /// Say it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the configuration of Prometheus, Alertmanager and Grafana
    Render {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        wish: render::Wish,
    },
    /// Let a fleet answer that is not there: for tests, demonstrations and drills
    Simulate {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        wish: simulate::Wish,
    },
    /// Write secrets of the environment to files that Alertmanager reads
    Secrets {
        #[command(flatten)]
        file: File,
        /// The folder to write into; the inventory's `secrets_dir` where it is left out
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
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
        Command::Check { file, json } => check::run(&file.path, json),
        Command::Render { file, wish } => render::run(&file.path, &wish),
        Command::Simulate { file, wish } => simulate::run(&read(&file.path)?, &wish),
        Command::Secrets { file, out } => secrets::run(&read(&file.path)?, out.as_deref()),
    }
}

/// The inventory that stands in a file; what is wrong with it is written to standard error.
pub(crate) fn read(path: &Path) -> Result<Inventory, Failure> {
    load(path)?.map_err(|problems| problems::told(&problems))
}

/// What is no file, or none that this user may read, is wrong use; a file that says something wrong is an answer.
fn load(path: &Path) -> Result<Result<Inventory, Problems>, Failure> {
    load_for(path, false)
}

/// The same; a program that reads JSON finds there, too, that there is no such file.
fn load_for(path: &Path, as_json: bool) -> Result<Result<Inventory, Problems>, Failure> {
    if let Err(problem) = Inventory::look(path) {
        let failure = Failure::usage(problem.to_string());
        if as_json {
            problems::told_as_json(&problem.into())?;
        }
        return Err(failure);
    }
    Ok(Inventory::load(path))
}
