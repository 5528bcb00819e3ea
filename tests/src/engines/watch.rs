//! A fleet with all that watches it: its inventory rendered, and the engines started on what was written.

use std::path::{Path, PathBuf};

use super::{Alertmanager, Generation, Loopback, Prometheus, QUICK, Simulator, Webhook};
use crate::{Run, Scratch, delivered};

/// The engines of one fleet, and where each listens.
#[derive(Debug)]
pub struct Watch {
    /// The simulated nodes.
    pub simulator: Option<Simulator>,
    /// What scrapes and evaluates.
    pub prometheus: Prometheus,
    /// What tells the webhook.
    pub alertmanager: Alertmanager,
    /// What is told.
    pub webhook: Webhook,
    /// The folder of the inventory and of what was rendered.
    pub scratch: Scratch,
    /// Addresses of this fleet: nodes may have 10 and more.
    pub hosts: Loopback,
}

/// How to watch.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Of Prometheus.
    pub prometheus: Generation,
    /// Of Alertmanager.
    pub alertmanager: Generation,
    /// As `lifeboat fleet render --accelerate`.
    pub accelerate: u64,
    /// Whether the nodes are simulated.
    pub is_simulated: bool,
}

impl Watch {
    /// Renders the inventory that `fleets` writes for these addresses, with the engines' addresses and one webhook before it,
    /// and starts all of them.
    ///
    /// # Panics
    /// When the inventory is refused, or an engine does not start.
    #[must_use]
    pub fn start(wish: Wish, fleets: impl FnOnce(Loopback) -> String) -> Self {
        let (scratch, hosts) = (Scratch::new("watch"), Loopback::new());
        let webhook = Webhook::start(&hosts.address(4, 0));
        let inventory = scratch.write("fleet.toml", head(hosts, &webhook) + &fleets(hosts));
        let accelerate = wish.accelerate.to_string();
        let out = render(&inventory, scratch.path(), &accelerate);
        let control = hosts.address(5, 0);
        let simulate = || Simulator::start(&inventory, &control, &["--accelerate", &accelerate]);
        let simulator = wish.is_simulated.then(simulate);
        let config = out.join("alertmanager/alertmanager.yml");
        let alertmanager = Alertmanager::start(wish.alertmanager, &config, &hosts.address(2, 9093));
        let config = out.join("prometheus/prometheus.yml");
        let more: &[&str] = if wish.accelerate > 1 { &QUICK } else { &[] };
        let prometheus = Prometheus::start_with(wish.prometheus, &config, &hosts.address(1, 9090), more);
        Self { simulator, prometheus, alertmanager, webhook, scratch, hosts }
    }

    /// The simulated nodes.
    ///
    /// # Panics
    /// When they are none.
    #[must_use]
    pub fn simulated(&self) -> &Simulator {
        self.simulator.as_ref().unwrap_or_else(|| panic!("these nodes are real"))
    }

    /// A file of what was rendered.
    #[must_use]
    pub fn rendered(&self, path: &str) -> PathBuf {
        self.scratch.join("out").join(path)
    }
}

/// The engines' part of the inventory.
fn head(hosts: Loopback, webhook: &Webhook) -> String {
    format!(
        "[prometheus]\naddress = \"{}\"\n[alertmanager]\naddress = \"{}\"\n[exporters]\nblackbox = \"{}\"\n\
         [links]\ngrafana = \"https://grafana.example.org\"\nrunbooks = \"https://runbooks.example.org\"\n\
         logs = \"https://logs.example.org/{{fleet}}/{{node}}\"\n\
         [[destination]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}\"\n",
        hosts.address(1, 9090),
        hosts.address(2, 9093),
        hosts.address(3, 9115),
        webhook.url()
    )
}

fn render(inventory: &Path, folder: &Path, accelerate: &str) -> PathBuf {
    let out = folder.join("out");
    let run = Run::new(delivered("bin/lifeboat")).args(["fleet", "render"]).arg(inventory);
    let outcome = run.args(["--accelerate", accelerate, "--out"]).arg(&out).finish();
    assert!(outcome.succeeded(), "{}{}", outcome.stdout, outcome.stderr);
    out
}
