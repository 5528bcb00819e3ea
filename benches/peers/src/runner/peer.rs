//! Who is compared: the host program of each, where its report appears, and what it brings along.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use rustix::fs::inotify::WatchFlags;

/// One way to be prepared for a crash.
#[derive(Debug)]
pub(crate) struct Peer {
    /// In JSON, and for the folders of its runs.
    pub(crate) name: &'static str,
    /// Its name in a document.
    pub(crate) full: &'static str,
    /// Two short lines above its column.
    pub(crate) title: [&'static str; 2],
    /// Its host program.
    pub(crate) program: &'static str,
    /// The feature that the host is built with, and the package that its version is taken from.
    pub(crate) feature: &'static str,
    package: &'static str,
    /// What only this peer's host finds in its environment.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Where the finished report appears; nothing where none is made.
    pub(crate) report: Option<Place>,
}

/// Where a finished report shows.
#[derive(Debug)]
pub(crate) enum Place {
    /// In a folder below that of the run, by an event of a file whose name ends so.
    File { folder: &'static str, event: WatchFlags, name_ending: &'static str },
    /// The reporter says so itself: sentry-minidump holds its dump open until it is sent, and then deletes it.
    Said,
}

/// The peer that all others are compared with.
pub(crate) const LIFEBOAT: &str = "lifeboat";
/// The host that has none.
pub(crate) const NONE: &str = "none";

/// All of them, in the order of the table.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: NONE,
        full: "no handler",
        title: ["no handler", ""],
        program: "host-none",
        feature: "",
        package: "",
        environment: &[],
        report: None,
    },
    Peer {
        name: LIFEBOAT,
        full: "Lifeboat",
        title: ["Lifeboat", ""],
        program: "host-lifeboat",
        feature: "lifeboat",
        package: "",
        environment: &[],
        report: Some(Place::File { folder: "state/spool", event: WatchFlags::MOVED_TO, name_ending: "" }),
    },
    Peer {
        name: "minidumper",
        full: "crash-handler + minidumper",
        title: ["crash-handler", "+ minidumper"],
        program: "host-minidumper",
        feature: "minidumper",
        package: "minidumper",
        environment: &[],
        report: Some(Place::File { folder: "report", event: WatchFlags::CLOSE_WRITE, name_ending: ".dmp" }),
    },
    Peer {
        name: "libdatadog",
        full: "libdd-crashtracker",
        title: ["libdd-", "crashtracker"],
        program: "host-libdatadog",
        feature: "libdatadog",
        package: "libdd-crashtracker",
        environment: &[],
        report: Some(Place::File {
            folder: "report",
            event: WatchFlags::CLOSE_WRITE,
            name_ending: "report.json",
        }),
    },
    Peer {
        name: "libdatadog-all-threads",
        full: "libdd-crashtracker, all threads",
        title: ["libdd-…,", "all threads"],
        program: "host-libdatadog",
        feature: "libdatadog",
        package: "libdd-crashtracker",
        environment: &[("PEERS_ALL_THREADS", "1")],
        report: Some(Place::File {
            folder: "report",
            event: WatchFlags::CLOSE_WRITE,
            name_ending: "report.json",
        }),
    },
    Peer {
        name: "sentry-minidump",
        full: "sentry + sentry-minidump",
        title: ["sentry", "+ its minidump"],
        program: "host-sentry",
        feature: "sentry",
        package: "sentry-minidump",
        environment: &[],
        report: Some(Place::Said),
    },
];

impl Peer {
    /// The version that this workspace pins; empty for what has none.
    pub(crate) fn version(&self) -> &'static str {
        let head = format!("{} = {{ version = \"=", self.package);
        let lines = include_str!("../../Cargo.toml").lines();
        let pinned = lines.filter(|_| !self.package.is_empty()).find_map(|line| line.strip_prefix(&head));
        pinned.and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    /// How many crates of a registry become part of the node.
    ///
    /// # Errors
    /// Where cargo cannot tell.
    pub(crate) fn crates(&self) -> Result<usize, Box<dyn Error>> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"]);
        cargo.args(["--format", "{p}", "--no-dedupe", "--features", self.feature, "--manifest-path"]);
        let output = cargo.arg(manifest).output()?;
        if !output.status.success() {
            return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut packages: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with("lifeboat-peers")).collect();
        packages.sort_unstable();
        packages.dedup();
        Ok(packages.len())
    }
}
