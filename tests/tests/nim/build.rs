//! Compiles Nim programs as users do: with either Nim, in each mode, and with what else changes the code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lifeboat_tests::{Outcome, Run, repository};

/// A compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nim {
    /// 1.6, of Debian stable.
    One,
    /// 2.2, which logos-delivery builds with.
    Two,
}

impl Nim {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Two];

    fn command(self) -> OsString {
        match self {
            Self::One => std::env::var_os("LIFEBOAT_TEST_NIM").unwrap_or("nim".into()),
            Self::Two => {
                let named = std::env::var_os("LIFEBOAT_TEST_NIM2").map(PathBuf::from);
                let path = named.unwrap_or_else(|| repository("target/nim-2/bin/nim"));
                assert!(path.is_file(), "no Nim 2 at {}: run scripts/setup nim", path.display());
                path.into_os_string()
            }
        }
    }
}

/// A way to build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build {
    pub(crate) nim: Nim,
    pub(crate) flags: &'static [&'static str],
}

impl Build {
    /// By this compiler, with these flags.
    pub(crate) const fn new(nim: Nim, flags: &'static [&'static str]) -> Self {
        Self { nim, flags }
    }

    /// As the table of deaths calls it.
    pub(crate) fn name(&self) -> String {
        let nim = if self.nim == Nim::One { "1.6" } else { "2.2" };
        let mode = if self.has("-d:lifeboatLink") { "link" } else { "load" };
        let memory = if self.has("--mm:orc") { "orc" } else { "refc" };
        let goal = if self.has("-d:release") { "release" } else { "debug" };
        let libc = if self.has("--gcc.exe:musl-gcc") { ", musl" } else { "" };
        let panics = if self.has("--panics:on") { ", panics" } else { "" };
        format!("{mode}, {nim} {memory} {goal}{libc}{panics}")
    }

    /// Whether a flag is among them.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Compiles `source` to `output`, with the package at `bindings`, and answers what the compiler said.
    pub(crate) fn try_compile(
        &self,
        source: &Path,
        output: &Path,
        bindings: &Path,
        more: &[OsString],
    ) -> Outcome {
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        let cache = output.with_extension("nimcache");
        let run = Run::new(self.nim.command()).args(["c", "--hints:off", "--threads:on", "--colors:off"]);
        let run = run.arg(option("--path:", bindings)).arg(option("--nimcache:", &cache));
        let run = run.arg(option("-o:", output)).args(self.flags).args(more).arg(source);
        run.inherit_environment().env("LC_ALL", "C").finish()
    }

    /// Compiles without a warning about our own files.
    pub(crate) fn compile(
        &self,
        source: &Path,
        output: &Path,
        bindings: &Path,
        more: &[OsString],
    ) -> PathBuf {
        let outcome = self.try_compile(source, output, bindings, more);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let is_quiet = !said.lines().any(|line| line.contains("Warning") && line.contains("lifeboat"));
        assert!(outcome.succeeded() && is_quiet, "{self:?} {}:\n{said}", source.display());
        output.to_path_buf()
    }
}

/// The package as it lies in the repository.
pub(crate) fn bindings() -> PathBuf {
    repository("nim-bindings")
}

/// A Nim fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    repository("tests/fixtures/nim").join(name)
}
