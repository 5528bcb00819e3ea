//! The example nodes as a fleet: real ones, each with its monitor, at addresses of their own.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::engines::Loopback;
use crate::http::get;
use crate::{Compile, Compiler, Run, Running, Scratch, delivered, repository, wait_until};

/// The first of the nodes' addresses.
const FIRST: u8 = 10;
/// Where a monitor serves.
const METRICS: u16 = 9464;
/// Where a node listens for its peers, as the profile `probes` expects it.
const PEERS: u16 = 60_000;

/// Nodes in C that gossip with the first of them. All ends with this value, monitors too.
#[derive(Debug)]
pub struct ExampleNodes {
    /// By their numbers, from 0.
    pub nodes: Vec<ExampleNode>,
    scratch: Scratch,
    hosts: Loopback,
}

/// One of them.
#[derive(Debug)]
pub struct ExampleNode {
    /// `node-0` and so on.
    pub name: String,
    /// Its address, without a port.
    pub host: String,
    /// Its state directory.
    pub state_dir: PathBuf,
    running: Running,
}

impl ExampleNodes {
    /// Compiles the node and starts so many, and waits until each is served.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn start(hosts: Loopback, count: u8) -> Self {
        let scratch = Scratch::trusted("nodes");
        let compile = Compile::new(Compiler::Gcc).flags(["-O2", "-g", "-DLIFEBOAT_LOAD"]);
        compile.source(repository("examples/c-node/node.c")).flag("-lpthread").build(scratch.join("node"));
        let mut all = Self { nodes: Vec::new(), scratch, hosts };
        for number in 0..count {
            let node = all.node(number);
            all.nodes.push(node);
        }
        all
    }

    /// Starts a node that has ended once more.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self, number: u8) {
        let node = self.node(number);
        if let Some(place) = self.nodes.get_mut(usize::from(number)) {
            *place = node;
        }
    }

    /// A fleet of them for an inventory.
    #[must_use]
    pub fn fleet(&self, name: &str) -> String {
        let mut text = format!(
            "[[fleet]]\nname = \"{name}\"\nprofile = [\"lifeboat\", \"probes\"]\nowner = \"team-{name}\"\n"
        );
        for node in &self.nodes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[[fleet.node]]\nname = \"{}\"\naddress = \"{}\"", node.name, node.host);
        }
        text
    }

    fn node(&self, number: u8) -> ExampleNode {
        let (name, host) = (format!("node-{number}"), self.hosts.host(FIRST + number));
        let (metrics, peers) = (format!("{host}:{METRICS}"), format!("{host}:{PEERS}"));
        let state_dir = self.scratch.join(format!("state-{name}"));
        let run = Run::new(self.scratch.join("node")).args(["--name", &name, "--listen", &peers]);
        let run = run.env("LIFEBOAT_REPORTER", delivered("lib/liblifeboat_reporter.so"));
        let run = run.env("LIFEBOAT_STATE_DIR", &state_dir).env("LIFEBOAT_METRICS", &metrics);
        let run = if number == 0 { run } else { run.args(["--peer", &self.hosts.address(FIRST, PEERS)]) };
        let mut running = run.env("LIFEBOAT_NODE", &name).spawn();
        running.wait_for("listening on ");
        wait_until(&format!("{name} is served"), || {
            TcpStream::connect(&metrics).is_ok()
                && get(&metrics, "/metrics", &[]).text().contains("\nlifeboat_node_up 1\n")
        });
        ExampleNode { name, host, state_dir, running }
    }
}

impl ExampleNode {
    /// Sends the node a signal.
    pub fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }
}

impl Drop for ExampleNodes {
    fn drop(&mut self) {
        let folders: Vec<PathBuf> = self.nodes.iter().map(|node| node.state_dir.clone()).collect();
        self.nodes.clear();
        // What tells of a death would do so for an hour.
        folders.iter().for_each(|folder| end_serve(folder));
    }
}

fn end_serve(state_dir: &Path) {
    let entries = fs::read_dir(state_dir.join("serve")).into_iter().flatten().flatten();
    for entry in entries {
        let said: Value = fs::read_to_string(entry.path())
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let pid = said.get("serve_pid").and_then(Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // One that has left meanwhile needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}
