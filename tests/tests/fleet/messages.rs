//! What people read, whatever stands in a label: nothing breaks a message, looks like a part of it, or wakes everybody.
//!
//! 1. every kind of destination, on the loopback, behind a real Alertmanager  2. alerts whose labels are hostile
//! 3. each destination gets one message, of the form that it has for alerts that are not

use std::fs;
use std::time::Duration;

use lifeboat_tests::engines::{Alertmanager, Generation, Loopback, Request, Webhook};
use lifeboat_tests::http::post;
use lifeboat_tests::{Scratch, wait_for};
use serde_json::{Value, json};

use crate::configuration::render;
use crate::mail::Mail;

/// Only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of a node's making: quotes, lines, templates, markup of Telegram and Slack, the end of a header, a turn of direction.
const HOSTILE: &str = "a\"b'c`\\\n\nRunbook: https://evil.example\r\nBcc: all@example.org\n{{ template \"nope\" }}{{{{ .Foo }}\
    <b>x</b><!channel> <https://evil.example|Runbook> *_~[x](https://evil.example)\u{202e}&amp; @everyone";

const INVENTORY: &str = r##"
[links]
runbooks = "https://runbooks.example.org"

[intervals]
group_wait = "1s"

[[destination]]
name = "telegram"
type = "telegram"
bot_token_file = "SCRATCH/token"
chat_id = -100123
severities = ["P1"]

[[destination]]
name = "slack"
type = "slack"
api_url_file = "SCRATCH/slack"

[[destination]]
name = "pager"
type = "pagerduty"
routing_key_file = "SCRATCH/token"
url = "http://WEBHOOK/pager"

[[destination]]
name = "mail"
type = "email"
to = "a@example.org"
from = "b@example.org"
smarthost = "MAIL"
require_tls = false

[[destination]]
name = "hook"
type = "webhook"
url = "http://WEBHOOK/hook"
bearer_file = "SCRATCH/token"

[[destination]]
name = "switch"
type = "webhook"
url = "http://WEBHOOK/switch"
is_watchdog = true

[[fleet]]
name = "logos.test"
profile = "lifeboat"
[fleet.nodes]
"node-01" = "127.0.0.1"
"##;

/// An Alertmanager with all of that, and what hears it.
struct Stage {
    webhook: Webhook,
    mail: Mail,
    alertmanager: Alertmanager,
    _scratch: Scratch,
}

impl Stage {
    fn new(generation: Generation) -> Self {
        let (scratch, hosts) = (Scratch::new("messages"), Loopback::new());
        let webhook = Webhook::start(&hosts.address(3, 0));
        let mail = Mail::start(&hosts.address(4, 0));
        scratch.write("token", "12:token");
        scratch.write("slack", format!("http://{}/slack", webhook.address));
        let inventory = INVENTORY
            .replace("SCRATCH", &scratch.path().display().to_string())
            .replace("WEBHOOK", &webhook.address)
            .replace("MAIL", &mail.address);
        let routes = render(&scratch, &inventory, &["--accelerate=20"]).join("alertmanager/alertmanager.yml");
        let text = fs::read_to_string(&routes).unwrap();
        // Telegram is elsewhere in use; and 0.25 takes the token itself alone.
        let text = text.replace(
            "    chat_id:",
            &format!("    api_url: http://{}/telegram\n    chat_id:", webhook.address),
        );
        let text = match generation {
            Generation::Two => {
                let file = format!("bot_token_file: {}", scratch.join("token").display());
                text.replace(&file, "bot_token: \"12:token\"")
            }
            Generation::Three => text,
        };
        fs::write(&routes, text).unwrap();
        let alertmanager = Alertmanager::start(generation, &routes, &hosts.address(2, 9093));
        Self { webhook, mail, alertmanager, _scratch: scratch }
    }

    fn tell(&self, alerts: &Value) {
        let address = &self.alertmanager.engine.address;
        let answer = post(address, "/api/v2/alerts", "application/json", &alerts.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn got(&self, path: &str) -> Vec<Request> {
        let begin = format!("POST /{path}");
        self.webhook.requests().into_iter().filter(|request| request.line.starts_with(&begin)).collect()
    }

    fn wait(&self, path: &str) -> Value {
        wait_for(&format!("something for {path}"), PATIENCE, || self.got(path).first().map(Request::json))
    }
}

fn alert(node: &str, summary: &str) -> Value {
    json!({
        "labels": {
            "alertname": "PeersBelowMinimum", "severity": "P1", "owner": "operators", "fleet": "logos.test", "dc": "x",
            "node": node, "type": HOSTILE,
        },
        "annotations": {
            "summary": summary,
            "description": HOSTILE,
            "runbook_url": "https://runbooks.example.org/PeersBelowMinimum.md",
            "dashboard_url": "https://grafana.example.org/d/lifeboat-node?var-fleet=logos.test&var-node=n",
        },
    })
}

/// What every message is, as lines.
fn check_text(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let begin =
        "P1 FIRING logos.test node-01 PeersBelowMinimum: node-01 has 2 peers a\"b'c`\\ Runbook: https://evil";
    assert!(lines[0].starts_with(begin), "{text}");
    let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
    assert_eq!(lines[1], "Respond within 1 hour, resolve within 4 hours.");
    assert!(lines.contains(&"Runbook: https://runbooks.example.org/PeersBelowMinimum.md"), "{text}");
    assert_eq!((count("Runbook:"), count("Bcc:"), count("Owner: operators")), (1, 0, 1), "{text}");
    assert!(!text.contains("{{") && !text.contains('\u{202e}') && !text.contains('\r'), "{text}");
}

fn hostile_labels(generation: Generation) {
    let stage = Stage::new(generation);
    stage.tell(&json!([alert("node-01", &format!("node-01 has 2 peers {HOSTILE}"))]));
    let telegram = stage.wait("telegram/bot12:token/sendMessage");
    check_text(telegram["text"].as_str().unwrap());
    assert_eq!(telegram["chat_id"], "-100123");
    // Plain text, to Telegram as well.
    assert_eq!(telegram["parse_mode"].as_str().unwrap_or_default(), "");
    let slack = stage.wait("slack");
    let attachment = &slack["attachments"][0];
    let texts = ["title", "text", "fallback"].map(|key| attachment[key].as_str().unwrap().to_owned());
    assert!(texts[0].contains("&lt;!channel&gt; &lt;https://evil.example|Runbook&gt;"), "{attachment}");
    assert!(texts.iter().all(|text| !text.contains(['<', '>', '\u{202e}'])), "{attachment}");
    assert_eq!(attachment["title_link"], "https://runbooks.example.org/PeersBelowMinimum.md");
    let pager = stage.wait("pager");
    assert_eq!(pager["routing_key"], "12:token");
    assert_eq!(pager["payload"]["severity"], "error");
    check_text(pager["payload"]["custom_details"]["firing"].as_str().unwrap());
    let hook = stage.wait("hook");
    assert_eq!(hook["alerts"][0]["labels"]["type"], HOSTILE);
    let bearer = stage.got("hook")[0].headers.iter().any(|line| line.ends_with("Bearer 12:token"));
    assert!(bearer);
    let letter = wait_for("a letter", PATIENCE, || stage.mail.letters().first().cloned());
    assert!(letter.header("Subject").contains("P1 FIRING logos.test node-01"), "{letter:?}");
    assert_eq!(letter.headers.iter().filter(|line| line.to_lowercase().starts_with("bcc")).count(), 0);
    assert!(letter.body.contains("Runbook: https://runbooks.example.org/PeersBelowMinimum.md"), "{letter:?}");
    assert!(!letter.body.contains("{{") && !letter.body.contains("\nBcc:"), "{letter:?}");
    let log = stage.alertmanager.engine.log();
    assert!(!log.contains("level=error") && !log.contains("level=ERROR"), "{log}");
    assert!(stage.got("switch").is_empty());
    silences(&stage);
    many_alerts(&stage);
    watchdog(&stage);
}

/// One cause, one page: what goes with it is silenced for that node, or that fleet, and for no other.
fn silences(stage: &Stage) {
    let of = |name: &str, severity: &str, fleet: &str, node: &str| {
        let labels =
            json!({ "alertname": name, "severity": severity, "fleet": fleet, "dc": "x", "node": node });
        json!({ "labels": labels })
    };
    let alerts = [
        (of("NodeUnreachable", "P1", "one", "a"), false),
        (of("CpuSaturated", "P2", "one", "a"), true),
        (of("DatabaseCorrupt", "P0", "one", "a"), false),
        (of("NodeDied", "P1", "one", "a"), false),
        (of("CpuSaturated", "P2", "one", "b"), false),
        (of("CpuStealCritical", "P1", "one", "c"), false),
        (of("CpuStealHigh", "P2", "one", "c"), true),
        (of("FleetDown", "P0", "two", ""), false),
        (of("NodeDied", "P1", "two", "a"), true),
        (of("DatabaseCorrupt", "P0", "two", "a"), false),
        (of("NodeDied", "P1", "three", "a"), false),
    ];
    // Causes first: Alertmanager asks when it is about to tell.
    stage.tell(&alerts.iter().map(|(alert, _)| alert.clone()).collect());
    let is_suppressed = |wanted: &Value| {
        let all = stage.alertmanager.alerts();
        let mut same = all.iter().filter(|alert| {
            ["alertname", "fleet", "node"].iter().all(|label| {
                let text = |alert: &Value| alert["labels"][label].as_str().unwrap_or_default().to_owned();
                text(alert) == text(wanted)
            })
        });
        same.next().map(|alert| alert["status"]["state"] == "suppressed")
    };
    for (alert, silenced) in &alerts {
        let labels = &alert["labels"];
        // Alertmanager says what it knew when it was about to tell.
        wait_for(&format!("{labels} with silenced {silenced}"), PATIENCE, || {
            (is_suppressed(alert) == Some(*silenced)).then_some(())
        });
    }
}

/// A message of many alerts says how many, and has an end that a chat still shows.
fn many_alerts(stage: &Stage) {
    let of = |number: u32| {
        let mut alert =
            alert(&format!("node-{number:02}"), &format!("node-{number:02} {}", "x".repeat(2_000)));
        alert["labels"]["alertname"] = "NodeDied".into();
        alert["annotations"]["runbook_url"] = "runbooks/NodeDied.md".into();
        alert
    };
    stage.tell(&(1..=12).map(of).collect());
    let text = wait_for("twelve alerts", PATIENCE, || {
        let texts = stage.got("telegram").into_iter().map(|request| request.json()["text"].clone());
        texts.filter_map(|text| text.as_str().map(str::to_owned)).find(|text| text.contains("FIRING x12"))
    });
    assert!(text.starts_with("P1 FIRING x12 logos.test NodeDied: node-01 xxx"), "{text}");
    assert!(text.chars().count() <= 4_096);
    // Where runbooks have no address nobody is sent to one.
    let links =
        stage.got("slack").into_iter().map(|request| request.json()["attachments"][0]["title_link"].clone());
    assert!(
        links
            .filter_map(|link| link.as_str().map(str::to_owned))
            .all(|link| link.is_empty() || link.starts_with("https:"))
    );
    let firing = wait_for("twelve alerts for PagerDuty", PATIENCE, || {
        let all = stage.got("pager").into_iter().map(|request| request.json());
        let texts = all
            .map(|json| json["payload"]["custom_details"]["firing"].as_str().unwrap_or_default().to_owned());
        texts.into_iter().find(|text| text.contains("FIRING x12"))
    });
    assert!(firing.contains("And more: 12 in all."), "{firing}");
    assert_eq!(firing.matches("Since: ").count(), 10, "{firing}");
}

/// The dead man's switch hears of the one alert that is for it, again and again; nobody else does.
fn watchdog(stage: &Stage) {
    let always =
        json!([{ "labels": { "alertname": "Watchdog", "severity": "none", "fleet": "logos.test" } }]);
    stage.tell(&always);
    wait_for("a second sign of life", PATIENCE, || {
        // Prometheus tells again of what still fires.
        stage.tell(&always);
        (stage.got("switch").len() > 1).then_some(())
    });
    for request in stage.webhook.requests() {
        let is_watchdog = request.body.contains("Watchdog");
        assert_eq!(request.line.starts_with("POST /switch"), is_watchdog, "{}", request.line);
    }
}

#[test]
fn hostile_labels_in_alertmanager_0_25() {
    hostile_labels(Generation::Two);
}

#[test]
fn hostile_labels_in_alertmanager_0_33() {
    hostile_labels(Generation::Three);
}
