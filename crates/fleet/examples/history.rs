//! Hours of fleets that do not exist, as OpenMetrics for `promtool tsdb create-blocks-from openmetrics`: what pictures of
//! dashboards are drawn from. Deterministic: the same inventory and the same end give the same lines.
//!
//! `history FILE END HOURS`: an inventory, the last second since 1970, and how far back it goes. A fleet whose name begins
//! with `waku` has the names of before the rename.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufWriter, Write};

use lifeboat_fleet::profile::Pages;
use lifeboat_fleet::{Fleet, Inventory, Node};

/// Seconds between two scrapes.
const STEP: f64 = 60.0;
const HOUR: f64 = 3_600.0;
/// An event happens once.
const FOREVER: f64 = 1e12;

/// How signals live: by how much they follow the time of day, by how much chance, and by how much they grow in an hour.
const LIVES: [(&str, f64, f64, f64); 41] = [
    ("bandwidth_in", 0.35, 0.15, 0.0),
    ("bandwidth_out", 0.35, 0.15, 0.0),
    ("connection_churn", 0.1, 0.5, 0.0),
    ("container_memory_bytes", 0.05, 0.02, 0.0),
    ("cpu_ratio", 0.3, 0.2, 0.0),
    ("delivery_failures_ratio", 0.1, 0.5, 0.0),
    ("database_size_bytes", 0.0, 0.002, 0.012),
    ("database_wal_bytes", 0.0, 0.8, 0.0),
    ("discovered_peers", 0.1, 0.1, 0.0),
    ("disk_available_ratio", 0.0, 0.004, -0.008),
    ("disk_written_bytes", 0.2, 0.3, 0.0),
    ("event_loop_lag", 0.2, 0.6, 0.0),
    ("health_score", 0.0, 0.02, 0.0),
    ("heartbeat_age", 0.0, 0.4, 0.0),
    ("host_cpu_ratio", 0.3, 0.2, 0.0),
    ("host_cpu_steal_ratio", 0.2, 0.7, 0.0),
    ("host_memory_available_ratio", 0.1, 0.03, 0.0),
    ("host_network_in", 0.35, 0.15, 0.0),
    ("host_network_out", 0.35, 0.15, 0.0),
    ("memory_bytes", 0.08, 0.03, 0.0),
    ("mesh_peers", 0.0, 0.1, 0.0),
    ("archive_messages", 0.0, 0.001, 0.015),
    ("message_latency_seconds", 0.2, 0.3, 0.0),
    ("message_rate", 0.4, 0.12, 0.0),
    ("messages_in", 0.4, 0.12, 0.0),
    ("messages_out", 0.4, 0.12, 0.0),
    ("module_cpu_ratio", 0.3, 0.2, 0.0),
    ("module_memory_bytes", 0.05, 0.05, 0.0),
    ("nim_heap_bytes", 0.1, 0.1, 0.0),
    ("peers", 0.1, 0.06, 0.0),
    ("postgres_query_seconds", 0.2, 0.3, 0.0),
    ("postgres_connections_ratio", 0.2, 0.1, 0.0),
    ("process_cpu_ratio", 0.3, 0.2, 0.0),
    ("process_memory_bytes", 0.08, 0.03, 0.0),
    ("process_open_fds", 0.1, 0.05, 0.0),
    ("process_threads", 0.0, 0.2, 0.0),
    ("service_latency_seconds", 0.2, 0.3, 0.0),
    ("service_requests", 0.4, 0.15, 0.0),
    ("shard_peers", 0.1, 0.2, 0.0),
    ("store_insert_seconds", 0.1, 0.3, 0.0),
    ("store_query_seconds", 0.2, 0.4, 0.0),
];

/// What goes wrong: which node, from how many hours before the end, for how many minutes, and which signal has what then.
const MISHAPS: [(&str, f64, f64, &str, Option<f64>); 30] = [
    // A node dies of a signal and is started again by its service manager.
    ("delivery-03", 4.2, 7.0, "node_up", Some(0.0)),
    ("delivery-03", 4.2, 1.0, "deaths", Some(1.0)),
    ("delivery-03", 4.2, 250.0, "last_death", Some(30.0)),
    ("delivery-03", 4.2, 7.0, "process_memory_bytes", None),
    ("delivery-03", 4.2, 7.0, "process_cpu_ratio", None),
    ("delivery-03", 4.2, 10.0, "peers", Some(2.0)),
    ("delivery-03", 4.2, 10.0, "message_rate", Some(0.0)),
    ("delivery-03", 4.08, 1.0, "restarts", Some(1.0)),
    ("delivery-03", 4.08, 245.0, "start_time", Some(1.0)),
    ("delivery-03", 4.08, 245.0, "node_start_time", Some(1.0)),
    ("delivery-03", 4.05, 1.0, "reports_sent", Some(1.0)),
    // A deploy of the other nodes of that fleet, one by one.
    ("delivery-01", 2.0, 1.0, "stops", Some(1.0)),
    ("delivery-01", 2.0, 1.0, "restarts", Some(1.0)),
    ("delivery-01", 2.0, 120.0, "start_time", Some(2.0)),
    ("delivery-02", 1.9, 1.0, "stops", Some(1.0)),
    ("delivery-02", 1.9, 1.0, "restarts", Some(1.0)),
    ("delivery-02", 1.9, 120.0, "start_time", Some(3.0)),
    // A database is damaged, and its queries take longer.
    ("store-01", 1.2, 600.0, "database_check_ok", Some(0.0)),
    ("store-01", 1.2, 600.0, "store_query_seconds", Some(1.8)),
    ("store-01", 1.2, 600.0, "store_errors", Some(4.0)),
    ("store-01", 1.2, 600.0, "health_score", Some(35.0)),
    ("store-01", 1.2, 600.0, "health_state", Some(2.0)),
    // A neighbour on the host takes the processor.
    ("delivery-02", 3.1, 40.0, "host_cpu_steal_ratio", Some(0.19)),
    ("delivery-02", 3.1, 40.0, "heartbeat_age", Some(3.2)),
    ("delivery-02", 3.1, 40.0, "event_loop_lag", Some(0.22)),
    // Messages that a node refuses.
    ("delivery-04", 5.2, 35.0, "delivery_failures_ratio", Some(0.14)),
    // A module dies while its host lives on.
    ("desktop-01", 2.6, 9.0, "module_up", Some(0.0)),
    ("desktop-01", 2.6, 1.0, "module_deaths", Some(1.0)),
    ("desktop-01", 2.45, 1.0, "module_restarts", Some(1.0)),
    ("desktop-01", 2.45, 600.0, "module_start_time", Some(1.0)),
];

/// What is told of it: the alert, its severity, the node, from how many hours before the end, and for how many minutes.
const ALERTS: [(&str, &str, &str, f64, f64); 6] = [
    ("NodeDied", "P1", "delivery-03", 4.19, 12.0),
    ("MessagesRejected", "P2", "delivery-04", 5.1, 30.0),
    ("CpuStealHigh", "P2", "delivery-02", 3.05, 38.0),
    ("ModuleDied", "P1", "desktop-01", 2.59, 15.0),
    ("DatabaseCorrupt", "P0", "store-01", 1.18, 600.0),
    ("DatabaseQueriesSlow", "P2", "store-01", 1.1, 600.0),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, end, hours] = arguments.as_slice() else {
        return Err("usage: history FILE END HOURS".into());
    };
    let (end, hours): (f64, f64) = (end.parse()?, hours.parse()?);
    let inventory = Inventory::read(file, &std::fs::read_to_string(file)?)?;
    let mut lives: Vec<Life<'_>> = inventory
        .fleets
        .iter()
        .flat_map(|fleet| fleet.nodes.iter().map(move |node| Life::new(fleet, node, end - hours * HOUR)))
        .collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut at = end - hours * HOUR;
    while at <= end {
        for life in &mut lives {
            life.live(at, end);
            life.tell(&mut out, at, end)?;
        }
        at += STEP;
    }
    writeln!(out, "# EOF")?;
    Ok(())
}

/// One node.
struct Life<'a> {
    fleet: &'a Fleet,
    node: &'a Node,
    pages: Pages,
    /// What went wrong at the last look.
    ill: Vec<&'static str>,
}

impl<'a> Life<'a> {
    fn new(fleet: &'a Fleet, node: &'a Node, begin: f64) -> Self {
        let generation = if fleet.name.starts_with("waku") { "old" } else { "new" };
        let mut pages = Pages::new(&fleet.speech, Some(generation), FOREVER, begin);
        // Nodes that were started on the same second would look like one.
        let age = 5.0 * HOUR + 60.0 * HOUR * chance(&node.name, 0.0);
        for signal in ["start_time", "node_start_time", "module_start_time"] {
            pages.set(signal, Some(age), begin);
        }
        let days_left = 8.0 + 70.0 * chance(&node.name, 1.0);
        pages.set("certificate_seconds_left", Some(days_left * 24.0 * HOUR), begin);
        Self { fleet, node, pages, ill: Vec::new() }
    }

    fn mishaps(&self, at: f64, end: f64) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        let node = self.node.name.clone();
        let is_now = move |from: f64, minutes: f64| {
            let from = end - from * HOUR;
            at >= from && at < from + minutes * 60.0
        };
        let of_node = MISHAPS.iter().filter(move |(of, from, minutes, ..)| {
            node.split('.').next() == Some(of) && is_now(*from, *minutes)
        });
        of_node.map(|(_, _, _, signal, number)| (*signal, *number))
    }

    /// Gives each signal what it has at this moment.
    fn live(&mut self, at: f64, end: f64) {
        let mishaps: BTreeMap<&str, Option<f64>> = self.mishaps(at, end).collect();
        for signal in std::mem::take(&mut self.ill) {
            if !mishaps.contains_key(signal) && !signal.ends_with("_time") && signal != "last_death" {
                self.pages.unset(signal, at);
            }
        }
        for (signal, by_day, by_chance, by_hour) in LIVES {
            let Some(known) = self.fleet.speech.signals.get(signal) else { continue };
            let (healthy, unit) = (known.healthy, &known.unit);
            let seed = format!("{}{signal}", self.node.name);
            let own = 0.8 + 0.4 * chance(&seed, -1.0);
            let day = (std::f64::consts::TAU * at / (8.0 * HOUR) + own).sin();
            let grown = by_hour * (at - end) / HOUR;
            let number =
                healthy * own * (1.0 + by_day * day + by_chance * (2.0 * smooth(&seed, at) - 1.0) + grown);
            // What is counted in whole things has no fractions, and a share or a score has a most.
            let number = match unit.as_str() {
                "percentunit" => number.clamp(0.0, 1.0),
                "short" if healthy < 1e5 => {
                    number.round().clamp(0.0, if signal == "health_score" { 100.0 } else { 1e9 })
                }
                _ => number.max(0.0),
            };
            self.pages.set(signal, Some(number), at);
        }
        for (signal, number) in mishaps {
            self.pages.set(signal, number, at);
            self.ill.push(signal);
        }
    }

    fn tell(&mut self, out: &mut impl Write, at: f64, end: f64) -> std::io::Result<()> {
        let target = format!(
            "fleet=\"{}\",dc=\"{}\",node=\"{}\",role=\"{}\"",
            self.fleet.name, self.node.dc, self.node.name, self.node.role
        );
        let wanted = self.fleet.version.as_deref().unwrap_or_default();
        // Before the deploy, and where it has not come to yet, the version before.
        let is_new = !self.fleet.name.starts_with("logos.test")
            || MISHAPS.iter().any(|(node, from, _, signal, _)| {
                self.node.name.starts_with(node) && *signal == "stops" && at >= end - from * HOUR
            });
        let version = if is_new { wanted } else { "v0.37.4" };
        writeln!(out, "fleet:node_expected:info{{{target},version=\"{wanted}\"}} 1 {at}")?;
        let is_dead = self.mishaps(at, end).any(|mishap| mishap == ("node_up", Some(0.0)));
        // What rules would have recorded.
        let by = format!("fleet=\"{}\",dc=\"{}\",node=\"{}\"", self.fleet.name, self.node.dc, self.node.name);
        writeln!(out, "node:alive:bool{{{by}}} {} {at}", u8::from(!is_dead))?;
        for endpoint in self.fleet.speech.endpoints.keys() {
            let is_silent = is_dead && endpoint == "node";
            writeln!(out, "up{{{target},job=\"{endpoint}\"}} {} {at}", u8::from(!is_silent))?;
            for sample in self.pages.samples(endpoint, at).into_iter().filter(|_| !is_silent) {
                let own: String = sample
                    .labels
                    .iter()
                    .map(|(name, value)| {
                        let value = if name == "version" { version } else { value };
                        format!(",{name}=\"{value}\"")
                    })
                    .collect();
                writeln!(out, "{}{{{target},job=\"{endpoint}\"{own}}} {} {at}", sample.name, sample.value)?;
                if sample.name == "lifeboat_health_score" {
                    let score = if is_dead { 0.0 } else { sample.value };
                    writeln!(out, "node:health_score{{{by}}} {score} {at}")?;
                }
            }
        }
        for (alert, severity, node, from, minutes) in ALERTS {
            let from = end - from * HOUR;
            if self.node.name.split('.').next() == Some(node) && at >= from && at < from + minutes * 60.0 {
                let labels = format!("alertname=\"{alert}\",alertstate=\"firing\",severity=\"{severity}\"");
                writeln!(out, "ALERTS{{{labels},{target}}} 1 {at}")?;
            }
        }
        Ok(())
    }
}

/// From 0 to 1, and the same for the same.
fn chance(seed: &str, place: f64) -> f64 {
    let bytes = seed.bytes().chain(place.to_bits().to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f64::from(u32::try_from(hash >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Chance that wanders rather than jumps: a new direction every ten minutes, and a little of its own each minute.
fn smooth(seed: &str, at: f64) -> f64 {
    let (place, part) = ((at / 600.0).floor(), (at / 600.0).fract());
    let wander = chance(seed, place) * (1.0 - part) + chance(seed, place + 1.0) * part;
    0.75 * wander + 0.25 * chance(seed, at)
}
