//! The program `lifeboat-monitor`: takes the role that its first argument names.

use std::ffi::OsString;
use std::process::ExitCode;

use lifeboat_monitor::{
    Error, VERSION, at_start, check_database, close_all_but, post, report, run, serve, watch,
};

const USAGE: &str = "\
lifeboat-monitor is started by the reporter inside a node, or by `lifeboat run`; nobody needs to start it by hand.

  lifeboat-monitor watch               capture the node whose recorder is descriptor 3 and whose pidfd is 4
  lifeboat-monitor report ARGUMENTS    turn one capture into one report
  lifeboat-monitor post ARGUMENTS      deliver what lies in the spool
  lifeboat-monitor serve ARGUMENTS     serve a node's metrics and health
  lifeboat-monitor check-database PATH  look through one of a node's SQLite databases
  lifeboat-monitor run ARGUMENTS       run a program and look after it
  lifeboat-monitor pump                carry the output of what a program left behind
  lifeboat-monitor --version
";

fn main() -> ExitCode {
    at_start::expect_children();
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next().unwrap_or_default();
    let role = role.to_str().unwrap_or_default();
    show(role);
    match take_role(role, arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lifeboat-monitor: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// Lets `ps` and `top` tell the roles apart: the kernel keeps 15 bytes of a name.
fn show(role: &str) {
    let name = match role {
        "watch" => c"lifeboat-watch",
        "report" => c"lifeboat-report",
        "post" => c"lifeboat-post",
        "serve" => c"lifeboat-serve",
        "check-database" => c"lifeboat-check",
        "run" => c"lifeboat-run",
        "pump" => c"lifeboat-pump",
        _ => return,
    };
    // Nothing but a name is lost.
    let _ = rustix::thread::set_name(name);
}

fn take_role(role: &str, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode, Error> {
    match role {
        "run" => return run::run(arguments),
        "pump" => run::pump()?,
        "watch" => watch::run()?,
        "report" => report::run(arguments)?,
        "post" => post::run(post::Config::from_arguments(given(arguments))?)?,
        "check-database" => check_database::run(arguments)?,
        "serve" => serve::run(serve::Config::from_arguments(given(arguments))?)?,
        "--help" | "-h" | "help" => print!("{USAGE}"),
        "--version" | "-V" => println!("lifeboat-monitor {VERSION}"),
        _ => {
            eprint!("{USAGE}");
            return Err(Error::usage(format!("there is no role {role:?}")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments of a role that keeps no descriptor but those that they name. Any number may be one, but a process's.
fn given(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const OF_PROCESSES: [&str; 2] = ["--node", "--pid"];
    let arguments: Vec<_> = arguments.collect();
    let names = arguments.iter().map(|argument| OF_PROCESSES.iter().any(|name| argument == name));
    let values = arguments.iter().skip(1).zip(names).filter(|(_, is_process)| !is_process);
    let numbers: Vec<_> = values.filter_map(|(argument, _)| argument.to_str()?.parse().ok()).collect();
    close_all_but(&numbers);
    arguments
}
