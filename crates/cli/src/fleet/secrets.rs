//! `lifeboat fleet secrets`: Alertmanager reads secrets from files alone, so those of the environment are written to files.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use lifeboat_fleet::{Destination, Inventory, Secret};

use crate::output::{Failure, print};

pub(super) fn run(inventory: &Inventory, out: Option<&Path>) -> Result<(), Failure> {
    let folder =
        out.map_or_else(|| PathBuf::from(&inventory.engines.alertmanager.secrets_dir), Path::to_owned);
    let names = names(inventory);
    let given: Vec<&str> = names.iter().copied().filter(|name| value(name).is_some()).collect();
    let rest = names.iter().copied().filter(|name| value(name).is_none());
    // One secret is changed alone where the others have their files.
    let (kept, missing): (Vec<&str>, Vec<&str>) = rest
        .partition(|name| fs::metadata(folder.join(name)).is_ok_and(|file| file.is_file() && file.len() > 0));
    if !missing.is_empty() {
        return Err(Failure::no(format!(
            "nothing was written: set {} in the environment",
            missing.join(", ")
        )));
    }
    if let Some(wrong) = wrong(inventory) {
        return Err(Failure::no(format!("nothing was written: {wrong}")));
    }
    let failed = |error: io::Error| {
        let remedy = "let this user write there, or name another folder with --out";
        Failure::no(format!("cannot write to {}: {error}: {remedy}", folder.display()))
    };
    if !given.is_empty() {
        make(&folder).map_err(failed)?;
    }
    for name in &given {
        write(&folder.join(name), value(name).unwrap_or_default().trim()).map_err(failed)?;
    }
    if names.is_empty() {
        return print("no destination has a secret of the environment\n");
    }
    let owners = owners(&folder, &names).map_err(failed)?;
    let mut said = String::new();
    if !given.is_empty() {
        said += &format!("wrote {} to {}\n", given.join(", "), folder.display());
    }
    if !kept.is_empty() {
        let kept = kept.join(", ");
        said += &format!(
            "kept as they are in {}, for the environment does not set them: {kept}\n",
            folder.display()
        );
    }
    print(&format!(
        "{said}the user that Alertmanager runs as must be able to read them (lifeboat-alertmanager, or \
         65534 in a container):\n{owners}"
    ))
}

/// The variables that destinations name, each once.
fn names(inventory: &Inventory) -> Vec<&str> {
    let mut names: Vec<&str> = secrets(inventory).map(|(_, _, name)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Each secret of the environment with its destination.
fn secrets(inventory: &Inventory) -> impl Iterator<Item = (&Destination, &Secret, &str)> {
    inventory.destinations.iter().flat_map(|destination| {
        let secrets = destination.channel.secrets().into_iter();
        secrets.filter_map(move |secret| match secret {
            Secret::Env(name) => Some((destination, secret, name.as_str())),
            Secret::File(_) => None,
        })
    })
}

/// What a variable says, unless that is nothing.
fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Values that Alertmanager could not send with: it would say so only when an alert is to be told. No value is shown.
fn wrong(inventory: &Inventory) -> Option<String> {
    let told = secrets(inventory).filter_map(|(destination, secret, name)| {
        let why = destination.channel.wrong_value(secret, value(name)?.trim())?;
        Some(format!("{name} is no secret of destination {:?}: {why}", destination.name))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Only the last folder is closed to others: those above it are not ours.
fn make(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::ErrorKind::NotADirectory.into())
        }
        made => made,
    }
}

/// To whom each file belongs, a line for each.
fn owners(folder: &Path, names: &[&str]) -> io::Result<String> {
    let of = |name: &&str| {
        let found = fs::metadata(folder.join(name))?;
        let (user, group, mode) = (found.uid(), found.gid(), found.mode() & 0o777);
        Ok(format!("  {name}: of user {user}, group {group}, mode {mode:04o}\n"))
    };
    names.iter().map(of).collect()
}

/// Readable to this user alone from its first byte on; who reads at that moment sees the old secret or the new one.
fn write(path: &Path, secret: &str) -> io::Result<()> {
    let fresh = path.with_extension("lifeboat-new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let done = file
        .write_all(secret.as_bytes())
        .and_then(|()| hand_over(&file, path))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, path));
    if done.is_err() {
        // What is left would be a secret that nobody knows of.
        drop(fs::remove_file(&fresh));
    }
    done
}

/// Whoever could read the old file can read the new one; the first belongs to whom the folder belongs to.
fn hand_over(file: &fs::File, path: &Path) -> io::Result<()> {
    let own = file.metadata()?;
    let give = |to: &fs::Metadata| match (own.uid(), own.gid()) == (to.uid(), to.gid()) {
        true => Ok(()),
        false => fchown(file, Some(to.uid()), Some(to.gid())),
    };
    match fs::symlink_metadata(path) {
        Ok(old) if old.is_file() => {
            give(&old)?;
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))
        }
        _ => {
            let folder = path.parent().map(fs::metadata).transpose()?;
            match folder.map(|folder| give(&folder)) {
                // Nobody was to read it before; what is printed says who can now.
                Some(Err(error)) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
                _ => Ok(()),
            }
        }
    }
}
