//! Whatever a stranger sends or does not send, others are answered.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::bench::{Bench, Node};
use lifeboat_tests::http::{connect, get, next, say};

fn is_served(node: &Node) {
    let answer = node.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("\nlifeboat_node_up 1\n"));
}

#[test]
fn what_is_no_proper_request_is_refused() {
    let node = Bench::get().node();
    let address = node.address().unwrap();
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".into(), 405),
        ("GET /metrics HTTP/1.1\r\nHost: rebound.example.org\r\n\r\n".into(), 421),
        ("GET /metrics HTTP/1.1\r\n\r\n".into(), 400),
        ("GET /metrics HTTP/1.0\r\n\r\n".into(), 200),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\x7f\x03\x03".into(), 400),
        (format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)), 431),
        (format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(1000)), 431),
    ] {
        let answer = say(&address, request.as_bytes());
        assert_eq!(answer.status, expected, "{:.60}", request);
        assert!(answer.header("Content-Type").is_some(), "{:.60}", request);
    }
    let index = get(&address, "/nothing", &[]).text();
    for path in ["/metrics", "/health", "/health/checks", "/livez"] {
        assert!(index.contains(path), "{index}");
    }
    node.end();
}

#[test]
fn who_has_said_all_is_still_answered() {
    let node = Bench::get().node();
    for (request, expected) in [
        (b"GET /livez HTTP/1.1\r\nHost: a.localhost\r\n\r\n".as_slice(), "HTTP/1.1 421 "),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 "),
        (b"GET /livez HTTP/1.1\r\nHost: loc", ""),
    ] {
        let mut stream = connect(&node.address().unwrap());
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(expected) && answer.is_empty() == expected.is_empty(), "{answer}");
    }
    node.end();
}

#[test]
fn a_head_that_is_refused_has_no_body() {
    let node = Bench::get().node();
    let answer = say(&node.address().unwrap(), b"HEAD /livez HTTP/1.1\r\nHost: evil\r\n\r\n");
    assert_eq!((answer.status, answer.body.as_slice()), (421, b"".as_slice()));
    node.end();
}

#[test]
fn one_connection_may_ask_again() {
    let node = Bench::get().node();
    let mut stream = connect(&node.address().unwrap());
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(next(&mut stream).text(), "ok\n");
    // Two at once: each has its answer, in their order.
    let two = "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n\
               GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(two.as_bytes()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{rest}");
    assert!(rest.ends_with("\r\n\r\nok\n") && !rest.contains("lifeboat_node_up"), "{rest}");
    node.end();
}

#[test]
fn a_thousand_connections_and_slow_clients_keep_nobody_out() {
    let node = Bench::get().node();
    let address = node.address().unwrap();
    let silent: Vec<TcpStream> = (0..1000).map(|_| connect(&address)).collect();
    is_served(&node);
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(&address);
            // Some are cut off already.
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHo");
            stream
        })
        .collect();
    is_served(&node);
    drop((silent, slow));
    node.end();
}

#[test]
fn clients_that_never_read_keep_nobody_out() {
    let node = Bench::get().start(|run| run.arg("30000").env("LIFEBOAT_SERIES_MAX", "40000"));
    let address = node.address().unwrap();
    let deaf: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(&address);
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    is_served(&node);
    drop(deaf);
    node.end();
}
