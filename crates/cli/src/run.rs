//! `lifeboat run`: hands the program over to `lifeboat-monitor`, which looks after it in our place.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat_monitor::at_start;
use lifeboat_monitor::dsn::Dsn;
use lifeboat_monitor::run::missing;
use lifeboat_monitor::switch::{self, Reporter};
use nix::sys::signal::SigSet;

use crate::clean;
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
    refuse_detached_count(&wish)?;
    look_at_environment(&wish)?;
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

/// `--log-breadcrumbs 5 -- node` would run a program called 5.
fn refuse_detached_count(wish: &Wish) -> Result<(), Failure> {
    let first = wish.command.first().map(OsString::as_os_str).unwrap_or_default();
    let is_number = first.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let words: Vec<OsString> = std::env::args_os().collect();
    let is_behind = |pair: &[OsString]| matches!(pair, [option, count] if option == "--log-breadcrumbs" && count == first);
    if wish.log_breadcrumbs.is_some() && is_number && words.windows(2).any(is_behind) {
        return Err(Failure::usage(format!("write --log-breadcrumbs={}", first.display())));
    }
    Ok(())
}

/// Tells what the environment says and whoever wrote it may not have meant.
fn look_at_environment(wish: &Wish) -> Result<(), Failure> {
    match switch::reporter() {
        Reporter::Nobody => return Ok(()),
        Reporter::Own(variable) => {
            anstream::eprintln!(
                "lifeboat: {variable} is set: the program is taken to have a reporter of its own, and is not looked after"
            );
            return Ok(());
        }
        Reporter::NotNamed => {}
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(named) = set("LIFEBOAT_STATE_DIR").filter(|_| wish.state_dir.is_none())
        && !Path::new(&named).is_absolute()
    {
        return Err(Failure::usage(format!(
            "LIFEBOAT_STATE_DIR={} is not absolute: write it from the root on",
            named.display()
        )));
    }
    // The parser's sentence does not repeat the DSN, which may hold a secret.
    if let Some(Err(error)) = set("SENTRY_DSN").map(|dsn| Dsn::parse(&dsn.to_string_lossy())) {
        let sentence = error.to_string().replacen("the DSN", "SENTRY_DSN", 1);
        anstream::eprintln!("lifeboat: {sentence}; reports stay on this machine");
    }
    Ok(())
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
    let reason = clean::line(&missing::reason(program, &error));
    anstream::eprintln!("lifeboat: cannot run {}: {reason}", program.display());
    std::process::exit(status)
}

/// Answers only where it fails. Whoever started us may have blocked or ignored signals, and means it for the program.
fn become_program(command: &mut Command) -> io::Error {
    let mask = SigSet::thread_get_mask();
    let keep_signals = move || {
        at_start::restore();
        match mask {
            Ok(mask) => mask.thread_set_mask().map_err(io::Error::from),
            Err(_) => Ok(()),
        }
    };
    // SAFETY: it sets signals of a process that has one thread and becomes another program next.
    unsafe { command.pre_exec(keep_signals) };
    command.exec()
}

/// The monitor that is named, or the one beside us.
fn monitor() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LIFEBOAT_MONITOR").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    Some(std::env::current_exe().ok()?.parent()?.join("lifeboat-monitor"))
}
