//! Every alert, from a node that falls ill to the notification, through real engines, at fifteen times the speed.
//!
//! 1. a fleet with every profile is rendered, simulated and watched  2. nothing but the dead man's switch fires
//! 3. for each alert a node, or a fleet of its own, falls ill  4. each notification comes, and says what it should
//! 5. all are well again  6. each notification comes that it is over

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use lifeboat_fleet::catalogue::{Alert, Catalogue, Scope, Severity};
use lifeboat_fleet::profile::Book;
use lifeboat_tests::engines::{Generation, Loopback, Request, Watch, Wish};
use serde_json::Value;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(240);
/// Every interval, window and hold is this much shorter.
const FASTER: u64 = 15;
const PROFILES: [&str; 3] = ["logos-delivery", "logos-core-modules", "cluster"];

/// How long a trend takes here, in seconds: steeper than in life, and the rules see no other difference. It must go on until
/// Prometheus knows it for half an hour, which is two minutes here.
const TREND: u64 = 180;

/// Alerts that no simulated node can be ill with, and why.
const ELSEWHERE: [(&str, &str); 4] = [
    ("Watchdog", "fires in health: that it comes is looked at there"),
    ("DiskFillsUp", "must be known for two hours, eight minutes here: promtool's tests have it"),
    ("NodesTooFew", "is about Consul, not about a node: promtool's tests have it"),
    ("AlertDeliveryFailing", "is about the engines, not about a node: alert_path.rs has it"),
];

/// Alerts that are not told while what their own test does to a node is told already: what makes them fire alone.
const ALONE: [(&str, &[&str]); 1] =
    [("HealthScoreLow", &["MemoryNearLimit", "DiskNearlyFull", "FdsNearLimit"])];

/// A node, or a whole fleet, that is to fall ill with one alert.
struct Patient<'a> {
    alert: &'a Alert,
    fleet: String,
    node: String,
}

impl Patient<'_> {
    /// Whom the simulator is told of.
    fn nodes(&self) -> String {
        let node = if self.alert.test.everywhere { "*" } else { &self.node };
        format!("{}/{node}", self.fleet)
    }

    /// What it is to fall ill with.
    fn illnesses(&self) -> Vec<&str> {
        let alone = ALONE.iter().find(|(name, _)| *name == self.alert.name);
        alone.map_or_else(|| vec![self.alert.name.as_str()], |(_, others)| others.to_vec())
    }

    /// Whether discovery is to lose it.
    fn is_lost(&self) -> bool {
        self.alert.test.absent.iter().any(|name| name == "*" || name.starts_with("job:"))
    }

    fn fall_ill(&self, watch: &Watch) {
        if self.is_lost() {
            return lose(watch, self);
        }
        for illness in self.illnesses() {
            watch.simulated().tell(&format!("sick {} {illness} {TREND}", self.nodes()));
        }
    }

    fn recover(&self, watch: &Watch) {
        if self.is_lost() {
            return find(watch);
        }
        watch.simulated().tell(&format!("well {}", self.nodes()));
    }

    fn is_told(&self, alert: &Value, status: &str) -> bool {
        let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
        let is_of_node = self.alert.scope != Scope::Node || label("node") == self.node;
        alert["status"] == status
            && label("alertname") == self.alert.name
            && (self.alert.scope == Scope::Path || label("fleet") == self.fleet)
            && is_of_node
    }
}

/// Who falls ill with what: one node each of the fleet `many`, and a fleet each for what befalls whole fleets. Of the two
/// pairs of engines each has every second alert.
fn patients(catalogue: &Catalogue, half: usize) -> Vec<Patient<'_>> {
    let is_here = |alert: &&Alert| ELSEWHERE.iter().all(|(name, _)| *name != alert.name);
    catalogue.alerts.iter().filter(is_here).map(patient).skip(half).step_by(2).collect()
}

fn patient(alert: &Alert) -> Patient<'_> {
    let name = alert.name.to_lowercase();
    if alert.scope != Scope::Node || alert.test.everywhere {
        return Patient { alert, fleet: name, node: "node-1".into() };
    }
    Patient { alert, fleet: "many".into(), node: name }
}

fn inventory(hosts: Loopback, patients: &[Patient<'_>], catalogue: &Catalogue) -> String {
    let speech = Book::ours().unwrap().speech(&PROFILES.map(str::to_owned)).unwrap();
    let mut text = String::new();
    let mut number = 9;
    let fleets: BTreeSet<&str> = patients.iter().map(|patient| patient.fleet.as_str()).collect();
    for fleet in fleets {
        let _ = writeln!(
            text,
            "[[fleet]]\nname = \"{fleet}\"\nprofile = {PROFILES:?}\nowner = \"team-{fleet}\"\nversion = \"v0.39.0\""
        );
        let mut node = |name: &str, endpoints: &BTreeSet<&str>| {
            number += 1;
            let wish = |endpoint: &String| format!("{endpoint} = {}", endpoints.contains(endpoint.as_str()));
            let wishes: Vec<String> = speech.endpoints.keys().map(wish).collect();
            let (host, wishes) = (hosts.host(number), wishes.join(", "));
            let _ = writeln!(
                text,
                "[[fleet.node]]\nname = \"{name}\"\ndc = \"dc-1\"\naddress = \"{host}\"\nendpoints = {{ {wishes} }}"
            );
        };
        let own = ["node", "lifeboat"];
        for patient in patients.iter().filter(|patient| patient.fleet == fleet) {
            let illnesses = patient.illnesses();
            let alerts = catalogue.alerts.iter().filter(|alert| illnesses.contains(&alert.name.as_str()));
            let signals = alerts
                .flat_map(|Alert { needs, any, test, .. }| needs.iter().chain(any).chain(test.sick.keys()));
            let of =
                signals.filter_map(|name| speech.signals.get(name)).map(|signal| signal.endpoint.as_str());
            node(&patient.node, &of.chain(own).collect());
        }
        node("well-1", &speech.endpoints.keys().map(String::as_str).collect());
        node("well-2", &own.into());
    }
    text
}

fn check(prometheus: Generation, alertmanager: Generation, half: usize) {
    let catalogue = Catalogue::ours().unwrap();
    let patients = patients(&catalogue, half);
    let wish = Wish { prometheus, alertmanager, accelerate: FASTER, is_simulated: true };
    let watch = Watch::start(wish, |hosts| inventory(hosts, &patients, &catalogue));
    all_is_well(&watch, &catalogue);
    patients.iter().for_each(|patient| patient.fall_ill(&watch));
    for patient in &patients {
        let what = format!("{} of {}", patient.alert.name, patient.nodes());
        let (_, alert) =
            watch.webhook.wait_for_alert(&what, PATIENCE, |alert| patient.is_told(alert, "firing"));
        says_what_it_should(patient, &alert);
    }
    patients.iter().for_each(|patient| patient.recover(&watch));
    for patient in &patients {
        let what = format!("the end of {} of {}", patient.alert.name, patient.nodes());
        let _ = watch.webhook.wait_for_alert(&what, PATIENCE, |alert| patient.is_told(alert, "resolved"));
    }
}

/// Nothing fires once all have answered for a while. Before that Prometheus has not found its targets: it takes five seconds
/// for that, at whatever speed.
fn all_is_well(watch: &Watch, catalogue: &Catalogue) {
    let all: usize = targets(watch).iter().map(|(_, text)| text.matches("\"targets\"").count()).sum();
    let all_answer = format!("(count(up{{fleet!=\"\"}} == 1) == {all})");
    watch.prometheus.wait_for(&format!("count_over_time({all_answer}[20s:1s]) > 10"));
    // Rules that come each second are too slow on a busy machine, and the alert about the engines says so.
    let others = "ALERTS{alertstate=\"firing\",alertname!~\"Watchdog|AlertDeliveryFailing\"}";
    watch.prometheus.wait_for(&format!("absent({others})"));
    watch.webhook.forget();
    watch.prometheus.wait_for(&format!("count_over_time({all_answer}[40s:1s]) > 30"));
    assert_eq!(watch.prometheus.query(&format!("count_over_time({others}[15s])")), []);
    if catalogue.alerts.iter().any(|alert| alert.severity == Severity::None) {
        watch.prometheus.wait_for("ALERTS{alertstate=\"firing\",alertname=\"Watchdog\"}");
    }
    let firing =
        |alert: &Value| alert["status"] == "firing" && alert["labels"]["alertname"] != "AlertDeliveryFailing";
    let told: Vec<Value> = watch.webhook.requests().iter().flat_map(Request::alerts).filter(firing).collect();
    assert_eq!(told, Vec::<Value>::new());
}

fn says_what_it_should(patient: &Patient<'_>, told: &Value) {
    let alert = patient.alert;
    let label = |name: &str| told["labels"][name].as_str().unwrap_or_default();
    let annotation = |name: &str| told["annotations"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(label("severity"), alert.severity.to_string(), "{told:#}");
    if alert.scope != Scope::Path {
        assert_eq!(label("owner"), format!("team-{}", patient.fleet), "{told:#}");
    }
    for (name, value) in alert.test.labels.iter().filter(|(name, _)| *name != "instance") {
        assert_eq!(label(name), value, "{told:#}");
    }
    let summary = annotation("summary");
    let wanted = if alert.scope == Scope::Node { &patient.node } else { &patient.fleet };
    assert!(alert.scope == Scope::Path || summary.contains(wanted.as_str()), "{told:#}");
    let texts = [summary, annotation("description"), annotation("dashboard_url")];
    for text in texts {
        let is_whole =
            !text.is_empty() && !["{{", "<no value>", "<error", "%!"].iter().any(|odd| text.contains(odd));
        assert!(is_whole, "{text:?} of {told:#}");
    }
    assert_eq!(
        annotation("runbook_url"),
        format!("https://runbooks.example.org/{}.md", alert.name),
        "{told:#}"
    );
}

/// Takes the node out of every list of targets, as a discovery does that has lost it.
fn lose(watch: &Watch, patient: &Patient<'_>) {
    for (path, text) in targets(watch) {
        let mut targets: Value = serde_json::from_str(&text).unwrap();
        let is_other = |target: &Value| {
            target["labels"]["fleet"] != patient.fleet.as_str()
                || target["labels"]["node"] != patient.node.as_str()
        };
        fs::write(path.with_extension("found"), &text).unwrap();
        targets.as_array_mut().unwrap().retain(is_other);
        fs::write(&path, targets.to_string()).unwrap();
    }
}

/// Puts them back.
fn find(watch: &Watch) {
    for (path, _) in targets(watch) {
        if let Ok(text) = fs::read_to_string(path.with_extension("found")) {
            fs::write(&path, text).unwrap();
        }
    }
}

fn targets(watch: &Watch) -> Vec<(std::path::PathBuf, String)> {
    let entries = fs::read_dir(watch.rendered("prometheus/targets")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let lists = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    lists.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

// Both mostly wait: side by side they take the time of one.
#[test]
fn every_alert_comes_and_goes() {
    std::thread::scope(|scope| {
        scope.spawn(|| check(Generation::Two, Generation::Three, 0));
        scope.spawn(|| check(Generation::Three, Generation::Two, 1));
    });
}
