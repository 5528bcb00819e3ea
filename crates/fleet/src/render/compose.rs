//! `compose.yaml`, for those who have no engines yet. Every container has the machine's own network, so that the same
//! configuration serves containers and packages, and listens on the loopback.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::programs::{self, PLACE, Program};
use super::tree::Tree;
use super::yaml;
use crate::inventory::Inventory;

const GRAFANA: &str = "grafana/grafana:13.2.3";
const NODE_EXPORTER: &str = "${LIFEBOAT_NODE_EXPORTER:-127.0.0.1:9100}";

pub(super) fn render(inventory: &Inventory, tree: &mut Tree) -> Result<(), String> {
    let mut services = Map::new();
    let mut volumes = Map::new();
    for program in programs::all(inventory) {
        if let Some(name) = program.storage.map(|_| program.name) {
            volumes.insert(name.into(), json!({}));
        }
        services.insert(program.name.into(), service(&program, inventory));
    }
    services.insert("grafana".into(), grafana());
    volumes.insert("grafana".into(), json!({}));
    let secrets = json!({ "grafana_admin_password": { "file": "./secrets/grafana_admin_password" } });
    let file = json!({ "name": "lifeboat", "services": services, "volumes": volumes, "secrets": secrets });
    let notes = [
        "docker compose up --detach. Before that: the file secrets/grafana_admin_password, and what README.md says of",
        "secrets. On a machine of nodes instead: docker compose --profile node up --detach node-exporter",
    ];
    tree.add("compose.yaml", yaml::file_with_notes(&file, &notes.map(str::to_owned))?);
    Ok(())
}

/// What every container has: no right that it does not need.
fn common(image: &str) -> Value {
    json!({
        "image": image,
        "network_mode": "host",
        "restart": "unless-stopped",
        "read_only": true,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "logging": { "driver": "json-file", "options": { "max-size": "10m", "max-file": "3" } },
    })
}

fn service(program: &Program, inventory: &Inventory) -> Value {
    let mut service = common(program.image);
    // Compose replaces ${…} itself; another $ is written twice.
    let mut command: Vec<String> =
        program.arguments.iter().map(|argument| argument.replace('$', "$$")).collect();
    let mut volumes = Vec::new();
    match program.name {
        "node-exporter" => {
            command.iter_mut().for_each(|argument| {
                *argument = argument.replace("$${LIFEBOAT_NODE_EXPORTER}", NODE_EXPORTER)
            });
            command.push("--path.rootfs=/host".into());
            volumes.push("/:/host:ro,rslave".to_owned());
            volumes.push("/var/lib/lifeboat-textfile:/var/lib/lifeboat-textfile:ro".into());
            // What the collector systemd asks.
            volumes.push("/run/dbus/system_bus_socket:/run/dbus/system_bus_socket:ro".into());
            add(&mut service, "pid", json!("host"));
            add(&mut service, "profiles", json!(["node"]));
        }
        // A folder, not a file: a file that is renamed over stays the old one in a container.
        name => volumes.push(format!("./{name}:{PLACE}/{name}:ro")),
    }
    if let Some(storage) = program.storage {
        // The folder that the image has for it: that belongs to the image's user, and so will the volume.
        command.push(format!("{storage}/{}", program.name));
        volumes.push(format!("{name}:/{name}", name = program.name));
    }
    let mut volumes: Vec<Value> = volumes.into_iter().map(Value::from).collect();
    match program.name {
        "alertmanager" => volumes.extend(secret_mounts(inventory)),
        "prometheus" => volumes.extend(prometheus_mounts(inventory)),
        _ => {}
    }
    let health = if program.name == "node-exporter" {
        format!("{NODE_EXPORTER}/metrics")
    } else {
        program.health.clone()
    };
    add(&mut service, "command", json!(command));
    add(&mut service, "volumes", json!(volumes));
    add(&mut service, "healthcheck", healthcheck(&health));
    service
}

fn grafana() -> Value {
    let mut service = common(GRAFANA);
    let environment = json!({
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/grafana_admin_password",
        "GF_PATHS_PROVISIONING": format!("{PLACE}/grafana/provisioning"),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_USERS_ALLOW_SIGN_UP": "false",
    });
    add(&mut service, "environment", environment);
    add(&mut service, "secrets", json!(["grafana_admin_password"]));
    add(
        &mut service,
        "volumes",
        json!([format!("./grafana:{PLACE}/grafana:ro"), "grafana:/var/lib/grafana"]),
    );
    add(&mut service, "tmpfs", json!(["/tmp"]));
    add(&mut service, "healthcheck", healthcheck("127.0.0.1:3000/api/health"));
    service
}

fn healthcheck(address: &str) -> Value {
    let test = json!(["CMD", "wget", "--quiet", "--output-document=/dev/null", format!("http://{address}")]);
    json!({ "test": test, "interval": "30s", "timeout": "5s", "retries": 3, "start_period": "30s" })
}

/// The files that hold secrets of destinations, for Alertmanager alone.
pub(super) fn secret_files(inventory: &Inventory) -> BTreeSet<String> {
    let folder = &inventory.engines.alertmanager.secrets_dir;
    let secrets = inventory.destinations.iter().flat_map(|destination| destination.channel.secrets());
    secrets.map(|secret| secret.path(folder)).collect()
}

/// Whether one of them lies in the inventory's own folder of secrets.
pub(super) fn holds_secrets(inventory: &Inventory) -> bool {
    let folder = Path::new(&inventory.engines.alertmanager.secrets_dir);
    secret_files(inventory).iter().any(|file| Path::new(file).starts_with(folder))
}

/// What Alertmanager's container sees of them: no folder but the one that is there for secrets.
fn secret_mounts(inventory: &Inventory) -> Vec<Value> {
    let folder = inventory.engines.alertmanager.secrets_dir.as_str();
    let files = secret_files(inventory);
    let others = files.iter().map(String::as_str).filter(|file| !Path::new(file).starts_with(folder));
    // The folder as a whole: a file that is renamed over stays the old one in a container.
    holds_secrets(inventory).then_some(folder).into_iter().chain(others).map(mount).collect()
}

/// Consul's tokens by file. Scrapes of the operator's own by folder, since editors rename; but never with all of `/etc`.
fn prometheus_mounts(inventory: &Inventory) -> Vec<Value> {
    let tokens = inventory.fleets.iter().filter_map(|fleet| fleet.consul.as_ref()?.token_file.as_deref());
    let own = inventory.engines.prometheus.scrape_files.iter().map(|path| {
        let is_deep = |folder: &&Path| folder.components().count() > 2;
        Path::new(path).parent().filter(is_deep).and_then(Path::to_str).unwrap_or(path)
    });
    let paths: BTreeSet<&str> =
        tokens.chain(own).filter(|path| !Path::new(path).starts_with(PLACE)).collect();
    paths.into_iter().map(mount).collect()
}

/// The long form takes any path, and makes no folder where a file is missing.
fn mount(path: &str) -> Value {
    let path = path.replace('$', "$$");
    json!({
        "type": "bind", "source": path, "target": path, "read_only": true, "bind": { "create_host_path": false },
    })
}

fn add(service: &mut Value, key: &str, value: Value) {
    if let Some(service) = service.as_object_mut() {
        service.insert(key.into(), value);
    }
}
