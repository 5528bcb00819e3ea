//! An envelope file from a state directory, and the DSN in it: read or refused, and what was read is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_monitor::dsn::Dsn;
use lifeboat_monitor::envelope::Envelope;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        dsn(text);
    }
    let envelope = match Envelope::parse(data) {
        Ok(envelope) => envelope,
        Err(error) => {
            assert!(error.is_malformed() && !error.to_string().is_empty());
            return;
        }
    };
    let _ = envelope.event_id();
    envelope.dsn().into_iter().for_each(dsn);
    match (envelope.event_bytes(), envelope.event()) {
        (Some(bytes), Ok(event)) => assert!(bytes.len() < data.len() && event.is_object()),
        (None, Ok(_)) => panic!("an event out of nothing"),
        (_, Err(error)) => assert!(error.is_malformed()),
    }
});

/// What is sent to must be what was named: nothing of a DSN may start another line of a request.
fn dsn(text: &str) {
    let Ok(dsn) = Dsn::parse(text) else { return };
    let (host, port) = dsn.address();
    assert!(!host.is_empty() && port > 0);
    for part in [dsn.server(), dsn.project(), dsn.envelope_url(), dsn.auth(), host.to_owned()] {
        assert!(!part.contains(['\r', '\n', '\0']), "{part:?}");
    }
}
