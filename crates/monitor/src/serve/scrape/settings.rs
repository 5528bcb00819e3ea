//! What is to be read, how often, and which values may go into a report.

use std::net::SocketAddr;
use std::time::Duration;

use crate::serve::address::{is_public_allowed, socket};
use crate::serve::config::SCRAPE_VARIABLE;

const INTERVAL_VARIABLE: &str = "LIFEBOAT_SCRAPE_INTERVAL";
const ALLOW_VARIABLE: &str = "LIFEBOAT_SCRAPE_ALLOW";
const INTERVAL: Duration = Duration::from_secs(15);

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Settings {
    /// With an address in place of a name: nothing is looked up.
    pub(super) url: String,
    /// As it was named.
    pub(super) host: String,
    pub(in crate::serve) port: u16,
    pub(super) interval: Duration,
    /// Beginnings of names; empty for the default rule.
    pub(super) allow: Vec<String>,
}

impl Settings {
    /// What the environment asks for; nothing where it asks for nothing.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(in crate::serve) fn of_environment() -> Option<Result<Self, String>> {
        let variable = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            Some(value.to_string_lossy().into_owned())
        };
        let url = variable(SCRAPE_VARIABLE)?;
        let settings = Self::parse(&url, is_public_allowed());
        Some(settings.map(|settings| Self {
            interval: variable(INTERVAL_VARIABLE).and_then(|text| seconds(&text)).unwrap_or(INTERVAL),
            allow: list(&variable(ALLOW_VARIABLE).unwrap_or_default()),
            ..settings
        }))
    }

    fn parse(url: &str, is_public_allowed: bool) -> Result<Self, String> {
        let wrong = || format!("{SCRAPE_VARIABLE}={url} is no address: write http://127.0.0.1:8008/metrics");
        let rest = url.trim().strip_prefix("http://").ok_or_else(wrong)?;
        let (host, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).ok_or_else(wrong)?;
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let address = Some(host).filter(|host| is_plain(host)).and_then(with_port).ok_or_else(wrong)?;
        if !is_plain(path) {
            return Err(wrong());
        }
        if !address.ip().to_canonical().is_loopback() && !is_public_allowed {
            return Err(format!(
                "{SCRAPE_VARIABLE}={url} is another machine's: name the node's own endpoint, or set \
                 LIFEBOAT_METRICS_PUBLIC=1"
            ));
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            url: format!("http://{address}{path}"),
            host: host.to_owned(),
            port: address.port(),
            interval: INTERVAL,
            allow: Vec::new(),
        })
    }
}

/// Whether this is an address that may be read, in this environment.
///
/// # Errors
/// A sentence for the operator.
pub fn check_url(url: &str) -> Result<(), String> {
    Settings::parse(url, is_public_allowed()).map(|_| ())
}

/// A host with or without a port.
fn with_port(host: &str) -> Option<SocketAddr> {
    let is_bare_port = host.bytes().all(|byte| byte.is_ascii_digit());
    socket(host).filter(|_| !is_bare_port && !host.starts_with(':')).or_else(|| socket(&format!("{host}:80")))
}

fn seconds(text: &str) -> Option<Duration> {
    const BOUNDS: std::ops::RangeInclusive<u64> = 1..=3600;
    text.trim().parse().ok().filter(|seconds| BOUNDS.contains(seconds)).map(Duration::from_secs)
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_this_machine_is_read() {
        for (url, expected) in [
            ("http://127.0.0.1:8008/metrics", Some("http://127.0.0.1:8008/metrics")),
            ("http://localhost:8008", Some("http://127.0.0.1:8008/")),
            ("http://[::1]:8008/a?b=c", Some("http://[::1]:8008/a?b=c")),
            ("http://localhost/metrics", Some("http://127.0.0.1:80/metrics")),
            ("https://127.0.0.1:8008/metrics", None),
            ("http://user@127.0.0.1:8008/", None),
            ("http://example.org:8008/", None),
            ("http://127.0.0.1:8008/a b", None),
            ("http://192.0.2.1:8008/", None),
            ("8008", None),
        ] {
            assert_eq!(Settings::parse(url, false).ok().map(|it| it.url).as_deref(), expected, "{url}");
        }
        assert!(Settings::parse("http://192.0.2.1:8008/", true).is_ok());
        assert!(
            Settings::parse("http://192.0.2.1:8008/", false).unwrap_err().contains("LIFEBOAT_METRICS_PUBLIC")
        );
    }
}
