//! The program `lifeboat-monitor`: takes the role that its first argument names.

use std::ffi::OsString;
use std::process::ExitCode;

use lifeboat_monitor::{Error, post, report, watch};

const USAGE: &str = "\
lifeboat-monitor is started by the reporter inside a node; nobody needs to start it by hand.

  lifeboat-monitor watch               capture the node whose recorder is descriptor 3 and whose pidfd is 4
  lifeboat-monitor report ARGUMENTS    turn one capture into one report
  lifeboat-monitor post ARGUMENTS      deliver what lies in the spool
  lifeboat-monitor --version
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next().unwrap_or_default();
    match take_role(role.to_str().unwrap_or_default(), arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lifeboat-monitor: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

fn take_role(role: &str, arguments: impl Iterator<Item = OsString>) -> Result<(), Error> {
    match role {
        "watch" => watch::run(),
        "report" => report::run(arguments),
        "post" => post::run(post::Config::from_arguments(arguments)?),
        "--help" | "-h" | "help" => {
            print!("{USAGE}");
            Ok(())
        }
        "--version" | "-V" => {
            println!("lifeboat-monitor {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            Err(Error::usage(format!("there is no role {role:?}")))
        }
    }
}
