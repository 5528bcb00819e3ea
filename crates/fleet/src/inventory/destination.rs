//! Who is told, and by what way.

use super::address;
use crate::catalogue::Severity;

/// One place that alerts go to: a receiver of Alertmanager's.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its name; no other destination has it.
    pub name: String,
    /// How it is reached.
    pub channel: Channel,
    /// Only alerts of these severities; all where none is named.
    pub severities: Vec<Severity>,
    /// Only alerts of these fleets; all where none is named.
    pub fleets: Vec<String>,
    /// Only alerts of these owners; all where none is named.
    pub owners: Vec<String>,
    /// Whether it is told, too, when an alert is over.
    pub send_resolved: bool,
    /// Whether it is the dead man's switch: it gets `Watchdog` again and again and nothing else, and raises the alarm when
    /// that ends.
    pub is_watchdog: bool,
}

impl Destination {
    /// Whether an alert comes here.
    #[must_use]
    pub fn gets(&self, severity: Severity, fleet: &str, owner: &str) -> bool {
        let among =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let is_severe = self.severities.is_empty() || self.severities.contains(&severity);
        !self.is_watchdog && is_severe && among(&self.fleets, fleet) && among(&self.owners, owner)
    }
}

/// How a destination is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Channel {
    /// A chat of Telegram's.
    Telegram {
        /// Of the bot that writes.
        bot_token: Secret,
        /// Negative for groups.
        chat_id: i64,
        /// The topic in a group that has topics.
        thread_id: Option<i64>,
    },
    /// A channel of Slack's, or of what takes Slack's webhooks.
    Slack {
        /// The webhook's address, which is a secret.
        api_url: Secret,
        /// `#channel` or `@user`; the webhook's own where none is named.
        channel: Option<String>,
    },
    /// A service of PagerDuty's, by its events API version 2.
    PagerDuty {
        /// The integration's key.
        routing_key: Secret,
        /// Where events go, where that is not PagerDuty itself.
        url: Option<String>,
    },
    /// Letters.
    Email {
        /// At least one.
        to: Vec<String>,
        /// The sender.
        from: String,
        /// The server, as `host:port`.
        smarthost: String,
        /// User name and password there.
        auth: Option<(String, Secret)>,
        /// Whether a server without TLS is refused.
        require_tls: bool,
    },
    /// Alertmanager's own JSON, by POST.
    Webhook {
        /// Where to.
        url: Place,
        /// What is sent as `Authorization: Bearer …`.
        bearer: Option<Secret>,
        /// User name and password of `Authorization: Basic …`.
        basic: Option<(String, Secret)>,
    },
}

impl Channel {
    /// The word for it in an inventory.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Telegram { .. } => "telegram",
            Self::Slack { .. } => "slack",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// The secrets that it needs.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Telegram { bot_token: secret, .. }
            | Self::Slack { api_url: secret, .. }
            | Self::PagerDuty { routing_key: secret, .. } => vec![secret],
            Self::Email { auth, .. } => auth.iter().map(|(_, password)| password).collect(),
            Self::Webhook { url, bearer, basic } => {
                let url = if let Place::Secret(secret) = url { Some(secret) } else { None };
                let basic = basic.as_ref().map(|(_, password)| password);
                url.into_iter().chain(bearer).chain(basic).collect()
            }
        }
    }
}

impl Channel {
    /// Why Alertmanager could not send with this value of one of its secrets. The reason never shows the value.
    #[must_use]
    pub fn wrong_value(&self, secret: &Secret, value: &str) -> Option<&'static str> {
        if value.chars().any(char::is_control) {
            return Some("it has a line break or another control character inside: write it in one line");
        }
        match self {
            Self::Slack { .. } => address::wrong_secret_url(value),
            Self::Webhook { url: Place::Secret(url), .. } if url == secret => {
                address::wrong_secret_url(value)
            }
            // A password may have blanks and letters of any language.
            Self::Email { .. } => None,
            Self::Webhook { basic: Some((_, password)), .. } if password == secret => None,
            Self::Telegram { .. } | Self::PagerDuty { .. } | Self::Webhook { .. } => {
                let is_token = value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`".contains(&byte));
                (!is_token).then_some(
                    "it has blanks, quotes or letters in it that no token has: copy the token alone",
                )
            }
        }
    }
}

/// A web address that is no secret, or one that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anybody may read it.
    Plain(String),
    /// It is itself the key.
    Secret(Secret),
}

/// Where a secret stands: never in an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file, by its absolute path where Alertmanager runs.
    File(String),
    /// In a variable of the environment of `lifeboat fleet secrets`, which writes it to a file: Alertmanager reads files only.
    Env(String),
}

impl Secret {
    /// The file that Alertmanager reads.
    #[must_use]
    pub fn path(&self, secrets_dir: &str) -> String {
        match self {
            Self::File(path) => path.clone(),
            Self::Env(name) => format!("{secrets_dir}/{name}"),
        }
    }
}
