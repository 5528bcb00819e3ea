//! One request: an envelope to its server. TLS and certificates are loaded when the first one needs them and
//! given back after the last, so that a post at rest is small.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout, time};
use ureq::{Agent, Proxy};

use crate::dsn::Dsn;
use crate::error::Error;
use crate::post::limits::{self, TOO_MANY_DEFAULT};

const CONNECT_MAX: Duration = Duration::from_secs(10);
const REQUEST_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 4 * 1024;
const HEADER_BYTES_MAX: usize = 32 * 1024;
const WORDS_MAX: usize = 300;

/// What became of one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server has it; it may have asked for a pause before the next.
    Accepted(Option<Duration>),
    /// The server will never take it: its words.
    Refused(String),
    /// Not now, and not before the pause that was asked for.
    Later { asked: Option<Duration>, server_error: bool },
}

/// The connections of one pass over the spool.
#[derive(Debug, Default)]
pub(super) struct Client {
    http: Option<Agent>,
    https: Option<Agent>,
}

impl Client {
    /// Sends one envelope.
    pub(super) fn send(&mut self, dsn: &Dsn, envelope: &[u8]) -> Outcome {
        match self.request(dsn, envelope) {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Later { asked: None, server_error: false },
        }
    }

    fn request(&mut self, dsn: &Dsn, envelope: &[u8]) -> Result<Outcome, Error> {
        let body = compress(envelope)?;
        let response = self
            .agent(dsn)?
            .post(dsn.envelope_url())
            .header("X-Sentry-Auth", dsn.auth())
            .header("Content-Type", "application/x-sentry-envelope")
            .header("Content-Encoding", "gzip")
            .send(&body)
            .map_err(|error| Error::system("cannot reach the server", std::io::Error::other(error)))?;
        let (head, body) = response.into_parts();
        let asked = asked(&head.headers, !head.status.is_success());
        // The status is the server's answer; a body that breaks off takes nothing of it back.
        let words = || words(head.status.as_u16(), body);
        Ok(outcome(head.status.as_u16(), asked, words))
    }

    fn agent(&mut self, dsn: &Dsn) -> Result<&Agent, Error> {
        let slot = if dsn.is_https() { &mut self.https } else { &mut self.http };
        match slot {
            Some(agent) => Ok(agent),
            None => Ok(slot.insert(new_agent(dsn.is_https())?)),
        }
    }
}

fn outcome(status: u16, asked: Option<Duration>, words: impl FnOnce() -> String) -> Outcome {
    match status {
        200..=299 => Outcome::Accepted(asked),
        429 => Outcome::Later { asked: asked.or(Some(TOO_MANY_DEFAULT)), server_error: false },
        // Timeouts, "too early" and a proxy that wants a password are no word on the report.
        407 | 408 | 425 => Outcome::Later { asked, server_error: false },
        400..=499 => Outcome::Refused(words()),
        // A gateway speaks of the server behind it, not of the report.
        502..=504 => Outcome::Later { asked, server_error: false },
        500..=599 => Outcome::Later { asked, server_error: true },
        // A redirect is not followed: the key goes to no host that the DSN does not name.
        _ => Outcome::Later { asked, server_error: false },
    }
}

fn asked(headers: &HeaderMap, is_refusal: bool) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    limits::asked(text("X-Sentry-Rate-Limits"), text("Retry-After"), is_refusal, SystemTime::now())
}

/// The server's words on a refusal, bounded and without control characters.
fn words(status: u16, mut body: ureq::Body) -> String {
    let mut bytes = Vec::new();
    // A body that breaks off gives the words that came.
    let _ = body.as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let clean = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let words: String = clean.take(WORDS_MAX).collect();
    format!("the server answered {status}: {}", words.trim())
}

fn compress(envelope: &[u8]) -> Result<Vec<u8>, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(envelope).and_then(|()| encoder.finish());
    written.map_err(|error| Error::system("cannot compress the envelope", error))
}

fn new_agent(is_https: bool) -> Result<Agent, Error> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(HEADER_BYTES_MAX)
        .timeout_connect(Some(CONNECT_MAX))
        .timeout_global(Some(REQUEST_MAX))
        .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy(is_https)?);
    if is_https {
        config = config.tls_config(TlsConfig::builder().root_certs(roots()?).build());
    }
    Ok(Agent::with_parts(config.build(), DefaultConnector::default(), SameThread::default()))
}

/// The certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the system's, else Mozilla's list as it was
/// when this program was built.
fn roots() -> Result<RootCerts, Error> {
    let found = rustls_native_certs::load_native_certs();
    if !found.certs.is_empty() {
        let certificates = found.certs.iter().map(|der| Certificate::from_der(der).to_owned());
        return Ok(RootCerts::Specific(Arc::new(certificates.collect())));
    }
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        // Whoever names the authorities to trust does not want others in their place.
        return Err(Error::refused("SSL_CERT_FILE or SSL_CERT_DIR is set but holds no certificate"));
    }
    Ok(RootCerts::WebPki)
}

/// The proxy for this scheme from `HTTPS_PROXY` or `HTTP_PROXY`, else `ALL_PROXY`, with `NO_PROXY`.
fn proxy(is_https: bool) -> Result<Option<Proxy>, Error> {
    let own = if is_https { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let Some(text) = variable(own).or_else(|| variable("ALL_PROXY")) else { return Ok(None) };
    let wrong = |_| Error::refused(format!("{own} cannot be read: it should look like http://HOST:PORT"));
    let plain = Proxy::new(&text).map_err(wrong)?;
    let mut builder = Proxy::builder(plain.protocol()).host(plain.host()).port(plain.port());
    if let Some(name) = plain.username() {
        builder = builder.username(name);
    }
    if let Some(password) = plain.password() {
        builder = builder.password(password);
    }
    let exceptions = variable("NO_PROXY").unwrap_or_default();
    for exception in exceptions.split(',').map(str::trim).filter(|exception| !exception.is_empty()) {
        builder = builder.no_proxy(exception);
    }
    builder.build().map(Some).map_err(wrong)
}

fn variable(name: &str) -> Option<String> {
    [name.to_owned(), name.to_lowercase()]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Resolves in this thread: the usual way starts one for each name, to bound its time, and a thread's heap
/// stays with the process. The C library's own bounds (5 s, two tries) are enough for a process that waits
/// for nothing else.
#[derive(Debug, Default)]
struct SameThread {
    plain: DefaultResolver,
}

impl Resolver for SameThread {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let unbounded = NextTimeout { after: time::Duration::NotHappening, ..timeout };
        self.plain.resolve(uri, config, unbounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_outcome() {
        let later = |asked, server_error| Outcome::Later { asked, server_error };
        let minute = Some(Duration::from_secs(60));
        for status in [200, 201, 202, 204] {
            assert_eq!(outcome(status, None, String::new), Outcome::Accepted(None));
        }
        for status in [400, 401, 403, 404, 410, 413, 415, 422, 451] {
            assert_eq!(outcome(status, None, || "words".to_owned()), Outcome::Refused("words".to_owned()));
        }
        for status in [100, 301, 302, 307, 407, 408, 425, 502, 503, 504, 999] {
            assert_eq!(outcome(status, None, String::new), later(None, false), "{status}");
        }
        assert_eq!(outcome(429, None, String::new), later(minute, false));
        assert_eq!(
            outcome(429, Some(Duration::from_secs(7)), String::new),
            later(Some(Duration::from_secs(7)), false)
        );
        assert_eq!(outcome(500, minute, String::new), later(minute, true));
    }
}
