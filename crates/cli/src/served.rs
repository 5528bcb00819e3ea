//! Nodes whose `serve` has gone: its file in the state directory stays behind, and says what no answer can.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use lifeboat_monitor::serve::Endpoint;
use nix::unistd::{SysconfVar, sysconf};

/// More than any of the monitor's needs.
const BYTES_MAX: u64 = 16 * 1024;
/// The kernel tells its own start in whole seconds, and clocks are set.
const SLACK_MS: u128 = 5_000;

/// Every `serve` file whose writer has gone while its node lives.
pub(crate) fn left_behind(state_dir: &Path) -> Vec<Endpoint> {
    let served = Endpoint::all(state_dir);
    let is_served = |pid: u32| served.iter().any(|endpoint| endpoint.node_pid == pid);
    let entries = fs::read_dir(state_dir.join("serve")).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let mut found: Vec<(u128, Endpoint)> =
        files.filter_map(|path| Some((started_ms(&path)?, read(&path)?))).collect();
    found.retain(|(started, endpoint)| {
        !endpoint.has_ended && !is_served(endpoint.node_pid) && lives(endpoint.node_pid, *started)
    });
    found.sort_by_key(|(started, endpoint)| (endpoint.node_pid, std::cmp::Reverse(*started)));
    found.dedup_by_key(|(_, endpoint)| endpoint.node_pid);
    found.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// What is told of a node that nobody serves any more.
pub(crate) fn gone(endpoint: &Endpoint) -> String {
    let pid = endpoint.node_pid;
    match endpoint.error.as_str() {
        "" => format!("node {pid} lives, its server has gone"),
        error => format!("node {pid} lives, its server has gone, which last said: {error}"),
    }
}

/// Why nobody answers at an address, where a file of the state directory says so.
pub(crate) fn silence(
    state_dir: &Path,
    address: SocketAddr,
    resolve: fn(&str) -> Result<SocketAddr, String>,
) -> Option<String> {
    let is_there = |endpoint: &&Endpoint| {
        let named = endpoint.address.as_deref().unwrap_or(&endpoint.wanted);
        resolve(named).is_ok_and(|named| named == address)
    };
    if let Some(endpoint) = left_behind(state_dir).iter().find(is_there) {
        return Some(gone(endpoint));
    }
    let served = Endpoint::all(state_dir);
    let troubled = served.iter().filter(|endpoint| !endpoint.error.is_empty()).find(is_there)?;
    Some(format!("process {}: {}", troubled.node_pid, troubled.error))
}

fn read(path: &Path) -> Option<Endpoint> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// `NODE_PID-STARTED.json`.
fn started_ms(path: &Path) -> Option<u128> {
    path.file_name()?.to_str()?.strip_suffix(".json")?.rsplit('-').next()?.parse().ok()
}

/// Whether the process lives that had this id at that moment: ids are used again.
fn lives(pid: u32, at_ms: u128) -> bool {
    process_started_ms(pid).is_some_and(|started| started <= at_ms + SLACK_MS)
}

fn process_started_ms(pid: u32) -> Option<u128> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks: u128 = fields.nth(18)?.parse().ok()?;
    let ticks_per_second = u128::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let kernel = fs::read_to_string("/proc/stat").ok()?;
    let boot: u128 = kernel.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot * 1000 + ticks * 1000 / ticks_per_second.max(1))
}
