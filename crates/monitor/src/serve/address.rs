//! Where to listen, and who may ask there by which name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Names that a client may call a public address, or a loopback one behind a proxy.
const HOSTS_VARIABLE: &str = "LIFEBOAT_METRICS_HOSTS";
/// Allows an address that others can reach.
const PUBLIC_VARIABLE: &str = "LIFEBOAT_METRICS_PUBLIC";
/// The address itself.
pub const METRICS_VARIABLE: &str = "LIFEBOAT_METRICS";

/// An address that may be listened at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The socket's address.
    pub socket: SocketAddr,
    /// Whether others than this machine can reach it.
    is_public: bool,
    /// Names that were allowed.
    hosts: Vec<String>,
}

impl Address {
    /// What the environment asks for; nothing where it asks for nothing.
    ///
    /// # Errors
    /// A sentence for the operator, where it cannot be done so.
    pub fn of_environment() -> Option<Result<Self, String>> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = variable(METRICS_VARIABLE)?.to_string_lossy().into_owned();
        let hosts =
            variable(HOSTS_VARIABLE).map(|names| names.to_string_lossy().into_owned()).unwrap_or_default();
        Some(Self::parse(&text, is_public_allowed(), &hosts))
    }

    /// `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`; `:9464` and `9464` stand for the loopback address too.
    fn parse(text: &str, is_public_allowed: bool, hosts: &str) -> Result<Self, String> {
        let text = text.trim();
        let socket = socket(text).ok_or_else(|| {
            format!(
                "{METRICS_VARIABLE}={text} is no address: write 127.0.0.1:9464, [::1]:9464 or localhost:9464"
            )
        })?;
        let is_public = !socket.ip().to_canonical().is_loopback();
        if is_public && !is_public_allowed {
            return Err(format!(
                "{METRICS_VARIABLE}={text} can be reached by others, and metrics tell of peers and versions: write \
                 127.0.0.1:{port}, or set {PUBLIC_VARIABLE}=1 where a firewall or a container's network keeps others out",
                port = socket.port()
            ));
        }
        let hosts =
            hosts.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
        Ok(Self { socket, is_public, hosts: hosts.collect() })
    }

    #[cfg(test)]
    pub(super) const fn of_socket(socket: SocketAddr) -> Self {
        Self { socket, is_public: false, hosts: Vec::new() }
    }

    /// Whether a client may call us so. A name that somebody else's DNS leads here is what a web page in an operator's
    /// browser would use; an address is not. On a public address every name is right unless some are listed.
    pub(super) fn is_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host).map(str::to_ascii_lowercase) else { return false };
        let is_address = name.parse::<IpAddr>().is_ok();
        let is_any = self.is_public && self.hosts.is_empty();
        is_address || name == "localhost" || is_any || self.hosts.contains(&name)
    }
}

/// Whether addresses that others can reach were asked for.
pub(super) fn is_public_allowed() -> bool {
    let word = std::env::var_os(PUBLIC_VARIABLE).unwrap_or_default();
    matches!(word.to_string_lossy().trim().to_ascii_lowercase().as_str(), "1" | "yes" | "true" | "on")
}

/// A host and port of this machine, for those who only connect: a name other than `localhost` is none.
pub(super) fn socket(text: &str) -> Option<SocketAddr> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
        return Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    text.parse().ok()
}

/// `[::1]:9464` without port and brackets; nothing where it is written in no such way.
fn host_name(host: &str) -> Option<&str> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return Some(address).filter(|address| is_whole && address.parse::<Ipv6Addr>().is_ok());
    }
    let name = match host.rsplit_once(':') {
        // More than one colon, and no brackets: an address without a port.
        Some((name, _)) if name.contains(':') => host,
        Some((name, port)) => Some(name).filter(|_| is_port(port))?,
        None => host,
    };
    Some(name.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_what_is_none() {
        for (text, expected) in [
            ("127.0.0.1:9464", Some("127.0.0.1:9464")),
            ("[::1]:9464", Some("[::1]:9464")),
            ("localhost:9464", Some("127.0.0.1:9464")),
            (" :9464 ", Some("127.0.0.1:9464")),
            ("9464", Some("127.0.0.1:9464")),
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("127.0.0.1", None),
            ("unix:/run/a", None),
            ("example.org:9464", None),
            ("127.0.0.1:99999", None),
            ("", None),
        ] {
            let parsed = Address::parse(text, false, "").ok().map(|address| address.socket.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_public_address_must_be_asked_for() {
        for text in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[::ffff:192.0.2.1]:9464"] {
            let refused = Address::parse(text, false, "").unwrap_err();
            assert!(refused.contains("LIFEBOAT_METRICS_PUBLIC=1"), "{refused}");
            assert!(Address::parse(text, true, "").is_ok(), "{text}");
        }
        assert!(Address::parse("[::ffff:127.0.0.1]:9464", false, "").is_ok());
    }

    #[test]
    fn a_strangers_name_is_none_of_ours() {
        let own = Address::parse("127.0.0.1:9464", false, "metrics.example.org, b").unwrap();
        for (host, expected) in [
            ("127.0.0.1:9464", true),
            ("192.0.2.1", true),
            ("[::1]:9464", true),
            ("::1", true),
            ("LocalHost:1", true),
            ("localhost.", true),
            ("metrics.example.org:9464", true),
            ("B", true),
            ("evil.example.org:9464", false),
            ("127.0.0.1.evil.example.org", false),
            ("[::1]", true),
            ("[::1].evil.example.org", false),
            ("[::1]:9464.evil.example.org", false),
            ("[::1", false),
            ("[localhost]", false),
            ("127.0.0.1:9464.evil.example.org", false),
            ("localhost:evil", false),
            ("", false),
        ] {
            assert_eq!(own.is_host(host), expected, "{host}");
        }
        let public = Address::parse("0.0.0.0:9464", true, "").unwrap();
        assert!(public.is_host("nwaku:9464"));
        assert!(!Address::parse("0.0.0.0:9464", true, "a").unwrap().is_host("nwaku:9464"));
    }
}
