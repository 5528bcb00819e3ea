//! The transport. Each event is on disk, whole and synced, when the SDK's call returns, and a monitor delivers it.

mod spool;

use std::path::PathBuf;
use std::sync::Arc;

use sentry::protocol::Envelope;
use sentry::types::Dsn;
use sentry::{Transport, TransportFactory, TransportOptions};
use spool::Spool;

/// A transport that writes the SDK's events to Lifeboat's spool, so that neither a dead server nor the process's own
/// end loses one.
///
/// ```
/// let options = sentry::ClientOptions::new().transport(lifeboat::sentry::transport());
/// let _guard = sentry::init(options);
/// ```
///
/// The SDK asks its transport only where it has a DSN (`SENTRY_DSN`). The DSN is written into each envelope. The
/// monitor of any node with the same state directory and a DSN delivers it: this one's, where Lifeboat is on, else the
/// next that starts. `lifeboat reports` and `lifeboat show` read it meanwhile.
///
/// An envelope without an event (a session, a transaction, logs) is no report and is left out. Where the spool holds
/// 1,000 reports, or others could write it, events are lost, as with any transport that fails. `LIFEBOAT=off` turns it
/// off.
///
/// What the SDK puts into an event is the SDK's: its `contexts` integration adds the host's name, and nothing is
/// scrubbed.
#[must_use]
pub fn transport() -> SpoolTransport {
    SpoolTransport::default()
}

/// See [`transport`].
#[derive(Clone, Debug, Default)]
pub struct SpoolTransport {
    state_dir: Option<PathBuf>,
}

impl SpoolTransport {
    /// The state directory where `LIFEBOAT_STATE_DIR` names none, as in [`crate::Options`].
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }
}

impl TransportFactory for SpoolTransport {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        let is_off = std::env::var_os("LIFEBOAT").is_some_and(|wish| wish == "off");
        let spool = if is_off { None } else { Spool::of(self.state_dir.clone()) };
        Arc::new(Writer { spool, dsn: options.dsn })
    }
}

/// One client's way to the spool.
struct Writer {
    spool: Option<Spool>,
    dsn: Dsn,
}

impl Transport for Writer {
    fn send_envelope(&self, envelope: Envelope) {
        let Some(spool) = &self.spool else { return };
        let Some(id) = envelope.event().map(|event| event.event_id) else { return };
        let headers = envelope.headers().clone().with_event_id(id).with_dsn(self.dsn.clone());
        let mut bytes = Vec::new();
        if envelope.with_headers(headers).to_writer(&mut bytes).is_ok() {
            // A transport has nobody to tell: the SDK's own lose what they cannot send, too.
            let _ = spool.store(&format!("{}.envelope", id.simple()), &bytes);
        }
    }
}
