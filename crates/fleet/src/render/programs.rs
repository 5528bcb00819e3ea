//! The engines as programs: how each is started, for a `compose.yaml` and for systemd.

use std::net::IpAddr;

use crate::inventory::Inventory;

/// Where the folder lies on the machine that runs the engines: what is rendered names files by this.
pub(super) const PLACE: &str = "/etc/lifeboat";

/// With what is rendered for 2, 3 refuses every page that does not say its content type. 2.55 also reads what 3 stored.
const PROMETHEUS_2: &str = "prom/prometheus:v2.55.1";
const PROMETHEUS_3: &str = "prom/prometheus:v3.5.3";

/// One program and its arguments, without where it keeps its data.
pub(super) struct Program {
    /// The name of its service.
    pub(super) name: &'static str,
    /// As upstream's archives call it.
    pub(super) binary: &'static str,
    /// The image, by the version that these files were tried with where it could be.
    pub(super) image: &'static str,
    pub(super) help: &'static str,
    pub(super) arguments: Vec<String>,
    /// The argument's beginning that says where it keeps its data.
    pub(super) storage: Option<&'static str>,
    /// What answers 200 when it is well, as `host:port/path`.
    pub(super) health: String,
    /// Whether it reads its configuration anew at SIGHUP.
    pub(super) reloads: bool,
}

/// All but Grafana, whose own package and image have a service of their own.
pub(super) fn all(inventory: &Inventory) -> [Program; 4] {
    [prometheus(inventory), alertmanager(inventory), blackbox(inventory), node_exporter()]
}

fn prometheus(inventory: &Inventory) -> Program {
    let listen = listen(&inventory.engines.prometheus.address);
    let mut arguments = vec![
        format!("--config.file={PLACE}/prometheus/prometheus.yml"),
        format!("--web.listen-address={listen}"),
        format!("--storage.tsdb.retention.time={}", inventory.engines.prometheus.retention),
    ];
    arguments.extend(external_url(inventory.links.prometheus.as_deref()));
    Program {
        name: "prometheus",
        binary: "prometheus",
        image: if inventory.engines.prometheus.is_third() { PROMETHEUS_3 } else { PROMETHEUS_2 },
        help: "Prometheus: scrapes the nodes and evaluates the rules",
        arguments,
        storage: Some("--storage.tsdb.path="),
        health: format!("{listen}/-/ready"),
        reloads: true,
    }
}

fn alertmanager(inventory: &Inventory) -> Program {
    let addresses = &inventory.engines.alertmanager.addresses;
    let listen = listen(addresses.first().map_or("127.0.0.1:9093", String::as_str));
    let mut arguments = vec![
        format!("--config.file={PLACE}/alertmanager/alertmanager.yml"),
        format!("--web.listen-address={listen}"),
    ];
    if addresses.len() < 2 {
        // One alone talks to no other: else it listens on all addresses for those.
        arguments.push("--cluster.listen-address=".into());
    }
    arguments.extend(external_url(inventory.links.alertmanager.as_deref()));
    Program {
        name: "alertmanager",
        binary: "alertmanager",
        image: "prom/alertmanager:v0.33.1",
        help: "Alertmanager: tells people",
        arguments,
        storage: Some("--storage.path="),
        health: format!("{listen}/-/ready"),
        reloads: true,
    }
}

fn blackbox(inventory: &Inventory) -> Program {
    let listen = listen(&inventory.engines.blackbox.address);
    Program {
        name: "blackbox",
        binary: "blackbox_exporter",
        image: "prom/blackbox-exporter:v0.28.0",
        help: "Blackbox exporter: asks nodes from outside",
        arguments: vec![
            format!("--config.file={PLACE}/blackbox/blackbox.yml"),
            format!("--web.listen-address={listen}"),
        ],
        storage: None,
        health: format!("{listen}/-/healthy"),
        reloads: true,
    }
}

/// For each machine that nodes run on; it listens on the loopback until somebody says otherwise.
fn node_exporter() -> Program {
    Program {
        name: "node-exporter",
        binary: "node_exporter",
        image: "prom/node-exporter:v1.11.1",
        help: "Node exporter: the machine that it runs on",
        arguments: [
            "--web.listen-address=${LIFEBOAT_NODE_EXPORTER}",
            "--collector.textfile.directory=/var/lib/lifeboat-textfile",
            "--collector.pressure",
            "--collector.systemd",
            "--collector.systemd.unit-include=(lifeboat|nim-waku|nwaku|logos|docker|containerd).*",
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/(docker|containers)/.+)($|/)",
        ]
        .map(str::to_owned)
        .into(),
        storage: None,
        health: "127.0.0.1:9100/metrics".into(),
        reloads: false,
    }
}

/// A host name that is not of this machine cannot be listened at: then on the loopback, at that port.
fn listen(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    if plain.parse::<IpAddr>().is_ok() { address.to_owned() } else { format!("127.0.0.1:{port}") }
}

/// What links in messages begin with. The program answers at `/` all the same, as what asks it here expects.
fn external_url(link: Option<&str>) -> Vec<String> {
    let arguments =
        link.map(|link| vec![format!("--web.external-url={link}/"), "--web.route-prefix=/".into()]);
    arguments.unwrap_or_default()
}
