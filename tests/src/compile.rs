//! Compiles C and C++ programs with the compilers that users have.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::{Outcome, Run};

/// The repository's root, or a path below it.
///
/// ```
/// assert!(lifeboat_tests::repository("crates/abi/Cargo.toml").is_file());
/// ```
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"));
    if path.is_empty() { root.to_path_buf() } else { root.join(path) }
}

/// A file of what `scripts/build` makes.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn delivered(file: &str) -> PathBuf {
    let dist = std::env::var_os("LIFEBOAT_DIST").map_or_else(|| repository("dist"), PathBuf::from);
    let path = dist.join(file);
    assert!(path.is_file(), "{} is not there: run scripts/build", path.display());
    path
}

/// A compiler that users build nodes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// GNU C.
    Gcc,
    /// GNU C++.
    Gxx,
    /// Clang for C.
    Clang,
    /// Clang for C++.
    Clangxx,
    /// GNU C with musl, as on Alpine.
    MuslGcc,
}

impl Compiler {
    /// Those for C.
    pub const C: [Self; 3] = [Self::Gcc, Self::Clang, Self::MuslGcc];
    /// Those for C++.
    pub const CXX: [Self; 2] = [Self::Gxx, Self::Clangxx];

    /// The command.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Gcc => "gcc",
            Self::Gxx => "g++",
            Self::Clang => "clang",
            Self::Clangxx => "clang++",
            Self::MuslGcc => "musl-gcc",
        }
    }

    /// Whether it is a C++ compiler.
    #[must_use]
    pub const fn is_cxx(self) -> bool {
        matches!(self, Self::Gxx | Self::Clangxx)
    }

    /// The source language as `-x` names it.
    #[must_use]
    pub const fn language(self) -> &'static str {
        if self.is_cxx() { "c++" } else { "c" }
    }
}

/// One run of a compiler; `include/` of this repository is on its path.
///
/// ```no_run
/// # use lifeboat_tests::{Compile, Compiler, Scratch, repository};
/// let scratch = Scratch::new("node");
/// let node = Compile::new(Compiler::Gcc)
///     .flags(["-O2", "-g", "-DLIFEBOAT_LOAD"])
///     .source(repository("examples/c-node/node.c"))
///     .flag("-lpthread")
///     .build(scratch.join("node"));
/// ```
#[derive(Clone, Debug)]
pub struct Compile {
    compiler: Compiler,
    arguments: Vec<OsString>,
}

impl Compile {
    /// Begins with no flags but the include path.
    #[must_use]
    pub fn new(compiler: Compiler) -> Self {
        let mut include = OsString::from("-I");
        include.push(repository("include"));
        Self { compiler, arguments: vec![include] }
    }

    /// Adds a flag; libraries come after the sources that need them.
    #[must_use]
    pub fn flag(mut self, flag: impl AsRef<OsStr>) -> Self {
        self.arguments.push(flag.as_ref().to_owned());
        self
    }

    /// Adds flags.
    #[must_use]
    pub fn flags<Flag: AsRef<OsStr>>(mut self, flags: impl IntoIterator<Item = Flag>) -> Self {
        self.arguments.extend(flags.into_iter().map(|flag| flag.as_ref().to_owned()));
        self
    }

    /// Adds a source in the compiler's own language, whatever its file is called.
    #[must_use]
    pub fn source(self, path: impl AsRef<Path>) -> Self {
        let language = self.compiler.language();
        self.flags(["-x", language]).flag(path.as_ref()).flags(["-x", "none"])
    }

    /// Compiles to `output` and answers what the compiler said, whether it liked it or not.
    #[must_use]
    pub fn try_build(&self, output: impl AsRef<Path>) -> Outcome {
        let run = Run::new(self.compiler.command()).arg("-o").arg(output.as_ref()).args(&self.arguments);
        // A compiler's messages must not depend on the language of whoever runs the tests.
        run.inherit_environment().env("LC_ALL", "C").finish()
    }

    /// Compiles to `output` without a word from the compiler and answers `output`.
    ///
    /// # Panics
    /// When the compiler fails or warns.
    pub fn build(&self, output: impl AsRef<Path>) -> PathBuf {
        let outcome = self.try_build(&output);
        assert!(
            outcome.succeeded() && outcome.stderr.is_empty(),
            "{} {:?} must be silent:\n{}",
            self.compiler.command(),
            self.arguments,
            outcome.stderr
        );
        output.as_ref().to_path_buf()
    }
}
