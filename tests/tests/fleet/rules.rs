//! The tests that are rendered with the rules pass, in both generations of promtool; rules that are broken do not pass them.
//!
//! 1. render an inventory that has every profile, a fleet of one node and one of libp2p alone
//! 2. promtool runs the tests
//! 3. break a rule
//! 4. promtool says which alert no longer does what it should

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_fleet::profile::Book;
use lifeboat_tests::engines::Generation;
use lifeboat_tests::{Outcome, Scratch, repository};

use crate::configuration::render;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// Every profile that there is, with whatever is off by itself.
const EVERYTHING: &str = r#"
[links]
grafana = "https://grafana.example.org"
runbooks = "https://runbooks.example.org"
logs = "https://logs.example.org/?fleet={fleet}&node={node}"

[[fleet]]
name = "everything.test"
version = "v0.38.0"
owner = "delivery"
profile = ["logos-delivery", "logos-core-modules", "cluster"]
endpoints = { postgres = true, tls = true, rest = true }

[fleet.nodes]
"delivery-01.do-ams3.logos.test" = "10.1.0.1"
"delivery-02.do-ams3.logos.test" = "10.1.0.2"
"delivery-03.ac-cn-hongkong-c.logos.test" = "10.1.0.3"
"#;

const SMALL: &str = r#"
[[fleet]]
name = "one.test"
profile = "lifeboat"
nodes = { "only-01" = "10.3.0.1" }

[[fleet]]
name = "plain.test"
profile = "libp2p-generic"
nodes = { "plain-01" = "10.2.0.1", "plain-02" = "10.2.0.2" }
"#;

/// Every threshold is another: half of the catalogue's, or twice that, as far as it may be.
const HALF: &str = "\
peers_min = 2\n\
discovered_peers_min = 5\n\
connection_churn_max = 0.01\n\
restarts_max = 2\n\
health_score_min = 25\n\
failures_ratio_max = 0.025\n\
message_rate_min = 0.05\n\
message_rate_ratio_min = 0.05\n\
message_latency_max_seconds = 1\n\
database_size_max_bytes = 25000000000\n\
database_growth_max_bytes = 2500000000\n\
database_query_max_seconds = 0.5\n\
database_insert_max_seconds = 0.25\n\
database_errors_max = 1\n\
database_check_age_max_seconds = 43200\n\
memory_ratio_max = 0.45\n\
disk_available_ratio_min = 0.025\n\
fds_ratio_max = 0.425\n\
cpu_steal_ratio_max = 0.05\n\
cpu_steal_ratio_critical = 0.15\n\
cpu_ratio_max = 0.475\n\
throttled_ratio_max = 0.125\n\
swap_rate_max = 100\n\
memory_pressure_max = 0.05\n\
report_age_max_seconds = 900\n\
certificate_left_min_seconds = 604800\n\
mesh_peers_min = 2\n\
database_connections_ratio_max = 0.45\n\
database_replication_lag_max_seconds = 30\n\
event_loop_lag_max = 0.1\n\
replicas_min = 1";
const TWICE: &str = "\
peers_min = 10\n\
discovered_peers_min = 20\n\
connection_churn_max = 0.04\n\
restarts_max = 6\n\
health_score_min = 90\n\
failures_ratio_max = 0.1\n\
message_rate_min = 0.2\n\
message_rate_ratio_min = 0.2\n\
message_latency_max_seconds = 4\n\
database_size_max_bytes = 100000000000\n\
database_growth_max_bytes = 10000000000\n\
database_query_max_seconds = 2\n\
database_insert_max_seconds = 1\n\
database_errors_max = 4\n\
database_check_age_max_seconds = 172800\n\
memory_ratio_max = 0.95\n\
disk_available_ratio_min = 0.1\n\
fds_ratio_max = 0.925\n\
cpu_steal_ratio_max = 0.2\n\
cpu_steal_ratio_critical = 0.6\n\
cpu_ratio_max = 0.975\n\
throttled_ratio_max = 0.5\n\
swap_rate_max = 400\n\
memory_pressure_max = 0.2\n\
report_age_max_seconds = 3600\n\
certificate_left_min_seconds = 2419200\n\
mesh_peers_min = 8\n\
database_connections_ratio_max = 0.95\n\
database_replication_lag_max_seconds = 120\n\
event_loop_lag_max = 0.4\n\
replicas_min = 4";
const EVERY_PROFILE: &str = r#"version = "v0.38.0"
profile = ["logos-delivery", "logos-core-modules", "cluster"]
endpoints = { postgres = true, tls = true, rest = true }
"#;

/// Fleets with such thresholds.
fn moved() -> String {
    let fleet = |name: &str, about: &str, network: &str, thresholds: &str| {
        format!(
            "[[fleet]]\nname = \"{name}\"\n{about}\
             nodes = {{ \"{name}-01\" = \"{network}1\", \"{name}-02\" = \"{network}2\" }}\n\
             [fleet.thresholds]\n{thresholds}\n"
        )
    };
    [
        fleet("half.test", EVERY_PROFILE, "10.1.0.", HALF),
        fleet("twice.test", EVERY_PROFILE, "10.4.0.", TWICE),
        fleet("plain.test", "profile = \"libp2p-generic\"\n", "10.2.0.", TWICE),
    ]
    .concat()
}

/// The files of tests of a rendered tree.
fn tests_of(out: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(out.join("prometheus/tests")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn promtool(generation: Generation, out: &Path) -> Outcome {
    generation.run("promtool").args(["test", "rules"]).args(tests_of(out)).timeout(PATIENCE).finish()
}

fn check(inventory: &str) {
    let scratch = Scratch::new("rules");
    let out = render(&scratch, inventory, &["--accelerate=1"]);
    std::thread::scope(|scope| {
        for generation in Generation::ALL {
            let out = &out;
            scope.spawn(move || drop(promtool(generation, out).output()));
        }
    });
}

#[test]
fn every_alert_of_every_profile_does_what_it_should() {
    check(EVERYTHING);
}

#[test]
fn fleets_that_tell_little_have_alerts_that_work() {
    check(SMALL);
    check(&fs::read_to_string(repository("examples/fleets/minimal.toml")).unwrap());
}

/// Where a profile stands alone some part of a rule has nothing to ask.
#[test]
fn fleets_of_one_profile_have_alerts_that_work() {
    // That of the engines is no fleet's.
    let book = Book::ours().unwrap();
    let mut inventory = String::new();
    let names = book.profiles().map(|profile| &profile.name).filter(|name| *name != "alert-path");
    for (number, name) in names.enumerate() {
        let speech = book.speech(std::slice::from_ref(name)).unwrap();
        let on: Vec<String> = speech.endpoints.keys().map(|name| format!("{name} = true")).collect();
        inventory += &format!(
            "[[fleet]]\nname = \"{name}.test\"\nversion = \"v0.38.0\"\nprofile = \"{name}\"\n\
             endpoints = {{ {} }}\nnodes = {{ \"{name}-01\" = \"10.1.{number}.1\" }}\n",
            on.join(", ")
        );
    }
    let scratch = Scratch::new("single-profiles");
    let out = render(&scratch, &inventory, &["--accelerate=1"]);
    drop(promtool(Generation::Three, &out).output());
}

#[test]
fn thresholds_that_somebody_changed_have_tests_that_fit() {
    let scratch = Scratch::new("moved-rules");
    let out = render(&scratch, &moved(), &["--accelerate=1"]);
    drop(promtool(Generation::Three, &out).output());
}

#[test]
fn rules_that_are_broken_are_noticed() {
    let scratch = Scratch::new("broken-rules");
    let out = render(&scratch, SMALL, &["--accelerate=1"]);
    let path = out.join("prometheus/rules/one.test.rules.yml");
    let mut rules = fs::read_to_string(&path).unwrap();
    // Too late; never, after a gap; in health; at a target that is new; at the wrong moment.
    let broken = [
        ("for: 30s", "for: 5m", "NodeHung"),
        ("[1h]", "[10m]", "NodeDied"),
        ("== 2", ">= 0", "ComponentFailing"),
        ("offset 2m) == 1", "offset 2m) >= 0 or vector(1)", "CheckFailed"),
        ("has a health score of", "is unwell:", "HealthScoreLow"),
    ];
    for (from, to, alert) in broken {
        assert!(rules.contains(from), "{alert}: {from} is not in {rules}");
        rules = rules.replace(from, to);
    }
    fs::write(&path, rules).unwrap();
    let tests = out.join("prometheus/tests/one.test.tests.yml");
    let run = Generation::Three.run("promtool").args(["test", "rules"]).arg(tests);
    let outcome = run.timeout(PATIENCE).finish();
    assert!(!outcome.succeeded());
    let said = format!("{}{}", outcome.stdout, outcome.stderr).replace('\\', "");
    for (from, to, alert) in broken {
        let is_named = said.contains(&format!("alertname=\"{alert}\""));
        assert!(is_named, "{from} became {to}, and nobody missed {alert}: {said}");
    }
}
