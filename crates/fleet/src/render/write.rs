//! Writes a tree into a folder, so that neither a full disk nor a crash leaves half a file or half a configuration.
//!
//! All new texts are first written beside their places and synced; only when every one is there are they renamed. What is
//! under way stands in the manifest meanwhile, so that a rendering after a crash knows those files for its own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::manifest;
use super::plan::{self, Plan, There};
use super::refusal::Refusal;
use super::tree::{Tree, Written};

/// The end of the name under which a text waits. No pattern of ours (`*.yml`, `*.json`, `*.tmpl`) takes such a file.
const WAITING: &str = ".lifeboat-new";

impl Tree {
    /// What [`Tree::write`] would do; nothing is touched.
    ///
    /// # Errors
    /// What in the folder stands in the way.
    pub fn compare(&self, folder: &Path) -> Result<Written, Refusal> {
        Ok(Plan::of(self, folder)?.written)
    }

    /// Writes them below a folder. A file that is so already is not touched, what others wrote beside them stays, and what
    /// an earlier rendering wrote and this one lacks goes. All of it is done, or as good as nothing.
    ///
    /// # Errors
    /// What in the folder stands in the way; a file that somebody changed by hand does.
    pub fn write(&self, folder: &Path) -> Result<Written, Refusal> {
        write(self, folder, false)
    }

    /// The same, but what somebody changed by hand is kept as `NAME.orig`, and does not stand in the way.
    ///
    /// # Errors
    /// What in the folder stands in the way.
    pub fn write_with_force(&self, folder: &Path) -> Result<Written, Refusal> {
        write(self, folder, true)
    }
}

fn write(tree: &Tree, folder: &Path, force: bool) -> Result<Written, Refusal> {
    // What stands in the way is told before anything is made.
    Plan::of(tree, folder)?;
    fs::create_dir_all(folder).map_err(Refusal::io(folder, "make the folder"))?;
    let _lock = lock(folder)?;
    let plan = Plan::of(tree, folder)?;
    if !force && !plan.written.by_hand.is_empty() {
        return Err(Refusal::by_hand(folder, plan.written.by_hand));
    }
    clear_waiting(folder, &plan);
    if plan.is_done() {
        return Ok(plan.written);
    }
    if let Err(refusal) = stage(tree, folder, &plan) {
        // As good as nothing was done: what was there before is still there.
        plan.written.changed.iter().for_each(|path| drop(fs::remove_file(waiting(&folder.join(path)))));
        return Err(refusal);
    }
    settle(folder, plan)
}

/// Two renderings at once would mix their files.
fn lock(folder: &Path) -> Result<File, Refusal> {
    let handle = File::open(folder).map_err(Refusal::io(folder, "open the folder"))?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(Refusal::place(folder, "another rendering is writing to it")),
        Err(TryLockError::Error(error)) => Err(Refusal::io(folder, "lock the folder")(error)),
    }
}

/// What a rendering that was interrupted left behind.
fn clear_waiting(folder: &Path, plan: &Plan) {
    let unfinished = plan.before.iter().flat_map(|manifest| manifest.unfinished.keys());
    unfinished.for_each(|path| drop(fs::remove_file(waiting(&folder.join(path)))));
}

/// Writes and syncs every new text beside its place, and says so in the manifest.
fn stage(tree: &Tree, folder: &Path, plan: &Plan) -> Result<(), Refusal> {
    // Before the first file: were this one killed, the next would know what waits.
    let mut under_way = manifest::Manifest::of(plan.found.clone());
    let changed: BTreeSet<&PathBuf> = plan.written.changed.iter().collect();
    let new = plan.after.files.iter().filter(|(path, _)| changed.contains(path));
    under_way.unfinished = new.map(|(path, sum)| (path.clone(), sum.clone())).collect();
    write_manifest(folder, &under_way)?;
    for path in changed {
        let place = folder.join(path);
        let parent = place.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Refusal::io(parent, "make the folder"))?;
        write_synced(&waiting(&place), tree.text(path).unwrap_or_default())?;
    }
    Ok(())
}

/// From here on nothing needs room on the disk but names and the manifest.
fn settle(folder: &Path, mut plan: Plan) -> Result<Written, Refusal> {
    let by_hand = std::mem::take(&mut plan.written.by_hand);
    for path in by_hand {
        set_aside(folder, path, &mut plan.written)?;
    }
    for path in plan.written.changed.clone() {
        if is_edited(folder, &path, &plan)? {
            set_aside(folder, path.clone(), &mut plan.written)?;
        }
        let place = folder.join(path);
        fs::rename(waiting(&place), &place).map_err(Refusal::io(&place, "write"))?;
    }
    for path in plan.written.removed.clone() {
        if plan.written.by_hand.contains(&path) {
            continue;
        }
        if is_edited(folder, &path, &plan)? {
            set_aside(folder, path, &mut plan.written)?;
            continue;
        }
        let place = folder.join(path);
        match fs::remove_file(&place) {
            // Somebody was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(Refusal::io(&place, "remove"))?,
        }
    }
    for path in &plan.written.removed {
        // A folder in which something is left stays: removing one that is not empty fails.
        let parents = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        parents.map(|parent| fs::remove_dir(folder.join(parent))).take_while(Result::is_ok).for_each(drop);
    }
    sync_folders(folder, &plan)?;
    write_manifest(folder, &plan.after)?;
    Ok(plan.written)
}

/// Whether somebody wrote to a file since the plan was made: new texts were written and synced meanwhile.
fn is_edited(folder: &Path, path: &Path, plan: &Plan) -> Result<bool, Refusal> {
    Ok(match plan::there(folder, path)? {
        There::Nothing => false,
        There::File(sum) => plan.found.get(path) != Some(&sum) && plan.after.files.get(path) != Some(&sum),
        There::Other => true,
    })
}

/// What is there by hand stays, under another name.
fn set_aside(folder: &Path, path: PathBuf, written: &mut Written) -> Result<(), Refusal> {
    let place = folder.join(&path);
    let aside = free_name(&place);
    fs::rename(&place, &aside).map_err(Refusal::io(&place, "set aside"))?;
    written.kept.push(aside.strip_prefix(folder).unwrap_or(&aside).to_owned());
    written.by_hand.push(path);
    Ok(())
}

fn write_manifest(folder: &Path, manifest: &manifest::Manifest) -> Result<(), Refusal> {
    let place = folder.join(manifest::NAME);
    let text = manifest.text().map_err(|what| Refusal::place(&place, what))?;
    let fresh = waiting(&place);
    let done = write_synced(&fresh, &text)
        .and_then(|()| fs::rename(&fresh, &place).map_err(Refusal::io(&place, "write")))
        .and_then(|()| sync_folder(folder));
    if done.is_err() {
        drop(fs::remove_file(&fresh));
    }
    done
}

/// A file that was not there: neither a link nor somebody's text is written through.
fn write_synced(place: &Path, text: &str) -> Result<(), Refusal> {
    let fresh = || OpenOptions::new().write(true).create_new(true).open(place);
    let file = match fresh() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(place).and_then(|()| fresh())
        }
        file => file,
    };
    let write = |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    file.and_then(write).map_err(Refusal::io(place, "write"))
}

fn sync_folders(folder: &Path, plan: &Plan) -> Result<(), Refusal> {
    let touched = plan.written.changed.iter().chain(&plan.written.removed);
    let parents: BTreeSet<PathBuf> =
        touched.flat_map(|path| path.ancestors().skip(1)).map(|parent| folder.join(parent)).collect();
    parents.iter().filter(|parent| parent.is_dir()).try_for_each(|parent| sync_folder(parent))
}

fn sync_folder(folder: &Path) -> Result<(), Refusal> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(Refusal::io(folder, "sync the folder"))
}

/// The name under which a text waits for its place.
fn waiting(place: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(WAITING);
    place.with_file_name(name)
}

/// `NAME.orig`, or the first of `NAME.orig.2`, `NAME.orig.3`, … that nobody has.
fn free_name(place: &Path) -> PathBuf {
    let named = |number: u32| {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".orig");
        if number > 1 {
            name.push(format!(".{number}"));
        }
        place.with_file_name(name)
    };
    let mut number = 1;
    while fs::symlink_metadata(named(number)).is_ok() {
        number += 1;
    }
    named(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        files.iter().for_each(|(path, text)| tree.add(*path, (*text).to_owned()));
        tree
    }

    #[test]
    fn what_is_edited_while_texts_are_written_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        tree(&[("a.yml", "a"), ("b.yml", "b"), ("gone.yml", "g")]).write(folder).unwrap();
        let next = tree(&[("a.yml", "a2"), ("b.yml", "b2"), ("new.yml", "n")]);
        let plan = Plan::of(&next, folder).unwrap();
        assert!(plan.written.by_hand.is_empty());
        stage(&next, folder, &plan).unwrap();
        for name in ["a.yml", "gone.yml", "new.yml"] {
            fs::write(folder.join(name), "by hand").unwrap();
        }
        let written = settle(folder, plan).unwrap();
        assert_eq!(written.kept, ["a.yml.orig", "new.yml.orig", "gone.yml.orig"].map(PathBuf::from));
        for kept in &written.kept {
            assert_eq!(fs::read_to_string(folder.join(kept)).unwrap(), "by hand");
        }
        let texts = ["a.yml", "b.yml", "new.yml"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!((texts.join(" ").as_str(), folder.join("gone.yml").exists()), ("a2 b2 n", false));
        assert!(next.write(folder).unwrap().is_nothing());
    }
}
