//! Nodes that Consul knows come and go: who is missed, and who is not.
//!
//! 1. render a fleet of Consul's with four nodes at least
//! 2. machines are replaced, lost, or were never there: what Prometheus has of them is written down
//! 3. promtool says which alerts fire by its rules

use std::fmt::Write as _;
use std::fs;

use lifeboat_tests::Scratch;
use lifeboat_tests::engines::Generation;

use crate::configuration::render;

const FLEET: &str = r#"
[[fleet]]
name = "waku.test"
profile = "libp2p-generic"
nodes_min = 4
[fleet.consul]
services = ["nim-waku"]
"#;

/// Values of `up`: a node that stays for five hours, one that Consul forgets after ten minutes, one that it knows from then on.
const STAYS: &str = "1x300";
const GOES: &str = "1x10 stale";
const COMES: &str = "_x10 1x290";

/// What happens to which nodes, and which alerts of the fleet fire after so many minutes.
struct Course {
    name: &'static str,
    nodes: &'static [&'static str],
    fires: &'static [(u32, &'static [&'static str])],
}

const COURSES: [Course; 4] = [
    Course {
        name: "all machines are replaced by others, whose names are others",
        nodes: &[GOES, GOES, GOES, GOES, COMES, COMES, COMES, COMES],
        fires: &[(9, &[]), (15, &[]), (60, &[]), (240, &[])],
    },
    Course {
        name: "one machine is gone, and none comes in its place",
        nodes: &[STAYS, STAYS, STAYS, GOES],
        fires: &[(9, &[]), (15, &["NodesTooFew"]), (240, &["NodesTooFew"])],
    },
    Course {
        name: "all machines are gone",
        nodes: &[GOES, GOES, GOES, GOES],
        fires: &[(9, &[]), (15, &["FleetDown", "NodesTooFew"]), (240, &["FleetDown", "NodesTooFew"])],
    },
    Course {
        name: "no machine was ever known",
        nodes: &[],
        fires: &[(5, &["FleetDown", "NodesTooFew"]), (240, &["FleetDown", "NodesTooFew"])],
    },
];

/// A course as promtool reads it.
fn test_of(course: &Course) -> String {
    let mut text = format!("- name: {}\n  interval: 1m\n  input_series:\n", course.name);
    for (number, values) in course.nodes.iter().enumerate() {
        let labels = format!(r#"fleet="waku.test",dc="ams3",node="node-{number}",role="node",job="node""#);
        let _ = writeln!(text, "  - series: 'up{{{labels}}}'\n    values: '{values}'");
    }
    text.push_str("  promql_expr_test:\n");
    for (minutes, alerts) in course.fires {
        let asked = r#"ALERTS{alertstate="firing",alertname=~"FleetDown|NodesTooFew"}"#;
        let _ = writeln!(text, "  - expr: 'count by (alertname) ({asked})'\n    eval_time: {minutes}m");
        text.push_str("    exp_samples:\n");
        for alert in *alerts {
            let _ = writeln!(text, "    - labels: '{{alertname=\"{alert}\"}}'\n      value: 1");
        }
    }
    text
}

#[test]
fn nodes_min_says_who_is_missed() {
    let scratch = Scratch::new("consul-rules");
    let out = render(&scratch, FLEET, &["--accelerate=1"]);
    let tests: String = COURSES.iter().map(test_of).collect();
    let head = "rule_files: [../rules/waku.test.rules.yml]\nevaluation_interval: 1m\ntests:\n";
    let path = out.join("prometheus/tests/consul.yml");
    fs::write(&path, format!("{head}{tests}")).unwrap();
    for generation in Generation::ALL {
        drop(generation.run("promtool").args(["test", "rules"]).arg(&path).finish().output());
    }
}
