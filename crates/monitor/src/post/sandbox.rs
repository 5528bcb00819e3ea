//! What `post` gives up before it speaks to the network: new privileges, capabilities, tracing, other
//! programs, other processes' memory, and files other than the state directory and the resolver's.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};

use crate::confine::{self, FOREIGN, SIGNALS};
use crate::error::Error;

/// Landlock's second version is the first that allows a rename from one folder to another.
const LANDLOCK_MIN: ABI = ABI::V2;
const LANDLOCK_MAX: ABI = ABI::V6;

/// What the kernel granted of the confinement; the rest it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The system call filter is in force.
    pub seccomp: bool,
    /// File access is limited to the state directory and what is read to reach a server.
    pub landlock: bool,
    /// Where there is no Landlock: a user namespace of its own, which may look into no process outside.
    pub user_namespace: bool,
}

/// Confines this process, which must have one thread, for the rest of its life.
///
/// # Errors
/// Where not even privileges could be given up.
pub fn confine(state_dir: &Path) -> Result<Confinement, Error> {
    confine::close_up()?;
    let landlock = matches!(restrict_files(state_dir), Ok(true));
    let user_namespace = !landlock && confine::leave_user_namespace();
    confine::drop_capabilities()?;
    let seccomp = confine::forbid(&[&FOREIGN[..], &SIGNALS].concat()).is_ok();
    Ok(Confinement { seccomp, landlock, user_namespace })
}

/// Whether Landlock is in force. It also forbids tracing and `/proc/PID/mem` outside its own domain.
fn restrict_files(state_dir: &Path) -> Result<bool, RulesetError> {
    if !landlock_knows_rename() {
        return Ok(false);
    }
    let write = AccessFs::from_all(LANDLOCK_MAX) & !AccessFs::Execute;
    let read = AccessFs::from_read(LANDLOCK_MAX) & !AccessFs::Execute;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK_MAX))?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .add_rules(path_beneath_rules([state_dir], write))?
        .add_rules(path_beneath_rules(readable(), read))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

pub(crate) fn landlock_knows_rename() -> bool {
    use landlock::{CompatLevel, Compatible};
    let wanted = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LANDLOCK_MIN));
    wanted.and_then(Ruleset::create).is_ok()
}

/// What reaching a server reads: resolver, certificates, and the C library's modules for both. Names that
/// are links are followed once, as into `/run/systemd/resolve` or the Nix store.
fn readable() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        ["/etc", "/usr", "/lib", "/lib64", "/nix/store", "/dev/null"].map(PathBuf::from).to_vec();
    let links =
        ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    for path in links.into_iter().map(PathBuf::from).chain(named.map(PathBuf::from)) {
        places.extend(std::fs::canonicalize(&path).ok().and_then(folder_of));
        places.extend(folder_of(path));
    }
    // The root or /proc would undo the rest.
    places.retain(|place| place.components().count() > 1 && !place.starts_with("/proc") && place.exists());
    places
}

/// A folder stands for itself, a file for its folder: such files are replaced by rename.
fn folder_of(path: PathBuf) -> Option<PathBuf> {
    if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
}
