//! Folders that a test may fill and that are gone after it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of one test, mode 0700, removed when dropped; kept when the test fails, for a look at it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A fresh folder below cargo's target folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::below(&target_folder().join("tmp"), name)
    }

    /// A fresh folder in the system's sticky folder for temporary files: a reporter in it passes the loader's
    /// path policy even where the checkout is writable by a group.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn trusted(name: &str) -> Self {
        Self::below(&std::env::temp_dir(), name)
    }

    fn below(parent: &Path, name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("lifeboat-{name}-{}-{number}", std::process::id()));
        let made = fs::create_dir_all(parent).and_then(|()| DirBuilder::new().mode(0o700).create(&path));
        if let Err(error) = made {
            panic!("cannot make {}: {error}", path.display());
        }
        Self { path }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the folder.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file into the folder and answers its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        if let Err(error) = fs::write(&path, bytes) {
            panic!("cannot write {}: {error}", path.display());
        }
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A file that cannot be removed is left behind: it must not fail a test that passed.
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// Cargo's target folder: tests run from `<target>/<profile>/deps`.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("no path of this test: {error}"));
    match program.ancestors().nth(3) {
        Some(folder) => folder.to_path_buf(),
        None => panic!("{} is not below a target folder: run the tests with cargo test", program.display()),
    }
}
