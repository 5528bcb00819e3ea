//! Takes out of declared text what a node should not tell: addresses, keys, credentials, home directories. Long
//! hexadecimal numbers and peer ids become tokens, keyed per fleet and server: equal values stay equal, and to read one
//! back takes the DSN and a list to try.
//!
//! In doubt it takes out too much. It knows forms, not meanings: a password in plain words goes unseen.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::secrets::without_secrets;
use super::text::hex;

/// Fewer hexadecimal digits than this are kept.
const HEX_MIN: usize = 32;
/// So many lowercase words of three to eight letters in a row may be a mnemonic (BIP-39 starts at twelve).
const MNEMONIC_WORDS_MIN: usize = 12;
/// How peer ids start: secp256k1, Ed25519, RSA.
const PEER_IDS: [&str; 3] = ["16Uiu2", "12D3Koo", "Qm"];
const PEER_ID_MIN: usize = 44;
/// What a multiaddr holds after its first slash.
const PROTOCOLS: [&str; 10] =
    ["/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/", "/dnsaddr/", "/p2p/", "/ipfs/", "/unix/", "/onion3/"];
const HOMES: [&str; 3] = ["/home/", "/Users/", "/var/home/"];

/// Scrubs the texts of one fleet.
pub(super) struct Scrubber {
    key: Vec<u8>,
}

impl Scrubber {
    /// `fleet` and `dsn` key the tokens: the nodes of a fleet share both, and no event tells the second.
    pub(super) fn new(fleet: &[u8], dsn: &[u8]) -> Self {
        Self { key: [b"lifeboat token:", fleet, b"\n", dsn].concat() }
    }

    /// A text that the node declared.
    pub(super) fn text(&self, text: &str) -> String {
        let text = without_private_keys(text);
        let text = without_mnemonics(&text);
        let text = without_credentials(&text);
        let text = without_secrets(&text);
        let mut scrubbed = String::with_capacity(text.len());
        for piece in text.split_inclusive(is_border) {
            let word = piece.strip_suffix(is_border).unwrap_or(piece);
            scrubbed.push_str(&self.word(word));
            scrubbed.push_str(piece.strip_prefix(word).unwrap_or_default());
        }
        scrubbed
    }

    /// The name of a file.
    pub(super) fn path(&self, path: &str) -> String {
        self.tokens(&without_home(path))
    }

    fn word(&self, word: &str) -> String {
        if word.len() < 3 {
            return word.to_owned();
        }
        for (start, placeholder) in [("enr:", "[enr]"), ("enode://", "[enode]")] {
            if let Some((before, _)) = word.split_once(start) {
                return format!("{before}{placeholder}");
            }
        }
        if let Some(at) = PROTOCOLS.iter().filter_map(|protocol| word.find(protocol)).min() {
            return format!("{}[multiaddr]", word.get(..at).unwrap_or_default());
        }
        let word = without_addresses(word);
        self.tokens(&without_home(&word))
    }

    /// Replaces long hexadecimal numbers and peer ids by tokens.
    fn tokens(&self, word: &str) -> String {
        if word.len() < HEX_MIN {
            return word.to_owned();
        }
        replace_runs(
            word,
            |letter| letter.is_ascii_alphanumeric(),
            |run| {
                let digits = run.strip_prefix("0x").unwrap_or(run);
                if PEER_IDS.iter().any(|start| run.starts_with(start)) && run.len() >= PEER_ID_MIN {
                    return Some(format!("peer:{}", self.token(run)));
                }
                let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                if is_hex && digits.len() >= HEX_MIN {
                    return Some(format!("hex:{}", self.token(&digits.to_ascii_lowercase())));
                }
                let longest = digits.split(|letter: char| !letter.is_ascii_hexdigit()).map(str::len).max();
                (longest >= Some(HEX_MIN)).then(|| format!("hex:{}", self.token(run)))
            },
        )
    }

    fn token(&self, value: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return "removed".into() };
        mac.update(value.as_bytes());
        hex(mac.finalize().into_bytes().get(..4).unwrap_or_default())
    }
}

fn is_border(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '{' | '}' | ',' | ';' | '|' | '=')
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or to the end of the text where that was cut.
fn without_private_keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const RULE: &str = "-----";
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, block)) = rest.split_once(BEGIN) {
        kept.push_str(before);
        let title = block.split(RULE).next().unwrap_or_default();
        if !title.contains("PRIVATE KEY") {
            kept.push_str(BEGIN);
            rest = block;
            continue;
        }
        kept.push_str("[private key]");
        let ending = block.split_once(END).map_or("", |(_, ending)| ending);
        rest = ending.split_once(RULE).map_or("", |(_, rest)| rest);
    }
    kept.push_str(rest);
    kept
}

fn without_mnemonics(text: &str) -> String {
    let is_of_mnemonic =
        |word: &str| (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut kept: Vec<&str> = Vec::new();
    let mut run = 0;
    for word in text.split(' ') {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        kept.push(word);
        if is_of_mnemonic(bare) {
            run += 1;
            if run == MNEMONIC_WORDS_MIN {
                kept.truncate(kept.len() - run);
                kept.push("[words]");
            } else if run > MNEMONIC_WORDS_MIN {
                kept.pop();
            }
        } else {
            run = 0;
        }
    }
    kept.join(" ")
}

/// `scheme://user:password@host` loses what stands before the `@`.
fn without_credentials(text: &str) -> String {
    const MARK: &str = "://";
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(MARK) {
        kept.push_str(before);
        kept.push_str(MARK);
        let is_end =
            |letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '<' | '>');
        let authority = after.split(is_end).next().unwrap_or_default();
        rest = after;
        if let Some((credentials, _)) = authority.rsplit_once('@') {
            kept.push_str("[credentials]");
            rest = after.get(credentials.len()..).unwrap_or_default();
        }
    }
    kept.push_str(rest);
    kept
}

fn without_addresses(word: &str) -> String {
    let word = if word.bytes().filter(|byte| *byte == b':').count() >= 2 {
        replace_runs(
            word,
            |letter| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '.' | '_'),
            |run| {
                let bare = run.trim_end_matches('.');
                let is_address = bare.parse::<std::net::Ipv6Addr>().is_ok() && bare != "::";
                is_address.then(|| "[ip]".to_owned())
            },
        )
    } else {
        word.to_owned()
    };
    if word.bytes().filter(|byte| *byte == b'.').count() < 3 {
        return word;
    }
    replace_runs(
        &word,
        |letter| letter.is_ascii_alphanumeric() || letter == '.',
        |run| {
            let bare = run.trim_matches('.');
            bare.parse::<std::net::Ipv4Addr>().is_ok().then(|| run.replace(bare, "[ip]"))
        },
    )
}

/// Each home directory that a path starts with; "/data/home/node" is none.
fn without_home(word: &str) -> String {
    let mut kept = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(slash) = rest.find('/') {
        let (before, path) = rest.split_at_checked(slash).unwrap_or((rest, ""));
        kept.push_str(before);
        if path.starts_with("//") {
            kept.push('/');
            rest = path.get(1..).unwrap_or_default();
            continue;
        }
        let is_inside = kept.ends_with(|letter: char| letter.is_alphanumeric() || "._-~".contains(letter));
        match home_bytes(path).filter(|_| !is_inside) {
            Some(bytes) => {
                kept.push('~');
                rest = path.get(bytes..).unwrap_or_default();
            }
            None => {
                // The whole path goes by unless a character that belongs to none comes in between.
                let end = path.find(|letter: char| "=:,;\"'()<>| ".contains(letter)).unwrap_or(path.len());
                kept.push_str(path.get(..end).unwrap_or_default());
                rest = path.get(end..).unwrap_or_default();
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// How much of this path is a home directory.
fn home_bytes(path: &str) -> Option<usize> {
    let ends = |rest: &str| {
        rest.is_empty()
            || rest.starts_with(|letter: char| !(letter.is_alphanumeric() || "._-".contains(letter)))
    };
    if let Some(rest) = path.strip_prefix("/root") {
        return ends(rest).then_some("/root".len());
    }
    let home = HOMES.iter().find(|home| path.starts_with(**home))?;
    let user = path.get(home.len()..)?;
    let length = user.find(|letter: char| "/:=,;\"'()<>| ".contains(letter)).unwrap_or(user.len());
    (length > 0).then_some(home.len() + length)
}

/// Offers each longest run of such letters for replacement.
fn replace_runs(
    text: &str,
    is_of_run: impl Fn(char) -> bool,
    replace: impl Fn(&str) -> Option<String>,
) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run_end = rest.find(|letter| !is_of_run(letter)).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(run_end).unwrap_or((rest, ""));
        match replace(run).filter(|_| !run.is_empty()) {
            Some(other) => replaced.push_str(&other),
            None => replaced.push_str(run),
        }
        let gap_end = after.find(&is_of_run).unwrap_or(after.len());
        let (gap, after) = after.split_at_checked(gap_end).unwrap_or((after, ""));
        replaced.push_str(gap);
        rest = after;
    }
    replaced
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
