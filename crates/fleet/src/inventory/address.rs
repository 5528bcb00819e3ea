//! Names and addresses as they stand in labels, targets and files.

use std::net::{IpAddr, Ipv6Addr};

/// No name is longer: a host name has at most so many letters.
const NAME_MAX: usize = 253;

/// Why this is no name for a fleet, node, role, data centre or owner: those become labels, matchers and file names.
pub(crate) fn wrong_name(text: &str) -> Option<&'static str> {
    const LETTERS: &str = "use letters, digits and . _ : - only";
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)) {
        return Some(LETTERS);
    }
    if !text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return Some("begin with a letter or a digit");
    }
    (text.len() > NAME_MAX).then_some("use at most 253 letters")
}

/// Why this is no version: one may have a build behind a plus, or be an image with its tag.
pub(super) fn wrong_version(text: &str) -> Option<&'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:+/@~-".contains(&byte));
    (!is_plain || text.len() > NAME_MAX).then_some("use letters, digits and . _ : + / @ ~ - only")
}

/// A host without brackets, or what mends it.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let is_bracketed_v4 = bare.len() != text.len() && ip.is_ipv4();
        if ip.is_unspecified() || is_bracketed_v4 {
            return Err("write the address at which others reach the node".into());
        }
        return Ok(bare.to_owned());
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return Err(format!("write the host alone, as {host:?}; ports stand in [fleet.endpoints]"));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && is_host_name(host)
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(format!("write the host alone, as {host:?}; ports stand in [fleet.endpoints]"));
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number || !is_host_name(text) {
        return Err("write a host name or an IP address".into());
    }
    Ok(text.to_owned())
}

/// `host:port` as it is written in targets, or what mends it.
pub(super) fn host_and_port(text: &str) -> Result<String, String> {
    const EXAMPLE: &str = "write host and port, as \"10.1.0.1:8008\" or \"[2001:db8::1]:8008\"";
    if text.contains("://") || text.contains('/') {
        return Err(format!("{EXAMPLE}, without a scheme or a path"));
    }
    let (host_text, port) = text.rsplit_once(':').ok_or(EXAMPLE)?;
    let is_bare_v6 = host_text.parse::<Ipv6Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok();
    if is_bare_v6 {
        return Err(EXAMPLE.into());
    }
    let port: u16 = port.parse().map_err(|_| format!("{EXAMPLE}; a port is a number up to 65535"))?;
    if port == 0 {
        return Err("no port has the number 0".into());
    }
    host(host_text).map(|host| joined(&host, port)).map_err(|_| EXAMPLE.into())
}

/// Host and port, with brackets where the host has colons.
pub(super) fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    text.len() <= NAME_MAX && text.split('.').all(is_label)
}

/// Why this is no web address, or one that is better kept in a file.
pub(super) fn wrong_url(text: &str) -> Option<&'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest.filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic())) else {
        return Some("write it whole, as \"https://grafana.example.org\"");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("leave user name and password out");
    }
    let is_right = host(authority).is_ok() || host_and_port(authority).is_ok();
    (!is_right || text.contains(['"', '<', '>', '`', '\\']))
        .then_some("write it whole, as \"https://grafana.example.org\"")
}

/// Why this is no web address that bears a key. It may bear user and password, too; it is not shown.
pub(super) fn wrong_secret_url(text: &str) -> Option<&'static str> {
    const WHOLE: &str = "it is no web address: write it whole, from https:// on, without quotes or blanks";
    if text.contains(['\'', '"']) {
        return Some(WHOLE);
    }
    let bare = text.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest.get(..end)?.rsplit('@').next()?;
        Some(format!("{scheme}://{host}{}", rest.get(end..)?))
    });
    let is_wrong = !text.bytes().all(|byte| byte.is_ascii_graphic())
        || bare.is_none_or(|bare| wrong_url(&bare).is_some());
    is_wrong.then_some(WHOLE)
}

/// Whether who knows this web address may do what its owner may: the key stands in it.
pub(super) fn is_secret_url(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let behind = rest.get(authority.len()..).unwrap_or_default();
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    let services =
        ["hooks.slack.com", "api.telegram.org", "discord.com", "discordapp.com", "events.pagerduty.com"];
    if authority.contains('@') || services.contains(&authority.to_ascii_lowercase().as_str()) {
        return true;
    }
    let words = ["token", "key", "secret", "pass", "auth", "sig"];
    let names =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_ascii_lowercase());
    names.into_iter().any(|name| words.iter().any(|word| name.contains(word))) || path.split('/').any(is_key)
}

/// Long, with digits among letters: a UUID, a hash or random base64.
fn is_key(segment: &str) -> bool {
    let is_long = segment.len() >= 20;
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    is_long && digits >= 3 && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
}
