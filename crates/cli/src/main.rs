//! The command `lifeboat`: reads its arguments, hands over, and turns the answer into an exit code.

mod arguments;
mod audit;
mod clean;
mod doctor;
mod event;
mod fleet;
mod health;
mod output;
mod reports;
mod run;
mod served;
mod show;
mod state;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use output::Failure;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("lifeboat: {}", clean::line(&failure.to_string()));
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Reports { json, state } => reports::run(&state.directory()?, json),
        Command::Show { id, json, html, breadcrumbs, state } => {
            let form = match (json, html) {
                (true, _) => show::Form::Json,
                (_, true) => show::Form::Html,
                _ => show::Form::Page(breadcrumbs),
            };
            show::run(&state.directory()?, &id, form)
        }
        Command::Doctor { json, offline, state } => doctor::run(&state.directory()?, json, offline),
        Command::Audit { program, json } => audit::run(&program, json),
        Command::Run { no_trace, log_breadcrumbs, state, command } => {
            run::run(run::Wish { state_dir: state.named(), no_trace, log_breadcrumbs, command })
        }
        Command::Health { address, timeout, json, state } => {
            let timeout = std::time::Duration::from_secs(timeout);
            health::run(&health::Wish { address, state_dir: state.named(), timeout, json })
        }
        Command::Fleet { command } => fleet::run(command),
        Command::Probe => doctor::probe(),
    }
}
