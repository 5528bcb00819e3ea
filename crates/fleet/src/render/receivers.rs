//! Destinations as Alertmanager's receivers. No secret is in them: Alertmanager reads each from its file.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::inventory::{Alertmanager, Channel, Destination, Place, Version};

/// Which Alertmanager reads a bot's token and a webhook's address from files.
const SINCE: Version = Version { major: 0, minor: 26 };

#[derive(Serialize)]
pub(super) struct Receiver {
    name: String,
    #[serde(flatten)]
    ways: Map<String, Value>,
}

impl Receiver {
    pub(super) fn nobody(name: &str) -> Self {
        Self { name: name.into(), ways: Map::new() }
    }

    /// # Errors
    /// Where the Alertmanager that there is cannot do it.
    pub(super) fn of(destination: &Destination, alertmanager: &Alertmanager) -> Result<Self, String> {
        let Destination { name, channel, .. } = destination;
        if let (Some(what), Some(version)) = (asks_for_newer(channel), alertmanager.version)
            && version < SINCE
        {
            let remedy = "install a newer one, or choose another type";
            return Err(format!(
                "destination {name:?}: {what} asks for Alertmanager {SINCE}, not {version}: {remedy}"
            ));
        }
        let (key, mut way) = way(channel, &alertmanager.secrets_dir);
        if let Some(way) = way.as_object_mut() {
            // A dead man's switch would take the end of the alert for a sign of life.
            way.insert(
                "send_resolved".into(),
                (destination.send_resolved && !destination.is_watchdog).into(),
            );
        }
        Ok(Self { name: name.clone(), ways: Map::from_iter([(key.to_owned(), Value::from(vec![way]))]) })
    }
}

/// What of a destination Alertmanager 0.25 cannot read.
pub(super) fn asks_for_newer(channel: &Channel) -> Option<&'static str> {
    match channel {
        Channel::Telegram { .. } => Some("a bot's token in a file"),
        Channel::Webhook { url: Place::Secret(_), .. } => Some("a webhook's address in a file"),
        _ => None,
    }
}

fn way(channel: &Channel, secrets: &str) -> (&'static str, Value) {
    match channel {
        Channel::Telegram { bot_token, chat_id, thread_id } => {
            ("telegram_configs", telegram(&bot_token.path(secrets), *chat_id, *thread_id))
        }
        Channel::Slack { api_url, channel } => {
            ("slack_configs", slack(&api_url.path(secrets), channel.as_deref()))
        }
        Channel::PagerDuty { routing_key, url } => {
            ("pagerduty_configs", pagerduty(&routing_key.path(secrets), url.as_deref()))
        }
        Channel::Email { to, from, smarthost, auth, require_tls } => {
            let mut way = json!({
                "to": to.join(", "),
                "from": from,
                "smarthost": smarthost,
                "require_tls": require_tls,
                "headers": { "Subject": TITLE },
                // As text alone: programs make links of addresses by themselves.
                "html": "",
                "text": TEXT,
            });
            if let Some((user, password)) = auth {
                add(&mut way, "auth_username", Some(user.clone().into()));
                add(&mut way, "auth_password_file", Some(password.path(secrets).into()));
            }
            ("email_configs", way)
        }
        Channel::Webhook { url, bearer, basic } => {
            let mut way = match url {
                Place::Plain(url) => json!({ "url": url }),
                Place::Secret(secret) => json!({ "url_file": secret.path(secrets) }),
            };
            let bearer = bearer.as_ref().map(|secret| json!({ "credentials_file": secret.path(secrets) }));
            let basic = basic.as_ref();
            let basic = basic
                .map(|(user, secret)| json!({ "username": user, "password_file": secret.path(secrets) }));
            let mut http = json!({});
            add(&mut http, "authorization", bearer);
            add(&mut http, "basic_auth", basic);
            add(&mut way, "http_config", (http != json!({})).then_some(http));
            ("webhook_configs", way)
        }
    }
}

fn telegram(token: &str, chat: i64, thread: Option<i64>) -> Value {
    let mut way = json!({
        "bot_token_file": token,
        "chat_id": chat,
        // Plain text: no label can break it, and cutting it at 4096 characters cannot either.
        "parse_mode": "",
        "message": TEXT,
    });
    add(&mut way, "message_thread_id", thread.map(Value::from));
    way
}

fn slack(api_url: &str, channel: Option<&str>) -> Value {
    let mut way = json!({
        "api_url_file": api_url,
        "title": "{{ template \"lifeboat.slack.title\" . }}",
        "title_link": RUNBOOK,
        "fallback": "{{ template \"lifeboat.slack.title\" . }}",
        "text": "{{ template \"lifeboat.slack.body\" . }}",
        // No markup in the text; a list without a name would mean all of them.
        "mrkdwn_in": ["pretext"],
    });
    add(&mut way, "channel", channel.map(Value::from));
    way
}

fn pagerduty(key: &str, url: Option<&str>) -> Value {
    let mut way = json!({
        "routing_key_file": key,
        "description": TITLE,
        "severity": "{{ template \"lifeboat.pagerduty.severity\" . }}",
        "class": "{{ template \"lifeboat.alert\" . }}",
        "group": "{{ template \"lifeboat.fleet\" . }}",
        "client": "Lifeboat",
        "client_url": RUNBOOK,
        // In place of those that Alertmanager adds: they show labels as they are.
        "details": { "firing": TEXT, "resolved": "" },
    });
    add(&mut way, "url", url.map(Value::from));
    way
}

const TITLE: &str = "{{ template \"lifeboat.title\" . }}";
const RUNBOOK: &str = "{{ template \"lifeboat.runbook\" . }}";
const TEXT: &str = "{{ template \"lifeboat.text\" . }}";

fn add(way: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(way), Some(value)) = (way.as_object_mut(), value) {
        way.insert(key.into(), value);
    }
}
