//! `lifeboat fleet secrets`: Alertmanager reads secrets from files alone, so those of the environment are written to files.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lifeboat_fleet::{Inventory, Secret};

use crate::output::{Failure, print};

pub(super) fn run(inventory: &Inventory, out: Option<&Path>) -> Result<(), Failure> {
    let folder =
        out.map_or_else(|| PathBuf::from(&inventory.engines.alertmanager.secrets_dir), Path::to_owned);
    let mut names: Vec<&str> = inventory
        .destinations
        .iter()
        .flat_map(|destination| destination.channel.secrets())
        .filter_map(|secret| if let Secret::Env(name) = secret { Some(name.as_str()) } else { None })
        .collect();
    names.sort_unstable();
    names.dedup();
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let missing: Vec<&str> = names.iter().copied().filter(|name| value(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(Failure::no(format!("set {} in the environment", missing.join(", "))));
    }
    let failed = |error: io::Error| Failure::no(format!("cannot write to {}: {error}", folder.display()));
    if !names.is_empty() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    }
    for name in &names {
        write(&folder.join(name), value(name).unwrap_or_default().trim()).map_err(failed)?;
    }
    match names.as_slice() {
        [] => print("no destination has a secret of the environment\n"),
        names => print(&format!("wrote {} to {}\n", names.join(", "), folder.display())),
    }
}

/// Readable to this user alone from its first byte on; who reads at that moment sees the old secret or the new one.
fn write(path: &Path, secret: &str) -> io::Result<()> {
    let fresh = path.with_extension("lifeboat-new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
