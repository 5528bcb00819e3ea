//! `lifeboat health`: what a monitor answers becomes an exit code and a sentence, whatever answers there.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::json;

use crate::{Said, lifeboat, run};

/// Answers once, with these bytes; what it was asked is its result.
fn stand_in(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = client.read(&mut request).unwrap();
        // Who has seen enough hangs up.
        let _ = client.write_all(&answer);
        String::from_utf8_lossy(request.get(..length).unwrap()).into_owned()
    });
    (address, server)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into()
}

fn health() -> Command {
    let mut command = lifeboat();
    command.arg("health").env_remove("LIFEBOAT_METRICS");
    command
}

fn asked(answer: Vec<u8>, arguments: &[&str]) -> (Said, String) {
    let (address, server) = stand_in(answer);
    let said = run(health().args(arguments).arg("--address").arg(address.to_string()));
    (said, server.join().unwrap())
}

#[test]
fn the_answer_is_an_exit_code() {
    for (status, body, code, stdout, stderr) in [
        ("200 OK", r#"{"status":"ok"}"#, 0, "ok\n", ""),
        (
            "200 OK",
            r#"{"status":"degraded","reason":"network: 1 peer"}"#,
            0,
            "degraded: network: 1 peer\n",
            "",
        ),
        (
            "503 Service Unavailable",
            "{\"status\":\"failing\",\"reason\":\"heartbeat main: 12.3 s old\\u001b[2J, due every 5 s\"}",
            1,
            "",
            "lifeboat: failing: heartbeat main: 12.3 s old[2J, due every 5 s\n",
        ),
    ] {
        let (said, request) = asked(http(status, body), &[]);
        let told: String = said
            .stderr
            .chars()
            .filter(|letter| letter.is_ascii_graphic() || " \n".contains(*letter))
            .collect();
        assert_eq!((said.code, said.stdout.as_str(), told.as_str()), (code, stdout, stderr));
        assert!(request.starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    }
}

#[test]
fn all_checks_are_one_line_of_json() {
    let document = json!({"status": "failing", "reason": "no", "score": 50, "components": []});
    let (said, request) = asked(http("503 Service Unavailable", &document.to_string()), &["--json"]);
    let told: serde_json::Value = serde_json::from_str(said.stdout.trim_end()).unwrap();
    assert_eq!((said.code, told, said.stdout.lines().count()), (1, document, 1));
    assert!(request.starts_with("GET /health/checks "), "{request}");
}

#[test]
fn whoever_answers_otherwise_is_no_monitor() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'['; 5 * 1024 * 1024]].concat();
    for answer in [
        http("200 OK", "OK"),
        http("200 OK", "[]"),
        http("200 OK", r#"{"health":"fine"}"#),
        http("404 Not Found", r#"{"status":"ok"}"#),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{\"status\":".to_vec(),
        Vec::new(),
        long,
    ] {
        let (said, _) = asked(answer, &[]);
        assert!(said.code == 1 && said.stdout.is_empty(), "{}", said.stderr);
        assert!(
            said.stderr.contains("answers, but not as Lifeboat does")
                || said.stderr.contains("cannot be asked"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn silence_is_an_answer_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = run(health().args(["--timeout", "1", "--address", &address]));
    assert_eq!(silent.stderr, format!("lifeboat: {address} did not answer within 1 s\n"));
    drop(listener);
    let nobody = run(health().args(["--address", &address]));
    assert_eq!(nobody.stderr, format!("lifeboat: nobody listens at {address}: is the node running?\n"));
    assert_eq!((silent.code, nobody.code), (1, 1));
    let wrong = run(health().args(["--address", "nowhere"]));
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
}

#[test]
fn the_node_is_found_as_its_monitor_wrote_it_down() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().to_str().unwrap();
    let none = run(health().args(["--state-dir", state_dir]));
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("with LIFEBOAT_METRICS set?"), "{}", none.stderr);

    let (well, _) = stand_in(http("200 OK", r#"{"status":"ok"}"#));
    let (sick, _) = stand_in(http("503 No", r#"{"status":"failing","reason":"no peers"}"#));
    let _first = sign(
        dir.path(),
        1,
        &json!({"node_pid": 1, "node": "a", "serve_pid": 9, "address": well.to_string()}),
    );
    let _second = sign(dir.path(), 2, &json!({"node_pid": 2, "serve_pid": 9, "address": sick.to_string()}));
    let _third = sign(
        dir.path(),
        3,
        &json!({"node_pid": 3, "node": "c", "serve_pid": 9, "error": "the port is taken"}),
    );
    let dead =
        json!({"node_pid": 4, "node": "d", "serve_pid": 9, "address": "127.0.0.1:1", "has_ended": true});
    let fourth = sign(dir.path(), 4, &dead);
    // A dead node has not gone because others live.
    let said = run(health().args(["--state-dir", state_dir]));
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("d: nobody listens at 127.0.0.1:1"), "{}", said.stderr);
    drop(fourth);
    let (well, _) = stand_in(http("200 OK", r#"{"status":"ok"}"#));
    let (sick, _) = stand_in(http("503 No", r#"{"status":"failing","reason":"no peers"}"#));
    let _first = sign(
        dir.path(),
        1,
        &json!({"node_pid": 1, "node": "a", "serve_pid": 9, "address": well.to_string()}),
    );
    let _second = sign(dir.path(), 2, &json!({"node_pid": 2, "serve_pid": 9, "address": sick.to_string()}));
    let said = run(health().args(["--state-dir", state_dir]));
    assert_eq!((said.code, said.stdout.as_str()), (1, "a: ok\n"));
    assert_eq!(said.stderr, "lifeboat: c: the port is taken; process 2: failing: no peers\n");
    // The node's own environment says it as well.
    let (well, _) = stand_in(http("200 OK", r#"{"status":"ok"}"#));
    let told = run(health().env("LIFEBOAT_METRICS", well.to_string()).env("LIFEBOAT_STATE_DIR", state_dir));
    assert_eq!((told.code, told.stdout.as_str()), (0, "ok\n"), "{}", told.stderr);
}

#[test]
fn a_dead_node_counts_until_its_next_life() {
    let dir = tempfile::tempdir().unwrap();
    let told = |served: &[serde_json::Value]| {
        let (well, _) = stand_in(http("200 OK", r#"{"status":"ok"}"#));
        let mut signs = Vec::new();
        for (number, said) in (1..).zip(served) {
            let mut said = said.clone();
            said["serve_pid"] = json!(9);
            let is_dead = said["has_ended"] == json!(true);
            said["address"] = json!(if is_dead { "127.0.0.1:1".to_owned() } else { well.to_string() });
            signs.push(sign(dir.path(), number, &said));
        }
        let said = run(health().arg("--state-dir").arg(dir.path()));
        drop(signs);
        fs::remove_dir_all(dir.path().join("serve")).unwrap();
        (said.code, said.stdout)
    };
    let dead =
        |node: &str| json!({"node_pid": 1, "node": node, "app": "n", "wanted": "1", "has_ended": true});
    let live = |node: &str| json!({"node_pid": 2, "node": node, "app": "n", "wanted": "1"});
    assert_eq!(told(&[dead("a"), live("b")]), (1, "b: ok\n".to_owned()), "another's life is not its own");
    assert_eq!(told(&[dead("a"), live("a")]), (0, "ok\n".to_owned()), "its next life");
    assert_eq!(told(&[dead(""), live("")]), (0, "ok\n".to_owned()), "the next life of one without a name");
    assert_eq!(told(&[live(""), dead("")]).0, 1, "who lived before it died is another");
    assert_eq!(told(&[dead(""), live("b")]).0, 1);
}

#[test]
fn a_node_whose_server_has_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let own = std::process::id();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let left = |started: u128, error: &str| {
        let said =
            json!({"node_pid": own, "serve_pid": 9, "address": address, "wanted": address, "error": error});
        let _ = fs::remove_dir_all(dir.path().join("serve"));
        drop(sign_at(dir.path(), own, started, &said));
        let by_folder = run(health().arg("--state-dir").arg(dir.path()));
        let by_address =
            run(health().env("LIFEBOAT_METRICS", &address).env("LIFEBOAT_STATE_DIR", dir.path()));
        assert_eq!((by_folder.code, by_address.code), (1, 1));
        (by_folder.stderr, by_address.stderr)
    };
    let gone = format!("lifeboat: node {own} lives, its server has gone\n");
    assert_eq!(left(now, ""), (gone.clone(), gone));
    assert!(left(now, "no more descriptors").0.ends_with("last said: no more descriptors\n"));
    // The id belongs to another now.
    let (by_folder, by_address) = left(1, "");
    assert!(by_folder.contains("with LIFEBOAT_METRICS set?"), "{by_folder}");
    assert!(by_address.contains("nobody listens at"), "{by_address}");
}

/// What a monitor leaves in the state directory, locked as long as the answer lives.
pub(crate) fn sign(state_dir: &Path, number: u32, said: &serde_json::Value) -> File {
    sign_at(state_dir, number, number.into(), said)
}

fn sign_at(state_dir: &Path, pid: u32, started: u128, said: &serde_json::Value) -> File {
    let folder = state_dir.join("serve");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{pid}-{started}.json"));
    fs::write(&path, said.to_string()).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}
