//! Canaries are planted in ordinary sentences; none may come through.

use super::*;

fn check(cases: &[(&str, &str)]) {
    let scrubber = Scrubber::new(b"fleet-a", b"");
    for (text, expected) in cases {
        assert_eq!(scrubber.text(text), *expected, "{text}");
    }
}

#[test]
fn addresses_are_taken_out() {
    check(&[
        ("dial 203.0.113.7:30303 failed", "dial [ip]:30303 failed"),
        ("from [2001:db8::7]:9000.", "from [[ip]]:9000."),
        ("peer fe80::1 left", "peer [ip] left"),
        ("peer ::ffff:203.0.113.7 left", "peer [ip] left"),
        ("at 203.0.113.7.", "at [ip]."),
        ("dial /ip4/203.0.113.7/tcp/60000/p2p/16Uiu2HAmPLe", "dial [multiaddr]"),
        ("boot=/dns4/node-01.example.org/tcp/443/wss, next", "boot=[multiaddr], next"),
        ("got enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjz gone", "got [enr] gone"),
        ("enode://6f8a80d1@203.0.113.7:30303?discport=0", "[enode]=0"),
    ]);
}

#[test]
fn secrets_are_taken_out() {
    check(&[
        (
            "GET https://user:secret@db.example.org/x?y=1 failed",
            "GET https://[credentials]@db.example.org/x?y=1 failed",
        ),
        (
            "key -----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY----- end",
            "key [private key] end",
        ),
        ("key -----BEGIN PRIVATE KEY-----\nMHcCAQEE cut off", "key [private key]"),
        ("seed legal winner thank year wave sausage worth useful legal winner thank yellow", "[words]"),
        ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
    ]);
}

#[test]
fn homes_are_hidden() {
    check(&[
        ("open /home/alice/.waku/store.db: locked", "open ~/.waku/store.db: locked"),
        ("open /root/.waku", "open ~/.waku"),
        ("in /home/alice/lib:/home/bob/lib:/root/lib", "in ~/lib:~/lib:~/lib"),
        ("open /rootfs/x", "open /rootfs/x"),
        ("open /data/home/node/x", "open /data/home/node/x"),
        ("/tmp/try/home/node-link", "/tmp/try/home/node-link"),
        ("db=/home/alice/x", "db=~/x"),
        ("file:///Users/bob/x", "file://~/x"),
    ]);
}

#[test]
fn long_numbers_become_tokens_that_stay_equal() {
    let (a, b) = (Scrubber::new(b"fleet-a", b""), Scrubber::new(b"fleet-b", b""));
    let key = "00112233445566778899aabbccddeeff";
    let token = a.text(key);
    assert!(token.starts_with("hex:") && token.len() == 12, "{token}");
    assert_eq!(a.text(&format!("0x{}", key.to_uppercase())), token);
    assert_eq!(a.text(&format!("root {key}, {key}!")), format!("root {token}, {token}!"));
    assert_ne!(b.text(key), token);
    assert_ne!(Scrubber::new(b"fleet-a", b"https://key@example.org/1").text(key), token);
    assert_eq!(a.text("commit 0123abcd"), "commit 0123abcd");
    let peer = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ";
    assert!(a.text(peer).starts_with("peer:"));
    assert!(!a.text(&format!("x{key}zz")).contains(key));
}

#[test]
fn ordinary_text_is_kept() {
    let texts = [
        "store node panicked at src/store.rs:120:5: index out of bounds: the len is 3 but the index is 7",
        "std::vector<int>::at: __n (which is 7) >= this->size() (which is 3)",
        "waku v0.35.1 at 12:34:56 and 2026-11-22T09:24:04Z",
        "",
        "äöü — ok",
    ];
    check(&texts.map(|text| (text, text)));
}
