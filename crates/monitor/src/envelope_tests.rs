//! Envelopes as they should be, and as nobody should write them.

use super::*;

const ID: &str = "9ec79c33ec9942ab8353589fcb2e04dc";

fn whole() -> String {
    let event = "{\"event_id\":\"x\",\n\"level\":\"fatal\"}";
    format!(
        "{{\"event_id\":\"{ID}\",\"dsn\":\"https://k@host/1\",\"new\":[1]}}\n\
         {{\"type\":\"attachment\",\"length\":3}}\na\nb\n\
         {{\"type\":\"event\",\"length\":{}}}\n{event}\n",
        event.len()
    )
}

#[test]
fn header_and_event_are_read() {
    let text = whole();
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    assert_eq!(envelope.dsn(), Some("https://k@host/1"));
    assert_eq!(envelope.event_id().unwrap().simple().to_string(), ID);
    assert_eq!(envelope.event().unwrap()["level"], "fatal");
}

#[test]
fn an_item_without_a_length_ends_with_its_line() {
    let envelope = Envelope::parse(b"{}\n{\"type\":\"event\"}\n{\"a\":1}").unwrap();
    assert_eq!(envelope.event().unwrap()["a"], 1);
    assert_eq!((envelope.dsn(), envelope.event_id()), (None, None));
}

#[test]
fn hostile_input_is_an_error_and_never_a_panic() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "header"),
        (b"\n", "header"),
        (b"[1]\n", "header"),
        (b"\xff\xfe\n", "header"),
        (b"{}\n{\"type\":\"event\",\"length\":99}\n{}", "cut off"),
        (b"{}\n{\"type\":\"event\",\"length\":18446744073709551615}\n{}", "cut off"),
        (b"{}\n{\"type\":\"event\",\"length\":-1}\n{}", "item"),
        (b"{}\nnonsense\n", "item"),
    ];
    for (bytes, word) in cases {
        let error = Envelope::parse(bytes).unwrap_err();
        assert!(error.is_malformed() && error.to_string().contains(word), "{error}");
    }
    let deep = format!("{{}}\n{{\"type\":\"event\"}}\n{}", "[".repeat(100_000));
    assert!(Envelope::parse(deep.as_bytes()).unwrap().event().unwrap_err().is_malformed());
    let many = format!("{{}}\n{}", "{\"type\":\"x\",\"length\":0}\n\n".repeat(1000));
    assert!(Envelope::parse(many.as_bytes()).unwrap_err().to_string().contains("100 items"));
    let long = format!("{{\"dsn\":\"{}\"}}\n", "x".repeat(HEADER_BYTES_MAX));
    assert!(Envelope::parse(long.as_bytes()).unwrap_err().to_string().contains("too long"));
}

#[test]
fn every_cut_of_a_whole_envelope_is_read_or_refused() {
    let text = whole();
    for end in 0..text.len() {
        let _ = Envelope::parse(&text.as_bytes()[..end]).map(|envelope| envelope.event().is_ok());
    }
}

#[test]
fn only_a_plain_bounded_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    assert!(read(&link).is_err());
    assert!(read(dir.path()).unwrap_err().is_malformed());
    assert!(read(Path::new("/dev/null")).unwrap_err().is_malformed());
    let large = dir.path().join("large");
    File::create(&large).unwrap().set_len(ENVELOPE_BYTES_MAX + 1).unwrap();
    assert!(read(&large).unwrap_err().is_malformed());
}
