//! Which functions are a language's own machinery: nobody looks for a mistake there.

/// What a statically linked C library leaves in the program itself.
const C_FUNCTIONS: [&str; 27] = [
    "_start",
    "_start_c",
    "__libc_start_main",
    "__libc_start_call_main",
    "libc_start_main_stage2",
    "__clang_call_terminate",
    "abort",
    "raise",
    "gsignal",
    "pthread_kill",
    "__pthread_kill_implementation",
    "__assert_fail",
    "__assert_fail_base",
    "exit",
    "_exit",
    "_Exit",
    "__run_exit_handlers",
    "__libc_exit_fini",
    "_dl_fini",
    "clone",
    "__clone",
    "clone3",
    "start_thread",
    "NimMain",
    "NimMainInner",
    "PreMain",
    "PreMainInner",
];
/// What Rust's machinery calls itself without a path. A program's own names may start like that.
const RUST_FUNCTIONS: [&str; 3] = ["rust_begin_unwind", "rust_panic", "rust_eh_personality"];
/// How the names of Rust's, C++'s and Nim's machinery start, readable as they are.
const PREFIXES: [&str; 30] = [
    "std::",
    "core::",
    "alloc::",
    "<std::",
    "<core::",
    "<alloc::",
    "<&",
    "<F as core::",
    "backtrace::",
    "<backtrace::",
    "lifeboat::",
    "lifeboat_",
    "__rust",
    "__cxa_",
    "__cxxabiv1::",
    "__gnu_cxx::",
    "__gxx_",
    "_Unwind_",
    "system.",
    "std/",
    "fatal__",
    "fatal.",
    "excpt.",
    "assertions.",
    "raiseException",
    "raiseIndexError",
    "raiseRangeError",
    "raiseOverflow",
    "nimUnhandled",
    "sysFatal",
];
/// Sources of a language's library and of packages.
const SOURCES: [&str; 5] =
    ["/rustc/", "/.cargo/registry/", "/usr/lib/nim/", "/nim/lib/", "/usr/include/c++/"];

/// Folders of Nim's own library, in whichever folder Nim is installed. A node may have such folders of its own.
const NIM_SOURCES: [&str; 5] = ["/lib/system/", "/lib/system.nim", "/lib/pure/", "/lib/std/", "/lib/core/"];

/// Whether a readable name is one of the machinery's.
pub(super) fn is_function(name: &str) -> bool {
    // A template's readable name starts with what it returns.
    let name = name.strip_prefix("void ").unwrap_or(name);
    C_FUNCTIONS.contains(&name)
        || RUST_FUNCTIONS.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether this is the way into `exit`, below which only the machinery runs.
pub(super) fn is_exit(name: &str) -> bool {
    matches!(name, "exit" | "_exit" | "_Exit" | "__run_exit_handlers" | "std::process::exit")
}

/// Whether this is where a Rust panic turns to its hook.
pub(super) fn is_panic(name: &str) -> bool {
    name.ends_with("panic_with_hook") || name.ends_with("rust_begin_unwind")
}

/// Whether this is how a C++ exception leaves the node's own code, or how the process gives up on one.
pub(super) fn is_throw(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "__cxa_throw",
        "__cxa_rethrow",
        "__cxa_call_terminate",
        "__cxa_pure_virtual",
        "__cxxabiv1::__terminate",
        "std::terminate",
        "std::rethrow_exception",
    ];
    NAMES
        .iter()
        .any(|start| name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('(')))
}

/// Whether this is the way into a program or library that Nim wrote: of a module that is Nim's. A `main` in C, which a Nim
/// library was linked into, is the node's own.
pub(super) fn is_nim_entry(name: &str, file: Option<&str>) -> bool {
    const INNER: [&str; 4] = ["NimMain", "NimMainInner", "PreMain", "PreMainInner"];
    let is_written_by_nim = || file.is_none_or(|file| file.ends_with(".nim") || file.ends_with(".nim.c"));
    // A library's may have a prefix; the node's own names have a module.
    let is_inner = || !name.contains('.') && INNER.iter().any(|inner| name.ends_with(inner));
    (name == "main" || is_inner()) && is_written_by_nim()
}

/// Whether a source file is not the node's own.
pub(super) fn is_source(path: &str) -> bool {
    let is_home = |at: usize| path.get(..at).is_some_and(is_nim_home);
    let is_below = |folder: &&str| path.match_indices(*folder).any(|(at, _)| is_home(at));
    let is_nim = || path.ends_with(".nim") && NIM_SOURCES.iter().any(is_below);
    SOURCES.iter().any(|folder| path.contains(folder)) || is_nim()
}

/// Whether Nim is installed here: `…/nim`, `…/nim-2.2.4`, `…/nim-#devel`, `…/nim/2.2.4`, `…/vendor/Nim`, `….nim_runtime`.
fn is_nim_home(folder: &str) -> bool {
    let mut names = folder.rsplit('/');
    let last = names.next().unwrap_or_default();
    let is_version = |name: &str| name.starts_with(|first: char| first.is_ascii_digit() || first == '#');
    let name = if is_version(last) { names.next().unwrap_or_default() } else { last };
    let name = name.trim_start_matches('.').to_ascii_lowercase();
    name.strip_prefix("nim").is_some_and(|rest| {
        let rest = rest.trim_start_matches(['-', '_']);
        rest.is_empty() || is_version(rest) || matches!(rest, "devel" | "stable" | "runtime")
    })
}

#[cfg(test)]
mod tests {
    use super::{is_function, is_nim_entry, is_source};

    #[test]
    fn the_way_into_nim_is_known() {
        assert!(is_nim_entry("main", Some("/build/node.nim")) && is_nim_entry("main", None));
        assert!(is_nim_entry("gossipNimMain", Some("/cache/@mnode.nim.c")));
        for (name, file) in [("main", Some("/build/host.c")), ("node.myNimMain", None)] {
            assert!(!is_nim_entry(name, file), "{name}");
        }
    }

    #[test]
    fn nim_is_known_wherever_it_lies() {
        for path in [
            "/usr/lib/nim/lib/system/fatal.nim",
            "/nix/store/0123-nim-2.2.4/nim/lib/system.nim",
            "/opt/nim-2.2.4/lib/pure/asyncdispatch.nim",
            "/usr/lib/nim/system/fatal.nim",
            "/srv/user/.choosenim/toolchains/nim-2.2.4/lib/pure/os.nim",
            "/srv/user/.choosenim/toolchains/nim-#devel/lib/std/private/oscommon.nim",
            "/srv/user/.asdf/installs/nim/2.2.4/lib/core/macros.nim",
            "/build/vendor/nimbus-build-system/vendor/Nim/lib/system/excpt.nim",
            "/build/node/.nim_runtime/lib/system.nim",
        ] {
            assert!(is_source(path), "{path}");
        }
        for path in [
            "/build/node/lib/store.nim",
            "/build/lib/system/store.c",
            "/build/system/store.nim",
            "/build/node/lib/core/peer.nim",
            "/build/nimbus/lib/core/peer.nim",
            "/build/nim-node/lib/std/wire.nim",
            "/opt/nim-2.2.4/node/lib/pure/hash.nim",
            "/lib/system/store.nim",
            "lib/core/peer.nim",
        ] {
            assert!(!is_source(path), "{path}");
        }
    }

    #[test]
    fn a_program_may_be_called_as_the_machinery_is() {
        for own in ["rust_node::main", "rust_panic_demo::main", "my::core::run", "main", "standard::open"] {
            assert!(!is_function(own), "{own}");
        }
        for runtime in
            ["rust_begin_unwind", "__rustc::rust_begin_unwind", "core::panicking::panic_fmt", "abort"]
        {
            assert!(is_function(runtime), "{runtime}");
        }
    }
}
