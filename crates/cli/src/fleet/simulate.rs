//! `lifeboat fleet simulate`.

use std::os::fd::AsFd;
use std::time::SystemTime;

use clap::Args;
use lifeboat_fleet::Inventory;
use lifeboat_fleet::simulate::{Generation, HELP, Host, Settings, World};

use crate::output::{Failure, print};

/// How to simulate.
#[derive(Debug, Args)]
#[command(after_long_help = format!("Commands, a line each, on standard input or by POST to --control:\n{HELP}\n{EXAMPLE}"))]
pub(crate) struct Wish {
    /// Which names the metrics have: old, new, or mixed for one node this, the next that
    #[arg(long, value_name = "NAME", default_value = "mixed")]
    generation: String,
    /// Take commands at this address of this machine, too; GET answers what `tell` does
    #[arg(long, value_name = "HOST:PORT")]
    control: Option<String>,
    /// Stand for the blackbox exporter as well, at the inventory's address of it
    #[arg(long)]
    blackbox: bool,
    /// As the inventory was rendered
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    accelerate: u64,
}

const EXAMPLE: &str = "\
Nodes of a simulated fleet have addresses of this machine, such as 127.0.1.1, 127.0.1.2 and so on: Linux listens on all of
127.0.0.0/8. So each node has its usual ports. Example:
  lifeboat fleet render drill.toml --out drill
  lifeboat fleet simulate drill.toml --control 127.0.0.1:9999
  curl -d 'sick node-01 PeersBelowMinimum' 127.0.0.1:9999
";

pub(super) fn run(inventory: &Inventory, wish: &Wish) -> Result<(), Failure> {
    let generation = match wish.generation.as_str() {
        "mixed" => Generation::Mixed,
        name => Generation::One(name.to_owned()),
    };
    let settings = Settings { generation, accelerate: wish.accelerate };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let world = World::new(inventory, &settings, now).map_err(Failure::usage)?;
    let mut host = Host::open(world, wish.control.as_deref(), wish.blackbox).map_err(Failure::no)?;
    let (nodes, addresses) = host.count();
    let control = host.control().map(|control| format!(", commands at {control}")).unwrap_or_default();
    print(&format!("simulating {nodes} nodes at {addresses} addresses{control}\n"))?;
    let stdin = std::io::stdin();
    // Who no longer reads what is answered may go on asking.
    let say = |said: &str| drop(print(&format!("{said}\n")));
    host.serve(stdin.as_fd(), say).map_err(|error| Failure::no(format!("cannot wait: {error}")))
}
