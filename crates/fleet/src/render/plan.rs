//! What writing a tree would do to a folder, found out before anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest};
use super::refusal::Refusal;
use super::tree::{Tree, Written};

/// No rendering writes a longer file: half a million nodes have less in their rules.
const BYTES_MAX: u64 = 1 << 30;

/// What there is to do.
pub(super) struct Plan {
    /// As it will be when it is done.
    pub(super) written: Written,
    /// As the last rendering left it; none where there was none.
    pub(super) before: Option<Manifest>,
    /// What stands there of that, or of one that was interrupted, each with its sum.
    pub(super) found: BTreeMap<PathBuf, String>,
    /// As this one will leave it.
    pub(super) after: Manifest,
}

impl Plan {
    pub(super) fn of(tree: &Tree, folder: &Path) -> Result<Self, Refusal> {
        if fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
            return Err(Refusal::place(folder, "is a file: name a folder"));
        }
        let before = Manifest::read(folder)?;
        let sums = tree.files().map(|(path, text)| (path.to_owned(), manifest::sum(text.as_bytes())));
        let after = Manifest::of(sums.collect());
        let mut plan = Self { written: Written::default(), before, found: BTreeMap::new(), after };
        for path in plan.all_paths() {
            if !manifest::is_inside(&path) {
                return Err(Refusal::place(&path, "leads out of the folder"));
            }
            let there = there(folder, &path)?;
            plan.file(path, there);
        }
        Ok(plan)
    }

    fn file(&mut self, path: PathBuf, there: There) {
        let wanted = self.after.files.get(&path);
        match there {
            There::File(sum) if wanted == Some(&sum) => {
                self.found.insert(path.clone(), sum);
                return self.written.unchanged.push(path);
            }
            There::File(sum) if self.before.as_ref().is_some_and(|before| before.knows(&path, &sum)) => {
                self.found.insert(path.clone(), sum);
            }
            There::Nothing if wanted.is_none() => return,
            There::Nothing => {}
            There::File(_) | There::Other => self.written.by_hand.push(path.clone()),
        }
        if wanted.is_some() { self.written.changed.push(path) } else { self.written.removed.push(path) }
    }

    /// Whether the folder and its manifest are as they should be.
    pub(super) fn is_done(&self) -> bool {
        self.written.is_nothing() && self.before.as_ref() == Some(&self.after)
    }

    /// Those of this rendering, and those of earlier ones.
    fn all_paths(&self) -> BTreeSet<PathBuf> {
        let before =
            self.before.iter().flat_map(|before| before.files.keys().chain(before.unfinished.keys()));
        before.chain(self.after.files.keys()).cloned().collect()
    }
}

/// What stands at a place.
pub(super) enum There {
    Nothing,
    /// A plain file, with its sum.
    File(String),
    /// A link, a device, a file of gigabytes: no rendering made that.
    Other,
}

/// Looks without following a link below the folder: what one leads to is not ours to write.
pub(super) fn there(folder: &Path, path: &Path) -> Result<There, Refusal> {
    let mut place = folder.to_owned();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let is_last = parts.peek().is_none();
        let found = match fs::symlink_metadata(&place) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
            Err(error) => return Err(Refusal::io(&place, "look at")(error)),
        };
        match (is_last, found.is_dir()) {
            (false, true) => {}
            (false, false) if found.file_type().is_symlink() => {
                return Err(Refusal::place(
                    &place,
                    "is a symbolic link, and none is followed: make it a folder",
                ));
            }
            (false, false) => return Err(Refusal::place(&place, "is a file where a folder is needed")),
            (true, true) => return Err(Refusal::place(&place, "is a folder where a file is needed")),
            (true, false) if !found.is_file() || found.len() > BYTES_MAX => return Ok(There::Other),
            (true, false) => {}
        }
    }
    let sum = File::open(&place).and_then(|file| manifest::sum_of(file, BYTES_MAX));
    Ok(sum.map_err(Refusal::io(&place, "read"))?.map_or(There::Other, There::File))
}
