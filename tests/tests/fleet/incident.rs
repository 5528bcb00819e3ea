//! The incident of logos-delivery's issue 4064, replayed: a module dies of an IndexDefect, its host lives on, and for 205.8
//! hours nobody is told.
//!
//! 1. a host of Logos Core with two modules in Nim, one with Lifeboat in it, one without; a fleet of one node is rendered
//! 2. Prometheus has seen both modules up  3. each takes from where nothing is, on the thread that serves its calls
//! 4. the host lives; there is a report of each, the one with cause, message and frames
//! 5. the webhook is told of each, with module, node, cause, severity, owner, and a runbook that is there

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat_tests::engines::{Alertmanager, Generation, Loopback, Prometheus, QUICK, Webhook};
use lifeboat_tests::{Run, Running, Scratch, delivered, repository, wait_until};
use serde_json::Value;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(90);
const MODULES: [&str; 2] = ["delivery_module", "storage_module"];

/// The host with its modules, looked after, in a folder of its own.
struct Host {
    scratch: Scratch,
    running: Running,
}

impl Host {
    fn start(metrics: &str) -> Self {
        let scratch = Scratch::trusted("incident");
        let dist = delivered("bin/lifeboat").ancestors().nth(2).unwrap().to_owned();
        let option = |name: &str, path: &Path| format!("{name}={}", path.display());
        let nim = std::env::var("LIFEBOAT_TEST_NIM").unwrap_or_else(|_| "nim".to_owned());
        let made =
            Run::new("make").args(["--silent", "-j2", "-C"]).arg(repository("tests/fixtures/incident"));
        let made = made.args([option("OUT", scratch.path()), option("DIST", &dist), format!("NIM={nim}")]);
        drop(made.inherit_environment().finish().output());
        let pipes = ["commands".to_owned()].into_iter().chain(MODULES.map(|name| format!("{name}/commands")));
        assert!(Run::new("mkfifo").args(pipes.map(|pipe| scratch.join(pipe))).finish().succeeded());
        let run = Run::new(scratch.join("host")).arg(scratch.join("commands"));
        let run =
            run.args(MODULES.map(|name| scratch.join(name))).folder(scratch.path()).timeout(PATIENCE * 2);
        let run = run.env("LOGOS_HOST_PATH", scratch.join("logos_host_qt"));
        let run = run.env("LIFEBOAT_REPORTER", dist.join("lib/liblifeboat_reporter.so"));
        let run = run.env("LIFEBOAT_STATE_DIR", scratch.join("state")).env("LIFEBOAT_METRICS", metrics);
        let running = run.env("LIFEBOAT_MODULES", "on").env("LIFEBOAT_SHARED", "1").spawn();
        Self { scratch, running }
    }

    /// The module makes its mistake.
    fn break_module(&self, name: &str) {
        fs::write(self.scratch.join(format!("{name}/commands")), "break\n").unwrap();
    }

    /// What was reported, by module.
    fn reports(&self, name: &str) -> Vec<Value> {
        let lifeboat = |arguments: &[&str]| {
            let run = Run::new(delivered("bin/lifeboat")).args(arguments);
            run.arg("--state-dir").arg(self.scratch.join("state")).finish().stdout
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let list = lifeboat(&["reports", "--json"]);
        let ids = list.lines().map(|line| json(line)["event_id"].as_str().unwrap().to_owned());
        let events = ids.map(|id| json(&lifeboat(&["show", &id, "--json"])));
        events.filter(|event| event["tags"]["module"] == name).collect()
    }
}

fn inventory(hosts: Loopback, metrics: &str, webhook: &Webhook) -> String {
    let (prometheus, alertmanager) = (hosts.address(1, 9090), hosts.address(2, 9093));
    format!(
        "prometheus = {{ address = \"{prometheus}\" }}\nalertmanager = {{ address = \"{alertmanager}\" }}\n\
         [[destination]]\ntype = \"webhook\"\nurl = \"{}\"\n\
         [[fleet]]\nname = \"logos.test\"\nprofile = \"logos-core-modules\"\nowner = \"delivery\"\n\
         [[fleet.node]]\nname = \"host-01\"\naddress = \"{}\"\nendpoints = {{ lifeboat = \"{metrics}\" }}\n",
        webhook.url(),
        hosts.host(4)
    )
}

/// The frames of a report, the innermost first.
fn functions(event: &Value) -> Vec<&str> {
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    frames.iter().rev().map(|frame| frame["function"].as_str().unwrap()).collect()
}

#[test]
fn a_module_that_dies_alone_is_told_of() {
    let hosts = Loopback::new();
    let metrics = hosts.address(4, 9464);
    let host = Host::start(&metrics);
    let webhook = Webhook::start(&hosts.address(3, 0));
    let file = host.scratch.write("fleet.toml", inventory(hosts, &metrics, &webhook));
    let out = host.scratch.join("rendered");
    let render = Run::new(delivered("bin/lifeboat")).args(["fleet", "render"]).arg(&file).arg("--out");
    drop(render.arg(&out).arg("--accelerate=15").finish().output());
    let config = out.join("alertmanager/alertmanager.yml");
    let _alertmanager = Alertmanager::start(Generation::Three, &config, &hosts.address(2, 9093));
    let config = out.join("prometheus/prometheus.yml");
    let prometheus = Prometheus::start_with(Generation::Three, &config, &hosts.address(1, 9090), &QUICK);
    for name in MODULES {
        prometheus.wait_for(&format!("logos_module_up{{fleet=\"logos.test\",module=\"{name}\"}} == 1"));
    }

    let begin = Instant::now();
    MODULES.iter().for_each(|name| host.break_module(name));
    wait_until("both are reported", || MODULES.iter().all(|name| !host.reports(name).is_empty()));
    let [delivery] = host.reports("delivery_module").try_into().unwrap();
    assert_eq!(delivery["exception"]["values"][0]["type"], "IndexDefect");
    assert_eq!(delivery["exception"]["values"][0]["value"], "Empty deque.");
    assert_eq!(delivery["contexts"]["death"]["cause"], "nim-exception");
    assert_eq!(functions(&delivery), ["oldestPartition", "rotatePartitions", "serveCalls"]);
    let [storage] = host.reports("storage_module").try_into().unwrap();
    assert_eq!(storage["exception"]["values"][0]["value"], "module storage_module: exited with status 1");

    for (name, cause) in MODULES.into_iter().zip(["nim-exception", "exit"]) {
        let (at, alert) = webhook.wait_for_alert(&format!("ModuleDied of {name}"), PATIENCE, |alert| {
            alert["labels"]["alertname"] == "ModuleDied" && alert["labels"]["module"] == name
        });
        eprintln!("ModuleDied of {name}: {:.1} s, at fifteen times the speed", (at - begin).as_secs_f64());
        let labels =
            ["fleet", "node", "cause", "severity", "owner"].map(|label| alert["labels"][label].as_str());
        let expected = ["logos.test", "host-01", cause, "P1", "delivery"].map(Some);
        assert_eq!(labels, expected);
        let summary = alert["annotations"]["summary"].as_str().unwrap();
        assert!(summary.contains(name) && summary.contains("host-01"), "{summary}");
        let runbook = out.join(alert["annotations"]["runbook_url"].as_str().unwrap());
        let text =
            fs::read_to_string(&runbook).unwrap_or_else(|error| panic!("{}: {error}", runbook.display()));
        assert!(text.starts_with("# ModuleDied"), "{text}");
    }
    // Docker, and everybody who asks the process, sees a container that is well.
    assert_eq!(prometheus.value("lifeboat_node_up{node=\"host-01\"}"), Some(1.0));
    host.running.signal(rustix::process::Signal::TERM);
    assert!(host.running.finish().succeeded());
}
