//! Units for those who run programs without containers or packages: each with as few rights as it can work with.

use std::fmt::Write as _;

use super::programs::{self, PLACE, Program};
use super::tree::Tree;
use super::yaml;
use crate::inventory::Inventory;

/// What every unit has. `DynamicUser` takes a user that is there already by that name.
const HARDENED: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
";

pub(super) fn render(inventory: &Inventory, tree: &mut Tree) {
    for program in programs::all(inventory) {
        tree.add(format!("systemd/lifeboat-{}.service", program.name), unit(&program));
    }
}

fn unit(program: &Program) -> String {
    let Program { name, binary, help, arguments, storage, reloads, .. } = program;
    let mut text = yaml::HEAD.to_owned();
    let is_node_exporter = *name == "node-exporter";
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("[Unit]\nDescription={help}\nWants=network-online.target\nAfter=network-online.target"));
    if !is_node_exporter {
        line(format!("ConditionPathExists={PLACE}/{name}"));
    }
    line(format!("\n[Service]\nType=simple\nUser=lifeboat-{name}\nDynamicUser=yes"));
    if is_node_exporter {
        line(
            "# Where Prometheus reaches it: say so in a drop-in (systemctl edit lifeboat-node-exporter)."
                .into(),
        );
        line("Environment=LIFEBOAT_NODE_EXPORTER=127.0.0.1:9100".into());
        line("# Jobs leave files *.prom there, for whoever wants their age or outcome watched.".into());
        line("ExecStartPre=+/bin/mkdir -p /var/lib/lifeboat-textfile".into());
    }
    let mut command = (*binary).to_owned();
    for argument in arguments {
        // To systemd % and $ mean something; the one variable is meant.
        let argument = argument.replace('%', "%%").replace('$', "$$").replace("$${LIFEBOAT_", "${LIFEBOAT_");
        // Writing to a String cannot fail.
        let _ = write!(command, " \\\n    {}", quoted(&argument));
    }
    if let Some(storage) = storage {
        let _ = write!(command, " \\\n    {storage}/var/lib/lifeboat-{name}");
    }
    line(format!("ExecStart={command}"));
    if *reloads {
        line("ExecReload=/bin/kill -HUP $MAINPID".into());
    }
    if storage.is_some() {
        line(format!("StateDirectory=lifeboat-{name}\nStateDirectoryMode=0700"));
    }
    let families =
        if is_node_exporter { "AF_INET AF_INET6 AF_UNIX AF_NETLINK" } else { "AF_INET AF_INET6 AF_UNIX" };
    line(format!("Restart=always\nRestartSec=5\nLimitNOFILE=65536\nRestrictAddressFamilies={families}"));
    // The node exporter looks at the first process' mounts, and measures file systems at their places.
    line(
        if is_node_exporter { "ProtectHome=read-only" } else { "ProtectHome=yes\nProtectProc=invisible" }
            .into(),
    );
    text.push_str(HARDENED);
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

/// In quotes where a blank, a quote or a backslash is in it.
fn quoted(argument: &str) -> String {
    let is_plain = !argument.contains([' ', '"', '\'', '\\', ';']);
    if is_plain {
        argument.to_owned()
    } else {
        format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
