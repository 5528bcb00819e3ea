//! The Cargo manifests: every crate inherits the lints, arrows go down only, and what runs inside a node needs
//! nothing from elsewhere.

use crate::tree::{SourceFile, Violation};

/// Each crate and those below it that it may use. A crate that is not here has no place yet.
const ARROWS: &[(&str, &[&str])] = &[
    ("lifeboat-abi", &[]),
    ("lifeboat-recorder", &[]),
    ("lifeboat-core", &["lifeboat-abi", "lifeboat-recorder"]),
    ("lifeboat", &["lifeboat-abi", "lifeboat-core"]),
    ("lifeboat-ffi", &["lifeboat-abi", "lifeboat-recorder", "lifeboat-core"]),
    ("lifeboat-monitor", &["lifeboat-abi", "lifeboat-recorder"]),
    ("lifeboat-fleet", &[]),
    ("lifeboat-cli", &["lifeboat-abi", "lifeboat-recorder", "lifeboat-monitor", "lifeboat-fleet"]),
];

/// What stands outside the house and looks in: it may use every crate, and no crate may use it.
const OUTSIDE: &[&str] = &[
    "lifeboat-tests",
    "lifeboat-benches",
    "lifeboat-peers",
    "lifeboat-fuzz",
    "lifeboat-deaths",
    "lifeboat-host",
    "rust-node",
];

/// The crates whose code runs inside a node, and their folders.
const NODE_SIDE: &[(&str, &str)] = &[
    ("lifeboat-abi", "crates/abi/"),
    ("lifeboat-recorder", "crates/recorder/"),
    ("lifeboat-core", "crates/core/"),
    ("lifeboat-ffi", "ffi/"),
];

/// Every package that belongs to the workspace inherits its lints.
pub(crate) fn crates_inherit_lints(files: &[SourceFile]) -> Vec<Violation> {
    let members = manifests(files).filter(|manifest| !manifest.is_workspace());
    let free = members.filter(|manifest| {
        let inherits =
            |entry: &Entry| entry.section == "lints" && entry.key == "workspace" && entry.value == "true";
        !manifest.entries.iter().any(inherits)
    });
    free.map(|manifest| manifest.file.violation(1, "lints of its own", "add `[lints] workspace = true`"))
        .collect()
}

/// A crate uses only what stands below it.
pub(crate) fn arrows_go_down(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in manifests(files) {
        let name = manifest.name();
        if name.is_empty() || OUTSIDE.contains(&name) {
            continue;
        }
        let Some((_, below)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            let what = format!("`{name}` has no place in the house");
            violations.push(manifest.file.violation(1, what, "give it one in ARROWS and in ARCHITECTURE.md"));
            continue;
        };
        for entry in manifest.dependencies() {
            let package = entry.package();
            if package.starts_with("lifeboat") && !below.contains(&package) {
                let what = format!("`{name}` uses `{package}`, which does not stand below it");
                let remedy = "move the shared noun down or pass it in";
                violations.push(manifest.file.violation(entry.line, what, remedy));
            }
        }
    }
    violations
}

/// What runs inside a node is `no_std` and uses nothing from a registry.
pub(crate) fn node_side_stands_alone(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in manifests(files) {
        let Some((_, folder)) = NODE_SIDE.iter().find(|(name, _)| *name == manifest.name()) else { continue };
        for entry in manifest.dependencies().filter(|entry| !entry.package().starts_with("lifeboat-")) {
            let what = format!("`{}` inside the node", entry.package());
            violations.push(manifest.file.violation(entry.line, what, "write the few lines that are needed"));
        }
        let library = format!("{folder}src/lib.rs");
        let attribute = |line: &str| line.starts_with("#![") && line.contains("no_std");
        for file in files.iter().filter(|file| file.path == library) {
            if !file.text.lines().any(attribute) {
                violations.push(file.violation(1, "std inside the node", "add `#![no_std]`"));
            }
        }
    }
    violations
}

/// A workspace has a lock beside it that knows the package, what it uses, and the versions that it pins.
pub(crate) fn workspaces_are_locked(files: &[SourceFile]) -> Vec<Violation> {
    const REMEDY: &str = "run cargo generate-lockfile there and commit the lock";
    let mut violations = Vec::new();
    for manifest in manifests(files).filter(Manifest::is_workspace) {
        let path = format!("{}Cargo.lock", manifest.file.folder());
        let Some(lock) = files.iter().find(|file| file.path == path) else {
            violations.push(manifest.file.violation(1, format!("no `{path}`"), REMEDY));
            continue;
        };
        let holds = |name: &str, version: &str| {
            name.is_empty() || lock.text.contains(&format!("name = \"{name}\"\nversion = \"{version}"))
        };
        if !holds(manifest.name(), "") {
            violations.push(manifest.file.violation(1, "a package that the lock has not", REMEDY));
        }
        for entry in manifest.dependencies().filter(|entry| !holds(entry.package(), &entry.pinned())) {
            let what = format!("`{}` {} is not in the lock", entry.package(), entry.pinned());
            violations.push(manifest.file.violation(entry.line, what, REMEDY));
        }
    }
    violations
}

fn manifests(files: &[SourceFile]) -> impl Iterator<Item = Manifest<'_>> {
    files.iter().filter(|file| file.name() == "Cargo.toml").map(Manifest::new)
}

struct Manifest<'a> {
    file: &'a SourceFile,
    entries: Vec<Entry<'a>>,
}

/// One `key = value`. The value's first line is all that the rules need.
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    line: usize,
}

impl<'a> Manifest<'a> {
    fn new(file: &'a SourceFile) -> Self {
        let mut section = "";
        let mut open_brackets = 0_i32;
        let mut entries = Vec::new();
        for (line, text) in file.lines() {
            let text = text.split('#').next().unwrap_or_default().trim();
            if open_brackets == 0 && text.starts_with('[') {
                section = text.trim_matches(['[', ']']);
                // `[dependencies.name]` is an entry too.
                entries.push(Entry { section, key: "", value: "", line });
            } else if open_brackets == 0
                && let Some((key, value)) = text.split_once('=')
            {
                entries.push(Entry { section, key: key.trim(), value: value.trim(), line });
                open_brackets += balance(value);
            } else {
                open_brackets += balance(text);
            }
        }
        Self { file, entries }
    }

    fn name(&self) -> &'a str {
        let named = self.entries.iter().find(|entry| entry.section == "package" && entry.key == "name");
        named.map_or("", |entry| entry.value.trim_matches('"'))
    }

    fn is_workspace(&self) -> bool {
        self.entries.iter().any(|entry| entry.section == "workspace")
    }

    /// All but the dependencies of tests.
    fn dependencies(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(|entry| {
            let parent = entry.section.rsplit_once('.').map_or("", |(parent, _)| parent);
            let names_some = |section: &str| {
                section == "dependencies"
                    || section == "build-dependencies"
                    || (section.starts_with("target.")
                        && (section.ends_with(".dependencies") || section.ends_with(".build-dependencies")))
            };
            (names_some(entry.section) && !entry.key.is_empty())
                || (names_some(parent) && entry.key.is_empty())
        })
    }
}

impl<'a> Entry<'a> {
    /// The package that a dependency names, under whatever name it is used.
    fn package(&self) -> &'a str {
        let renamed = self.value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
        let in_header = self.section.rsplit('.').next().unwrap_or_default();
        let in_key = self.key.split('.').next().unwrap_or_default();
        renamed.unwrap_or(if in_key.is_empty() { in_header } else { in_key }).trim_matches('"')
    }

    /// The one version that `"=1.2.3"` allows, with the quote behind it; empty where more are allowed.
    fn pinned(&self) -> String {
        let version = self.value.split_once("\"=").and_then(|(_, rest)| rest.split('"').next());
        version.map(|version| format!("{version}\"")).unwrap_or_default()
    }
}

fn balance(text: &str) -> i32 {
    text.chars().map(|c| i32::from(c == '[' || c == '{') - i32::from(c == ']' || c == '}')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::lines_of;

    #[test]
    fn a_crate_with_lints_of_its_own_is_seen() {
        let package = "[package]\nname = \"lifeboat-core\"\n";
        assert_eq!(lines_of(crates_inherit_lints, "crates/core/Cargo.toml", package), [1]);
        let inherits = format!("{package}[lints]\nworkspace = true\n");
        assert_eq!(lines_of(crates_inherit_lints, "crates/core/Cargo.toml", &inherits), []);
        let refuses = format!("{package}[lints]\nworkspace = false\n");
        assert_eq!(lines_of(crates_inherit_lints, "crates/core/Cargo.toml", &refuses), [1]);
        assert_eq!(lines_of(crates_inherit_lints, "Cargo.toml", "[workspace]\nmembers = []\n"), []);
    }

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{rest}")
    }

    #[test]
    fn an_arrow_that_goes_up_is_seen_however_it_is_written() {
        let arrows = |rest: &str| lines_of(arrows_go_down, "Cargo.toml", &manifest("lifeboat-core", rest));
        assert_eq!(arrows("[dependencies]\nlifeboat-abi.workspace = true\n"), []);
        assert_eq!(arrows("[dependencies]\nlifeboat-monitor.workspace = true\n"), [4]);
        assert_eq!(arrows("[dependencies]\nm = { package = \"lifeboat-monitor\", path = \"../m\" }\n"), [4]);
        assert_eq!(arrows("[dependencies.lifeboat-monitor]\npath = \"../m\"\n"), [3]);
        assert_eq!(arrows("[target.'cfg(unix)'.dependencies]\nlifeboat-cli = \"1\"\n"), [4]);
        assert_eq!(arrows("[build-dependencies]\nlifeboat-tests = \"1\"\n"), [4]);
        assert_eq!(arrows("[dev-dependencies]\nlifeboat-monitor.workspace = true\n"), []);
        assert_eq!(lines_of(arrows_go_down, "Cargo.toml", &manifest("lifeboat-new", "")), [1]);
    }

    #[test]
    fn a_guest_inside_the_node_is_seen() {
        let rule =
            |rest: &str| lines_of(node_side_stands_alone, "ffi/Cargo.toml", &manifest("lifeboat-ffi", rest));
        assert_eq!(rule("[dependencies]\nlifeboat-core.workspace = true\n"), []);
        assert_eq!(rule("[dependencies]\nlibc = {\n  version = \"0.2\" }\nrustix = \"1\"\n"), [4, 6]);
        assert_eq!(rule("[dev-dependencies]\nproptest = \"1\"\n"), []);
    }

    #[test]
    fn a_workspace_without_its_lock_is_seen() {
        let text = "[package]\nname = \"lifeboat-peers\"\n[workspace]\n[dependencies]\na = { version = \"=1.2.0\" }\nb = \"1\"\n";
        let manifest = || SourceFile::new("benches/peers/Cargo.toml", text);
        let own = "name = \"lifeboat-peers\"\nversion = \"0.0.0\"\n";
        let lines = |lock: &str| {
            let lock = SourceFile::new("benches/peers/Cargo.lock", &format!("{own}{lock}"));
            let seen = workspaces_are_locked(&[manifest(), lock]);
            seen.iter().map(|violation| violation.line).collect::<Vec<_>>()
        };
        let both = "name = \"a\"\nversion = \"1.2.0\"\nname = \"b\"\nversion = \"1.9.0\"\n";
        assert_eq!(lines(both), []);
        assert_eq!(lines(&both.replace("1.2.0", "1.2.01")), [5]);
        assert_eq!(lines(&both.replace("\"b\"", "\"c\"")), [6]);
        assert_eq!(workspaces_are_locked(&[manifest()]).len(), 1);
    }

    #[test]
    fn std_inside_the_node_is_seen() {
        let files = |library: &str| {
            let manifest = SourceFile::new("crates/core/Cargo.toml", &manifest("lifeboat-core", ""));
            [manifest, SourceFile::new("crates/core/src/lib.rs", library)]
        };
        assert_eq!(node_side_stands_alone(&files("//! A.\n")).len(), 1);
        assert_eq!(node_side_stands_alone(&files("//! no_std\n")).len(), 1);
        assert!(node_side_stands_alone(&files("//! A.\n#![no_std]\n")).is_empty());
        assert!(
            node_side_stands_alone(&files("//! A.\n#![cfg_attr(panic = \"abort\", no_std)]\n")).is_empty()
        );
    }
}
