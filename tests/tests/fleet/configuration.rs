//! What is rendered is what the engines read, in both generations; each alert reaches those whom the inventory names.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::engines::Generation;
use lifeboat_tests::{Outcome, Run, Scratch, delivered};

/// Every kind of destination that Alertmanager 0.25 has too.
const DESTINATIONS: &str = r##"
[[destination]]
name = "chat"
type = "slack"
api_url_file = "/etc/alertmanager/secrets/slack"
channel = "#alerts"
owners = ["bob", "operators"]

[[destination]]
name = "pager"
type = "pagerduty"
routing_key_env = "PAGERDUTY_KEY"
severities = ["P0", "P1"]

[[destination]]
name = "mail"
type = "email"
to = ["a@example.org", "b@example.org"]
from = "c@example.org"
smarthost = "127.0.0.1:2525"
auth_username = "lifeboat"
auth_password_file = "/etc/alertmanager/secrets/mail"
fleets = ["logos.test"]

[[destination]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:8080/alerts"
bearer_file = "/etc/alertmanager/secrets/hook"
severities = ["P3"]

[[destination]]
name = "switch"
type = "webhook"
url = "http://127.0.0.1:8081/"
is_watchdog = true
"##;

const NEWER: &str = r#"
[[destination]]
name = "telegram"
type = "telegram"
bot_token_file = "/etc/alertmanager/secrets/telegram"
chat_id = -1001234567890
thread_id = 7

[[destination]]
name = "secret hook"
type = "webhook"
url_file = "/etc/alertmanager/secrets/url"
"#;

const FLEETS: &str = r#"
[links]
grafana = "https://grafana.example.org"
runbooks = "https://runbooks.example.org"
logs = "https://logs.example.org/?fleet={fleet}&node={node}"
prometheus = "https://prometheus.example.org"

[[fleet]]
name = "logos.test"
profile = ["logos-delivery", "lifeboat", "host", "probes", "postgres"]

[fleet.endpoints]
tls = true
rest = true
postgres = true

[[fleet.node]]
name = "delivery-01.do-ams3.logos.test"
address = "10.1.0.1"
owner = "bob"

[fleet.nodes]
"delivery-02.do-ams3.logos.test" = "10.1.0.2"

[[fleet]]
name = "waku.prod"
owner = "carol"
profile = ["libp2p-generic", "lifeboat"]

[fleet.nodes]
"node-01.do-ams3.waku.prod" = "10.2.0.1"
"#;

/// What `lifeboat fleet render` answers.
fn try_render(scratch: &Scratch, inventory: &str, more: &[&str]) -> Outcome {
    let file = scratch.write("fleet.toml", inventory);
    let command = Run::new(delivered("bin/lifeboat")).args(["fleet", "render"]).arg(file);
    let command = command.arg("--out").arg(scratch.join("out")).args(more);
    // What is accelerated has no tests of its rules, which are most of the work; those have tests of their own.
    let is_fast = more.iter().any(|argument| argument.starts_with("--accelerate"));
    if is_fast { command.finish() } else { command.arg("--accelerate=2").finish() }
}

/// The folder with what is rendered.
pub(crate) fn render(scratch: &Scratch, inventory: &str, more: &[&str]) -> PathBuf {
    drop(try_render(scratch, inventory, more).output());
    scratch.join("out")
}

/// Whether the checkers of a generation take all of it.
fn check(generation: Generation, out: &Path) {
    let prometheus = out.join("prometheus");
    let config = generation.run("promtool").args(["check", "config"]).arg(prometheus.join("prometheus.yml"));
    let said = config.finish().output();
    assert!(said.contains("is valid prometheus config file syntax"), "{said}");
    let rules = fs::read_dir(prometheus.join("rules")).unwrap().map(|entry| entry.unwrap().path());
    drop(generation.run("promtool").args(["check", "rules"]).args(rules).finish().output());
    let routes = out.join("alertmanager/alertmanager.yml");
    let said = generation.run("amtool").arg("check-config").arg(routes).finish().output();
    assert!(said.contains("SUCCESS") && said.contains("1 templates"), "{said}");
    let modules = format!("--config.file={}", out.join("blackbox/blackbox.yml").display());
    drop(generation.run("blackbox-exporter").arg("--config.check").arg(modules).finish().output());
}

fn sections(out: &Path) -> String {
    fs::read_to_string(out.join("prometheus/prometheus.yml")).unwrap()
}

#[test]
fn engines_of_both_generations_read_it() {
    let scratch = Scratch::new("configuration");
    let out = render(&scratch, &format!("{FLEETS}{DESTINATIONS}"), &[]);
    Generation::ALL.iter().for_each(|generation| check(*generation, &out));
    assert!(!sections(&out).contains("fallback_scrape_protocol"));
    // Without a destination nobody is told, and the file says so.
    let out = render(&scratch, FLEETS, &[]);
    Generation::ALL.iter().for_each(|generation| check(*generation, &out));
    let routes = fs::read_to_string(out.join("alertmanager/alertmanager.yml")).unwrap();
    assert!(routes.contains("# NOBODY IS TOLD"), "{routes}");
    let out = render(&scratch, &format!("[prometheus]\nversion = \"3.5\"\n{FLEETS}{DESTINATIONS}"), &[]);
    check(Generation::Three, &out);
    assert!(sections(&out).contains("fallback_scrape_protocol: PrometheusText0.0.4"));
}

/// A Prometheus as one finds it: it scrapes seldom, and has a job `node` of its own.
const OTHERS: &str = "\
global:
  scrape_interval: 1m
  external_labels: { fleet: metrics-eu }
rule_files: [rules/*.yml]
scrape_config_files: [scrape.yml]
scrape_configs:
- job_name: prometheus
  static_configs: [{ targets: ['127.0.0.1:9090'] }]
- job_name: node
  static_configs: [{ targets: ['10.1.0.1:9100'] }]
";

#[test]
fn another_prometheus_takes_it_in() {
    let scratch = Scratch::new("included");
    let out = render(&scratch, FLEETS, &[]).join("prometheus");
    let config = out.join("others.yml");
    fs::write(&config, OTHERS).unwrap();
    let check = Generation::Three.run("promtool").args(["check", "config"]).arg(&config);
    let said = check.finish().output();
    assert!(said.contains("is valid prometheus config file syntax"), "{said}");
    // What is there is refused, if it comes under a name that there is: so that the check above tells something.
    let text = fs::read_to_string(out.join("scrape.yml")).unwrap();
    fs::write(out.join("scrape.yml"), text.replace("lifeboat/node", "node")).unwrap();
    let check = Generation::Three.run("promtool").args(["check", "config"]).arg(&config);
    assert!(!check.finish().succeeded());
}

/// An Alertmanager as one finds it, with ours in it, as the rendered README.md says.
fn with_ours(routes: &str) -> String {
    let (_, ours) = routes.split_once("\nroute:\n").unwrap();
    let (route, rest) = ours.split_once("\ninhibit_rules:\n").unwrap();
    let (_, receivers) = rest.split_once("\nreceivers:\n").unwrap();
    let route: String = route.lines().map(|line| format!("  {line}\n")).collect();
    let matchers = r#"matchers: ['owner!=""', 'severity=~"P[0-3]|none"']"#;
    format!(
        "route:\n  receiver: mine\n  routes:\n  - {matchers}\n{route}receivers:\n- name: mine\n{receivers}"
    )
}

#[test]
fn another_alertmanager_takes_it_in() {
    let scratch = Scratch::new("included-routes");
    let out = render(&scratch, &format!("{FLEETS}{DESTINATIONS}"), &[]).join("alertmanager");
    let path = out.join("others.yml");
    fs::write(&path, with_ours(&fs::read_to_string(out.join("alertmanager.yml")).unwrap())).unwrap();
    let config = format!("--config.file={}", path.display());
    let cases: [(&[&str], &str); 4] = [
        (&["alertname=InstanceDown", "severity=critical"], "mine"),
        (&["alertname=Watchdog", "severity=none"], "mine"),
        (&["alertname=Watchdog", "severity=none", "owner=bob"], "switch"),
        (&["severity=P1", "fleet=waku.prod", "owner=carol"], "pager"),
    ];
    for generation in Generation::ALL {
        for (labels, receivers) in cases {
            let test = generation.run("amtool").args(["config", "routes", "test", &config]).args(labels);
            assert_eq!(test.finish().output().trim(), receivers, "{labels:?} in {generation:?}");
        }
    }
}

#[test]
fn what_an_older_alertmanager_cannot_do_is_said() {
    let scratch = Scratch::new("configuration-newer");
    let inventory = format!("{FLEETS}{DESTINATIONS}{}", NEWER.replace("secret hook", "secret-hook"));
    let out = render(&scratch, &inventory, &[]);
    check(Generation::Three, &out);
    let routes = out.join("alertmanager/alertmanager.yml");
    let text = fs::read_to_string(&routes).unwrap();
    assert!(text.contains("# telegram: a bot's token in a file asks for Alertmanager 0.26"), "{text}");
    assert!(!generation_takes(Generation::Two, &routes));
    let refused = try_render(&scratch, &format!("[alertmanager]\nversion = \"0.25\"\n{inventory}"), &[]);
    assert!(!refused.succeeded());
    let told = "destination \"telegram\": a bot's token in a file asks for Alertmanager 0.26, not 0.25";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
}

fn generation_takes(generation: Generation, routes: &Path) -> bool {
    generation.run("amtool").arg("check-config").arg(routes).finish().succeeded()
}

#[test]
fn an_alert_reaches_those_whom_the_inventory_names() {
    let scratch = Scratch::new("routes");
    let out = render(&scratch, &format!("{FLEETS}{DESTINATIONS}"), &[]);
    let config = format!("--config.file={}", out.join("alertmanager/alertmanager.yml").display());
    let cases: [(&[&str], &str); 8] = [
        // Whichever of them fails, the others hear of it.
        (&["alertname=AlertDeliveryFailing", "severity=P1", "owner=operators"], "chat,pager,mail,hook"),
        (&["severity=P0", "fleet=logos.test", "owner=bob"], "chat,pager,mail"),
        (&["severity=P2", "fleet=logos.test", "owner=bob"], "chat,mail"),
        (&["severity=P1", "fleet=waku.prod", "owner=carol"], "pager"),
        (&["severity=P2", "fleet=waku.prod", "owner=carol"], "(nobody)"),
        (&["severity=P3", "fleet=waku.prod", "owner=carol"], "hook"),
        // A dot is a dot, and whoever has a longer name is another.
        (&["severity=P2", "fleet=logosxtest", "owner=bobby"], "(nobody)"),
        (&["alertname=Watchdog", "severity=none", "fleet=logos.test", "owner=bob"], "switch"),
    ];
    for generation in Generation::ALL {
        for (labels, receivers) in cases {
            let test = generation.run("amtool").args(["config", "routes", "test", &config]).args(labels);
            assert_eq!(test.finish().output().trim(), receivers, "{labels:?} in {generation:?}");
        }
    }
}

#[test]
fn what_consul_says_becomes_a_nodes_labels() {
    let scratch = Scratch::new("consul");
    let inventory = r#"
        [[fleet]]
        name = "waku.test"
        profile = ["libp2p-generic", "lifeboat", "probes"]
        nodes_min = 3
        [fleet.consul]
        server = "consul.example.org:8500"
        tags = ["env:waku", "stage:test"]
        services = ["nim-waku"]
        service_endpoint = "node"
    "#;
    let out = render(&scratch, inventory, &[]);
    // Debian's Prometheus cannot ask Consul: a file says what Consul would.
    let labels = r#"{"__meta_consul_node":"node-01.do-ams3.waku.test","__meta_consul_service":"nim-waku"}"#;
    let said = format!(r#"[{{"targets":["10.3.0.1:8003"],"labels":{labels}}}]"#);
    fs::write(out.join("prometheus/consul.json"), said).unwrap();
    let mut config = String::new();
    let mut is_consul = false;
    for line in sections(&out).lines() {
        if line.starts_with("  consul_sd_configs:") {
            config.push_str("  file_sd_configs:\n  - files: [consul.json]\n");
            is_consul = true;
        }
        is_consul &= line.contains("consul")
            || !line.starts_with("  ")
            || line.starts_with("  -")
            || line.starts_with("   ");
        if !is_consul {
            config.push_str(&format!("{line}\n"));
        }
    }
    let path = out.join("prometheus/by-file.yml");
    fs::write(&path, config).unwrap();
    let cases = [
        ("node", "10.3.0.1:8003", "/metrics"),
        ("lifeboat", "10.3.0.1:9464", "/metrics"),
        ("reach", "127.0.0.1:9115", "/probe"),
    ];
    std::thread::scope(|scope| {
        for case in cases {
            let path = &path;
            scope.spawn(move || is_found(path, case));
        }
    });
}

/// What promtool discovers of a job is a node with its labels.
fn is_found(config: &Path, (job, address, page): (&str, &str, &str)) {
    let name = format!("{job} of waku.test by Consul");
    // It looks for changes until its time is up, and a file is read at once.
    let test = Generation::Three.run("promtool").args(["check", "service-discovery", "--timeout=5s"]);
    let said: serde_json::Value =
        serde_json::from_str(&test.arg(config).arg(name).finish().output()).unwrap();
    let labels = &said[0]["labels"];
    let wanted = [
        ("job", job),
        ("fleet", "waku.test"),
        ("dc", "do-ams3"),
        ("node", "node-01.do-ams3.waku.test"),
        ("role", "node"),
        ("__address__", address),
        ("__metrics_path__", page),
    ];
    for (label, value) in wanted {
        assert_eq!(labels[label], value, "{label} of {job}: {said}");
    }
    if job == "reach" {
        assert_eq!(labels["__param_target"], "10.3.0.1:60000", "{said}");
        assert_eq!(labels["__param_module"], "tcp_connect", "{said}");
    }
}

#[test]
fn units_are_right_and_ask_for_few_rights() {
    let scratch = Scratch::new("units");
    let out = render(&scratch, &format!("{FLEETS}{DESTINATIONS}"), &[]);
    let mut units = Vec::new();
    for entry in fs::read_dir(out.join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // The engines are not installed here.
        let (before, command) = text.split_once("\nExecStart=").unwrap();
        let (_, arguments) = command.split_once(' ').unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        units.push(scratch.write(name, format!("{before}\nExecStart=/bin/true {arguments}")));
    }
    assert_eq!(units.len(), 4);
    let said = Run::new("systemd-analyze").arg("verify").args(&units).finish();
    assert_eq!((said.succeeded(), said.stderr.as_str()), (true, ""));
    let rights =
        Run::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=20"]).args(&units);
    drop(rights.finish().output());
}

#[test]
fn no_secret_is_rendered_and_containers_keep_to_themselves() {
    let scratch = Scratch::new("compose");
    let inventory = format!("{FLEETS}{DESTINATIONS}{}", NEWER.replace("secret hook", "secret-hook"));
    let out = render(&scratch, &inventory, &[]);
    let compose = fs::read_to_string(out.join("compose.yaml")).unwrap();
    for image in compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
        let (_, version) = image.split_once(':').unwrap();
        assert!(version.trim_start_matches('v').split('.').count() == 3, "{image} is not pinned");
    }
    assert_eq!(compose.matches("no-new-privileges:true").count(), 5);
    assert!(compose.contains("source: /etc/alertmanager/secrets\n"), "{compose}");
    // Each listens on the loopback, and no port is published.
    assert!(!compose.contains("ports:") && !compose.contains("0.0.0.0"), "{compose}");
    for file in ["compose.yaml", "README.md", "alertmanager/alertmanager.yml", "prometheus/prometheus.yml"] {
        let text = fs::read_to_string(out.join(file)).unwrap();
        for key in ["bot_token:", "api_url:", "routing_key:", "auth_password:", "credentials:", " password:"]
        {
            assert!(!text.contains(key), "{key} in {file}");
        }
    }
    let readme = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(readme.contains("| waku.prod | carol | pager, telegram, secret-hook |"), "{readme}");
}

#[test]
fn a_check_says_by_its_status_whether_a_rendering_would_change_anything() {
    let scratch = Scratch::new("check");
    let status = |more: &[&str]| try_render(&scratch, FLEETS, more).shell_status();
    assert_eq!(status(&["--check"]), 1);
    assert!(!scratch.join("out").exists());
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--check"]), 0);
    let rendered = scratch.join("out/prometheus/prometheus.yml");
    fs::write(&rendered, "by hand").unwrap();
    assert_eq!(status(&["--check"]), 1);
    let refused = try_render(&scratch, FLEETS, &[]);
    assert_eq!(refused.shell_status(), 1);
    assert!(refused.stderr.contains("prometheus/prometheus.yml"), "{}", refused.stderr);
    let forced = try_render(&scratch, FLEETS, &["--force", "--json"]).output();
    let forced: serde_json::Value = serde_json::from_str(&forced).unwrap();
    assert_eq!(forced["kept"][0], "prometheus/prometheus.yml.orig");
    assert_eq!(forced["changed"][0], "prometheus/prometheus.yml");
    assert_eq!(status(&["--check"]), 0);
}

/// A rendering on a small disk; then the disk is full, then nearly so, then read-only: a rendering of more fails, and what was
/// there is as it was.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let scratch = Scratch::new("disk");
    let more = FLEETS.replace("[fleet.nodes]", "[fleet.thresholds]\npeers_min = 9\n[fleet.nodes]");
    let (small, large) = (scratch.write("small.toml", FLEETS), scratch.write("large.toml", more));
    fs::create_dir(scratch.join("out")).unwrap();
    let script = r#"
        set -eu
        mount -t tmpfs -o size=4m none out
        render() { "$1" fleet render "$2" --out out --accelerate 2 "${@:3}"; }
        render "$1" "$2" >/dev/null
        dd if=/dev/zero of=out/full bs=4k 2>/dev/null || true
        render "$1" "$3" && exit 10
        render "$1" "$2" --check && echo "full: as it was"
        truncate --size=-16k out/full
        render "$1" "$3" && exit 12
        render "$1" "$2" --check && echo "nearly full: as it was"
        rm out/full
        mount -o remount,ro out
        render "$1" "$3" && exit 11
        render "$1" "$2" --check && echo "read-only: as it was"
        mount -o remount,rw out
        render "$1" "$3" >/dev/null
        render "$1" "$3" --check && echo "with room: as it should be"
        ls -A out | grep -c lifeboat-new || true
    "#;
    let command = Run::new("unshare").args(["--mount", "--map-root-user", "bash", "-c", script, "bash"]);
    let command = command.arg(delivered("bin/lifeboat")).arg(&small).arg(&large).folder(scratch.path());
    let outcome = command.finish();
    let wanted =
        "full: as it was\nnearly full: as it was\nread-only: as it was\nwith room: as it should be\n0\n";
    assert_eq!((outcome.shell_status(), outcome.stdout.as_str()), (0, wanted), "{}", outcome.stderr);
    let told = ["No space left on device", "Read-only file system"];
    assert!(told.iter().all(|told| outcome.stderr.contains(told)), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("lifeboat: cannot write ").count(), 3, "{}", outcome.stderr);
}
