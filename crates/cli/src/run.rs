//! `lifeboat run`: hands the program over to `lifeboat-monitor`, which looks after it in our place.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::SigSet;

use crate::output::Failure;

/// What was asked for.
pub(crate) struct Wish {
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) no_trace: bool,
    pub(crate) log_breadcrumbs: Option<usize>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Becomes the monitor, and where there is none the program itself: a node without a report is better than no node.
pub(crate) fn run(wish: Wish) -> Result<(), Failure> {
    let Some(monitor) = monitor() else { return run_alone(&wish.command, "no place of it is known") };
    let mut role = Command::new(&monitor);
    role.arg("run");
    if let Some(state_dir) = &wish.state_dir {
        role.arg("--state-dir").arg(state_dir);
    }
    if wish.no_trace {
        role.arg("--no-trace");
    }
    if let Some(count) = wish.log_breadcrumbs {
        role.arg("--log-breadcrumbs").arg(count.to_string());
    }
    role.arg("--").args(&wish.command);
    let error = become_program(&mut role);
    run_alone(&wish.command, &format!("{}: {error}", monitor.display()))
}

fn run_alone(command: &[OsString], why: &str) -> Result<(), Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("name the program to run"));
    };
    anstream::eprintln!(
        "lifeboat: nobody looks after the program, because lifeboat-monitor cannot be run: {why}"
    );
    let error = become_program(Command::new(program).args(arguments));
    let status = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    anstream::eprintln!("lifeboat: cannot run {}: {error}", program.display());
    std::process::exit(status)
}

/// Answers only where it fails. Whoever started us may have blocked signals, and means it for the program.
fn become_program(command: &mut Command) -> io::Error {
    let mask = SigSet::thread_get_mask();
    let keep_mask = move || match mask {
        Ok(mask) => mask.thread_set_mask().map_err(io::Error::from),
        Err(_) => Ok(()),
    };
    // SAFETY: it sets the signal mask of a process that has one thread and becomes another program next.
    unsafe { command.pre_exec(keep_mask) };
    command.exec()
}

/// The monitor that is named, or the one beside us.
fn monitor() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LIFEBOAT_MONITOR").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    Some(std::env::current_exe().ok()?.parent()?.join("lifeboat-monitor"))
}
