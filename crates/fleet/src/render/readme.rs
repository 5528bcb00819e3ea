//! `README.md` beside what is rendered: what is what, where it goes, who is told.

use std::fmt::Write as _;

use super::compose::{holds_secrets, secret_files};
use super::programs::PLACE;
use super::tree::Tree;
use crate::catalogue::Severity;
use crate::inventory::{Inventory, Secret};

const HEAD: &str = include_str!("readme.md");

pub(super) fn render(inventory: &Inventory, tree: &mut Tree) {
    let is_third = inventory.engines.prometheus.is_third();
    let prometheus = if is_third { "3" } else { "2.42 or later; for 3, name its version in the inventory" };
    let mut text = HEAD.replace("{place}", PLACE).replace("{prometheus}", prometheus);
    text.push_str("\n## Secrets\n\n");
    text.push_str(&secrets(inventory));
    text.push_str("\n## Who is told\n\n");
    text.push_str(&told(inventory));
    tree.add("README.md", text);
}

fn secrets(inventory: &Inventory) -> String {
    let mut text = String::from("Nothing here holds a secret. These files do, and you make them:\n\n");
    let folder = &inventory.engines.alertmanager.secrets_dir;
    text.push_str("- `secrets/grafana_admin_password`, beside `compose.yaml`: only if you use that; readable by the user 472\n");
    for destination in &inventory.destinations {
        for secret in destination.channel.secrets() {
            let by = match secret {
                Secret::File(_) => "",
                Secret::Env(_) => "; `lifeboat fleet secrets` writes it, from the variable of that name",
            };
            let _ =
                writeln!(text, "- `{}`: for the destination {}{by}", secret.path(folder), destination.name);
        }
    }
    for consul in inventory.fleets.iter().filter_map(|fleet| fleet.consul.as_ref()) {
        if let Some(path) = &consul.token_file {
            let _ = writeln!(text, "- `{path}`: Consul's token, for Prometheus");
        }
    }
    if inventory.fleets.iter().any(|fleet| fleet.consul.is_some()) {
        text.push_str("\nDebian's build of Prometheus cannot ask Consul; upstream's can.\n");
    }
    text.push_str(&rights(inventory));
    text
}

/// Each file by itself: the folder above one may be `/etc`, and is nobody's to give away.
fn rights(inventory: &Inventory) -> String {
    let files = secret_files(inventory);
    if files.is_empty() {
        return String::new();
    }
    let own = holds_secrets(inventory).then_some(inventory.engines.alertmanager.secrets_dir.as_str());
    let commands = |user: &str| {
        let mut text = String::new();
        if let Some(folder) = own {
            let folder = quoted(folder);
            let _ = writeln!(text, "chown {user} {folder} && chmod 0700 {folder}");
        }
        for file in &files {
            let file = quoted(file);
            let _ = writeln!(text, "chown {user} {file} && chmod 0400 {file}");
        }
        text
    };
    let (unit, container) = (commands("lifeboat-alertmanager"), commands("65534"));
    format!(
        "\nAlertmanager alone reads the secrets of destinations. With systemd:\n\n```sh\nuseradd --system \
         lifeboat-alertmanager\n{unit}```\n\nIn a container it is the user 65534:\n\n```sh\n{container}```\n\nThat user \
         must also get through every folder above them. A container sees a file that was replaced when it starts again; in \
         the inventory's `secrets_dir`, at once.\n"
    )
}

/// As a shell reads it back.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// For every fleet and owner, and each severity, the destinations that get it.
fn told(inventory: &Inventory) -> String {
    let mut text = String::from("| Fleet | Owner | P0 | P1 | P2 | P3 |\n|---|---|---|---|---|---|\n");
    for fleet in &inventory.fleets {
        for owner in fleet.owners() {
            let _ = write!(text, "| {} | {owner} |", fleet.name);
            for severity in [Severity::P0, Severity::P1, Severity::P2, Severity::P3] {
                let names = inventory.destinations.iter();
                let names: Vec<&str> = names
                    .filter(|destination| destination.gets(severity, &fleet.name, owner))
                    .map(|destination| destination.name.as_str())
                    .collect();
                let _ =
                    write!(text, " {} |", if names.is_empty() { "nobody".into() } else { names.join(", ") });
            }
            text.push('\n');
        }
    }
    let switches = inventory.destinations.iter().filter(|destination| destination.is_watchdog);
    let switches: Vec<&str> = switches.map(|destination| destination.name.as_str()).collect();
    text.push_str(&match switches.as_slice() {
        [] => "\nNobody hears it when Prometheus or Alertmanager themselves are down: no destination is a dead man's \
               switch.\n"
            .to_owned(),
        names => format!("\nThe alert that always fires goes once a minute to {}.\n", names.join(", ")),
    });
    text
}
