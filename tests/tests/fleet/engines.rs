//! The engines of the tests work together, in both generations.
//!
//! 1. a rule that always fires, an Alertmanager with a webhook, a Prometheus  2. the webhook gets the alert
//! 3. the rule never fires, Prometheus reads it  4. the webhook gets that it is resolved

use std::time::Duration;

use lifeboat_tests::Scratch;
use lifeboat_tests::engines::{Alertmanager, Generation, Loopback, Prometheus, QUICK, Webhook};

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn check(generation: Generation) {
    let (scratch, hosts) = (Scratch::new("engines"), Loopback::new());
    let webhook = Webhook::start(&hosts.address(3, 0));
    let routes = format!(
        "route: {{receiver: all, group_wait: 100ms, group_interval: 1s}}\n\
         receivers: [{{name: all, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
        webhook.url()
    );
    let config = scratch.write("alertmanager.yml", routes);
    let alertmanager = Alertmanager::start(generation, &config, &hosts.address(2, 9093));
    let rules = |expr: &str| {
        format!(
            "groups: [{{name: all, rules: [{{alert: Always, expr: {expr}, labels: {{node: 'a\"b'}}}}]}}]\n"
        )
    };
    scratch.write("rules.yml", rules("vector(1)"));
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n",
        alertmanager.engine.address
    );
    let config = scratch.write("prometheus.yml", config);
    let prometheus = Prometheus::start_with(generation, &config, &hosts.address(1, 9090), &QUICK);
    let alert = prometheus.wait_for("ALERTS{alertname=\"Always\", alertstate=\"firing\"}");
    assert_eq!(alert.first().unwrap().label("node"), "a\"b");
    assert!(prometheus.try_query("sum by (").unwrap_err().contains("parse error"));
    assert_eq!(prometheus.value("1 + 1"), Some(2.0));
    assert_eq!(prometheus.firing().len(), 1);
    let (fired, alert) = webhook.wait_for_alert("Always", PATIENCE, |alert| alert["status"] == "firing");
    assert_eq!(alert.pointer("/labels/node").unwrap(), "a\"b");
    assert_eq!(alertmanager.alerts().len(), 1);
    scratch.write("rules.yml", rules("vector(1) > 1"));
    prometheus.reload();
    let (resolved, _) = webhook.wait_for_alert("its end", PATIENCE, |alert| alert["status"] == "resolved");
    assert!(resolved > fired);
}

#[test]
fn engines_of_prometheus_2() {
    check(Generation::Two);
}

#[test]
fn engines_of_prometheus_3() {
    check(Generation::Three);
}
