//! The engines that a fleet is watched with: where they are, and what they can.

use std::fmt;
use std::str::FromStr;

use crate::duration::Duration;

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
    /// Where it answers, as `host:port`.
    pub address: String,
    /// Its version, where that is known; else what is rendered suits 0.25 and later.
    pub version: Option<Version>,
    /// The folder to which `lifeboat fleet secrets` writes secrets of the environment, without a slash at its end.
    pub secrets_dir: String,
}

/// Grafana.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grafana {
    /// The folder of the dashboards.
    pub folder: String,
    /// The unique id of the data source, where one is there already.
    pub datasource: Option<String>,
}

/// Exporters that serve the whole fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exporters {
    /// The blackbox exporter, which asks nodes from outside, as `host:port`.
    pub blackbox: String,
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
