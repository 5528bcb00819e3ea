//! What `serve` gives up before the first stranger speaks to it: everything but the memory that it holds, its own file in
//! the state directory, and the ports that it was told.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use crate::Error;
use crate::confine::{self, FOREIGN, SIGNALS};

use super::endpoint::FOLDER;

const LANDLOCK_MAX: ABI = ABI::V6;

/// Ports that are needed yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ports {
    /// To listen at: nothing where that is so already.
    pub(super) bind: Option<u16>,
    /// The node's own endpoint.
    pub(super) connect: Option<u16>,
}

/// Confines this process, which must have one thread, for the rest of its life.
///
/// # Errors
/// Where not even privileges could be given up.
pub(super) fn confine(state_dir: &Path, ports: Ports) -> Result<(), Error> {
    confine::close_up()?;
    if !matches!(restrict(&state_dir.join(FOLDER), ports), Ok(true)) {
        confine::leave_user_namespace();
    }
    confine::drop_capabilities()?;
    let mut calls = [&FOREIGN[..], &SIGNALS].concat();
    if ports.bind.is_none() {
        calls.extend([libc::SYS_bind, libc::SYS_listen]);
    }
    if ports.connect.is_none() {
        calls.push(libc::SYS_connect);
    }
    if ports.bind.is_none() && ports.connect.is_none() {
        calls.extend([libc::SYS_socket, libc::SYS_socketpair]);
    }
    // A kernel without seccomp is lived with.
    let _ = confine::forbid(&calls);
    Ok(())
}

/// Whether Landlock is in force, as far as this kernel knows it.
fn restrict(folder: &Path, ports: Ports) -> Result<bool, RulesetError> {
    let own = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::RemoveFile;
    let bind = ports.bind.map(|port| Ok(NetPort::new(port, AccessNet::BindTcp)));
    let connect = ports.connect.map(|port| Ok(NetPort::new(port, AccessNet::ConnectTcp)));
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK_MAX))?
        .handle_access(AccessNet::from_all(LANDLOCK_MAX))?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .add_rules(path_beneath_rules([folder], own))?
        .add_rules(bind.into_iter().chain(connect).collect::<Vec<Result<_, RulesetError>>>())?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
