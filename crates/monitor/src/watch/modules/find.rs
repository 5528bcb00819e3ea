//! Finds the module processes of a node in `/proc`.
//!
//! The rule: a descendant of the node whose command line names a module host of Logos Core, a program whose file is called
//! `logos_host` or begins so, before its options, and a module by `--name`. Nothing else of a command line is kept.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::watch::sampler::process::start_ticks;

/// How the programs are called: `logos_host_qt`, `logos_host_plain`, `logos_host_remote`, `logos_host`.
const HOST: &[u8] = b"logos_host";
/// A host may stand behind a loader or a wrapper: `ld-linux-x86-64.so.2 /nix/store/…/logos_host_qt --name …`.
const PROGRAM_WORDS_MAX: usize = 3;
/// As much of a command line as is read: the name stands in front.
const COMMAND_BYTES_MAX: u64 = 4096;
/// The core's own rule for names, src/logos_core/module_name_validation.h in logos-co/logos-liblogos.
const NAME_BYTES_MAX: usize = 64;
/// How far above a module the node may stand: a frontend may have a runtime process of its own in between.
const DEPTH_MAX: usize = 8;
/// A look takes at most this part of one processor's time.
const SHARE: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// All is forgotten so often: a number may be another process's by now.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// A module's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: u32,
    /// When it was started: with the number, what it is known by.
    pub(crate) start_ticks: u64,
    /// The module's name.
    pub(crate) name: String,
}

/// Looks again and again.
pub(super) struct Finder {
    node: u32,
    /// The parent of every process that was there when it was last looked.
    parents: HashMap<u32, u32>,
    next: Instant,
    forget: Instant,
}

impl Finder {
    pub(super) fn new(node: u32) -> Self {
        let now = Instant::now();
        Self { node, parents: HashMap::new(), next: now, forget: now + FORGET_EVERY }
    }

    /// When it is time to look.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// Module processes that are not `known`, where it is time to look.
    pub(super) fn look(&mut self, is_known: impl Fn(u32) -> bool) -> Vec<Found> {
        let from = Instant::now();
        if from < self.next {
            return Vec::new();
        }
        if from >= self.forget {
            self.parents.clear();
            self.forget = from + FORGET_EVERY;
        }
        self.look_at_parents();
        let below: Vec<_> =
            self.parents.keys().copied().filter(|pid| !is_known(*pid) && self.is_below(*pid)).collect();
        let found = below.into_iter().filter_map(module).collect();
        // A machine of many processes is looked at less often.
        self.next = from + BETWEEN_LOOKS.max(from.elapsed() * SHARE);
        found
    }

    /// A process keeps its parent for life, unless that one dies: then it is no module of a node that lives.
    fn look_at_parents(&mut self) {
        let Ok(entries) = fs::read_dir("/proc") else { return };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let before = std::mem::take(&mut self.parents);
        let parent = |pid: u32| Some((pid, before.get(&pid).copied().or_else(|| parent_of(pid))?));
        self.parents = pids.filter_map(parent).collect();
    }

    fn is_below(&self, pid: u32) -> bool {
        let mut at = pid;
        for _ in 0..DEPTH_MAX {
            match self.parents.get(&at) {
                Some(parent) if *parent == self.node => return true,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    }
}

/// The module that this process hosts.
pub(crate) fn module(pid: u32) -> Option<Found> {
    let mut command = Vec::new();
    let file = File::open(format!("/proc/{pid}/cmdline")).ok()?;
    file.take(COMMAND_BYTES_MAX).read_to_end(&mut command).ok()?;
    Some(Found { pid, start_ticks: start_ticks(pid)?, name: name(&command)?.to_owned() })
}

/// The module's name in a command line, words ended by NUL, if it is a module host's.
fn name(command: &[u8]) -> Option<&str> {
    let words: Vec<_> = command.split(|byte| *byte == 0).collect();
    let program = words.iter().take(PROGRAM_WORDS_MAX).take_while(|word| !word.starts_with(b"-"));
    let host = program.map(|word| is_host(word)).position(|is_host| is_host)?;
    let mut options = words.get(host + 1..)?.iter();
    let name = options.find_map(|word| match *word {
        b"--name" | b"-n" => Some(None),
        word => word.strip_prefix(b"--name=").map(Some),
    })?;
    let name = std::str::from_utf8(name.or_else(|| options.next().copied())?).ok()?;
    let is_allowed = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-';
    (!name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_allowed)).then_some(name)
}

fn is_host(word: &[u8]) -> bool {
    let file = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // `.logos_host_qt-wrapped` on Nix, `liblogos_host_qt.so` in an Android package.
    let file = file.strip_prefix(b".").unwrap_or(file);
    file.strip_prefix(b"lib").unwrap_or(file).starts_with(HOST)
}

/// Whether a process stands below this node.
pub(crate) fn is_below(pid: u32, node: u32) -> bool {
    std::iter::successors(parent_of(pid), |above| parent_of(*above))
        .take(DEPTH_MAX)
        .any(|above| above == node)
}

/// The process that started this one, or has adopted it.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_host_and_its_name() {
        let cases: [(&[&str], Option<&str>); 15] = [
            (
                &["/opt/bin/logos_host_qt", "--name", "delivery_module", "--path", "/x.so"],
                Some("delivery_module"),
            ),
            (&["logos_host", "--path", "/x.so", "--name", "a-b_9", "--token-source", "stdin"], Some("a-b_9")),
            (&["logos_host_plain", "--name=storage_module"], Some("storage_module")),
            (&["logos_host_qt", "-n", "chat"], Some("chat")),
            (&["/lib/ld-linux-x86-64.so.2", "/nix/logos_host_qt", "--name", "chat"], Some("chat")),
            (&["/nix/bin/.logos_host_qt-wrapped", "--name", "chat"], Some("chat")),
            (&["/data/liblogos_host_qt.so", "--name", "chat"], Some("chat")),
            (&["/opt/bin/logoscore", "--name", "chat"], None),
            (&["sh", "-c", "logos_host_qt --name chat"], None),
            (&["grep", "--name", "logos_host_qt", "--name", "chat"], None),
            (&["logos_host_qt", "--name", "../../etc"], None),
            (&["logos_host_qt", "--name", "a b"], None),
            (&["logos_host_qt", "--name", ""], None),
            (&["logos_host_qt", "--name"], None),
            (&["logos_host_qt"], None),
        ];
        for (words, expected) in cases {
            let command: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            assert_eq!(name(&command), expected, "{words:?}");
        }
        assert_eq!(name(b""), None);
        assert_eq!(name(b"logos_host_qt\0--name\0\xff\xfe\0"), None);
        let long = [b"logos_host_qt\0--name\0".as_slice(), &[b'a'; 65]].concat();
        assert_eq!(name(&long), None);
    }

    #[test]
    fn who_is_not_below_the_node_is_none_of_its_modules() {
        let mut finder = Finder::new(10);
        finder.parents = [(11, 10), (12, 11), (20, 1), (21, 20), (30, 31), (31, 30)].into();
        let below: Vec<_> = [10, 11, 12, 20, 21, 30, 31].map(|pid| finder.is_below(pid)).into();
        assert_eq!(below, [false, true, true, false, false, false, false]);
        finder.parents = (0..DEPTH_MAX as u32).map(|step| (101 + step, 100 + step)).collect();
        finder.node = 100;
        assert!(finder.is_below(100 + DEPTH_MAX as u32));
        finder.parents.insert(200, 100 + DEPTH_MAX as u32);
        assert!(!finder.is_below(200));
    }
}
