//! The way that alerts take is watched itself, by real engines.
//!
//! 1. the dead man's switch hears of us, again and again  2. a receiver refuses what it gets: another is told so
//! 3. it takes everything again: that is told, too

use std::time::Duration;

use lifeboat_tests::engines::{Generation, Watch, Webhook, Wish};
use lifeboat_tests::wait_for;
use serde_json::Value;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A destination of its own.
fn destination(name: &str, webhook: &Webhook, more: &str) -> String {
    format!("[[destination]]\nname = \"{name}\"\ntype = \"webhook\"\nurl = \"{}\"\n{more}\n", webhook.url())
}

fn wait(watch: &Watch, status: &str) -> Value {
    let is_it = |told: &Value| {
        told["status"] == status
            && told["labels"]["alertname"] == "AlertDeliveryFailing"
            && told["labels"]["part"] == "receiver"
    };
    watch.webhook.wait_for_alert(&format!("AlertDeliveryFailing, {status}"), PATIENCE, is_it).1
}

#[test]
fn a_receiver_that_refuses_is_told_of_by_another() {
    let generation = Generation::Three;
    let wish = Wish { prometheus: generation, alertmanager: generation, accelerate: 15, is_simulated: true };
    let mut others = None;
    let watch = Watch::start(wish, |hosts| {
        let [deaf, switch] = [6, 7].map(|number| Webhook::start(&hosts.address(number, 0)));
        let text = destination("deaf", &deaf, "") + &destination("switch", &switch, "is_watchdog = true");
        others = Some((deaf, switch));
        let node = |number| format!("\"node-{number}\" = \"{}\"\n", hosts.host(number));
        format!(
            "{text}[[fleet]]\nname = \"way\"\nprofile = \"lifeboat\"\n[fleet.nodes]\n{}{}",
            node(10),
            node(11)
        )
    });
    let (deaf, switch) = others.unwrap();
    watch.prometheus.wait_for("count(up{fleet=\"way\"} == 1) == 2");
    let is_heard = || (switch.requests().len() > 1).then_some(());
    wait_for("the dead man's switch hears twice", PATIENCE, is_heard);
    let all = switch.requests().iter().flat_map(|request| request.alerts()).collect::<Vec<_>>();
    assert!(all.iter().all(|alert| alert["labels"]["alertname"] == "Watchdog"), "{all:#?}");

    deaf.refuse(true);
    watch.simulated().tell("down way/node-10");
    let told = wait(&watch, "firing");
    assert_eq!(told["labels"]["severity"], "P1", "{told:#}");
    assert_eq!(told["annotations"]["runbook_url"], "https://runbooks.example.org/AlertDeliveryFailing.md");
    assert!(!deaf.requests().is_empty());
    deaf.refuse(false);
    let _ = wait(&watch, "resolved");
}
