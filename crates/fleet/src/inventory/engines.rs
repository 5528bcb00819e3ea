//! The engines that a fleet is watched with: where they are, and what they can.

use std::fmt;
use std::str::FromStr;

use crate::duration::Duration;

/// The engines, as the machine sees them on which Prometheus runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engines {
    /// What scrapes and evaluates.
    pub prometheus: Prometheus,
    /// What tells people.
    pub alertmanager: Alertmanager,
    /// What asks nodes from outside.
    pub blackbox: Blackbox,
    /// What shows.
    pub grafana: Grafana,
}

/// Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// Where it answers, as `host:port`.
    pub address: String,
    /// Its version, where that is known; else what is rendered suits 2.42 and later.
    pub version: Option<Version>,
    /// How long it keeps what it scraped.
    pub retention: Duration,
    /// Files with scrapes of the operator's own, by their paths where Prometheus runs; asks for 2.43.
    pub scrape_files: Vec<String>,
}

/// Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// Where each of a cluster answers, as `host:port`; at least one.
    pub addresses: Vec<String>,
    /// Its version, where that is known; else what is newer than 0.25 is written only where a destination needs it.
    pub version: Option<Version>,
    /// The folder to which `lifeboat fleet secrets` writes secrets of the environment, without a slash at its end.
    pub secrets_dir: String,
}

/// The blackbox exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blackbox {
    /// Where it answers, as `host:port`.
    pub address: String,
}

/// Grafana.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grafana {
    /// The folder of the dashboards.
    pub folder: String,
    /// The unique id of the data source, where one is there already.
    pub datasource: Option<String>,
}

impl Default for Engines {
    fn default() -> Self {
        Self {
            prometheus: Prometheus {
                address: "127.0.0.1:9090".into(),
                version: None,
                retention: Duration::from_seconds(30 * 86_400),
                scrape_files: Vec::new(),
            },
            alertmanager: Alertmanager {
                addresses: vec!["127.0.0.1:9093".into()],
                version: None,
                secrets_dir: "/etc/alertmanager/secrets".into(),
            },
            blackbox: Blackbox { address: "127.0.0.1:9115".into() },
            grafana: Grafana { folder: "Lifeboat".into(), datasource: None },
        }
    }
}

impl Prometheus {
    /// Whether it is known to be Prometheus 3 or later.
    #[must_use]
    pub fn is_third(&self) -> bool {
        self.version.is_some_and(|version| version.major >= 3)
    }
}

/// A program's version, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl FromStr for Version {
    type Err = ();

    /// Reads `3`, `2.42` or `v3.5.0`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(|number| {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| number.parse().ok()).flatten()
        });
        let major = numbers.next().flatten().ok_or(())?;
        let minor = numbers.next().unwrap_or(Some(0)).ok_or(())?;
        if numbers.all(|number| number.is_some()) { Ok(Self { major, minor }) } else { Err(()) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}
