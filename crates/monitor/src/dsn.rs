//! A DSN: where reports go, and the key that lets them in. Parsing is `sentry-types`' work.

use crate::error::Error;

/// Where a server takes envelopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    parts: sentry_types::Dsn,
}

impl Dsn {
    /// Reads `https://KEY@HOST[:PORT][/PATH]/PROJECT`.
    ///
    /// # Errors
    /// `is_malformed()`; the message never repeats the DSN, which may hold a secret.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts = text.trim().parse::<sentry_types::Dsn>().map_err(|error| {
            Error::malformed(format!(
                "the DSN cannot be read ({error}): it should look like https://KEY@HOST/PROJECT"
            ))
        })?;
        if parts.port() == 0 {
            return Err(Error::malformed("the DSN names port 0, where no server can be"));
        }
        Ok(Self { parts })
    }

    /// The server, without the key: safe to show.
    #[must_use]
    pub fn server(&self) -> String {
        let scheme = self.parts.scheme();
        format!("{scheme}://{}:{}", self.parts.host(), self.parts.port())
    }

    /// The host, IPv6 without its brackets, and the port.
    #[must_use]
    pub fn address(&self) -> (&str, u16) {
        let host = self.parts.host();
        (host.trim_start_matches('[').trim_end_matches(']'), self.parts.port())
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        matches!(self.parts.scheme(), sentry_types::Scheme::Https)
    }

    /// The project at that server.
    #[must_use]
    pub fn project(&self) -> String {
        self.parts.project_id().to_string()
    }

    /// The address that takes envelopes.
    #[must_use]
    pub fn envelope_url(&self) -> String {
        format!("{}{}api/{}/envelope/", self.server(), self.parts.path(), self.parts.project_id())
    }

    /// The value of `X-Sentry-Auth`.
    #[must_use]
    pub fn auth(&self) -> String {
        let key = self.parts.public_key();
        let secret =
            self.parts.secret_key().map(|secret| format!(", sentry_secret={secret}")).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        format!("Sentry sentry_version=7, sentry_client=lifeboat/{version}, sentry_key={key}{secret}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_and_the_key_come_out_of_it() {
        let cases = [
            ("https://abc@host.example/42", "https://host.example:443/api/42/envelope/"),
            ("http://abc@127.0.0.1:8123/1", "http://127.0.0.1:8123/api/1/envelope/"),
            ("https://abc@host/deep/er/7", "https://host:443/deep/er/api/7/envelope/"),
            ("http://abc@[::1]:9/7\n", "http://[::1]:9/api/7/envelope/"),
        ];
        for (text, url) in cases {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!(dsn.envelope_url(), url);
            assert!(
                dsn.auth().ends_with("sentry_key=abc") && dsn.auth().starts_with("Sentry sentry_version=7")
            );
        }
        assert_eq!(Dsn::parse("http://abc@[::1]:9/7").unwrap().address(), ("::1", 9));
    }

    #[test]
    fn a_wrong_one_is_refused_and_not_repeated() {
        for text in [
            "",
            "secret",
            "https://host/1",
            "https://secret@host",
            "ftp://secret@host/1",
            "https://secret@host:000/1",
        ] {
            let error = Dsn::parse(text).unwrap_err();
            assert!(error.is_malformed() && !error.to_string().contains("secret"), "{error}");
        }
    }
}
