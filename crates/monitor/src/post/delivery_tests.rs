//! A report that a server cannot digest is told apart from a server that is ill.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::spool::State;

use super::*;

/// Answers 500 to the report whose bytes hold the word, and 200 to others.
fn server_that_chokes_on(word: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let body = body_of(&mut stream);
            let chokes = body.windows(word.len()).any(|window| window == word);
            let status = if chokes { 500 } else { 200 };
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

fn body_of(stream: &mut TcpStream) -> Vec<u8> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut packed = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut packed).unwrap();
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut body).unwrap();
    body
}

fn store(delivery: &Delivery, number: u128, port: u16, word: &str) {
    let text = format!(
        "{{\"dsn\":\"http://k@127.0.0.1:{port}/1\"}}\n{{\"type\":\"event\"}}\n{{\"x\":\"{word}\"}}\n"
    );
    delivery.spool.store(Uuid::from_u128(number), text.as_bytes()).unwrap();
}

fn passes(with_others: bool, count: u128) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut delivery = Delivery::new(Spool::open(&dir.path().join("state")).unwrap(), None);
    let port = server_that_chokes_on(b"indigestible");
    store(&delivery, 1, port, "indigestible");
    for number in 0..count {
        if with_others {
            store(&delivery, 100 + number, port, "good");
        }
        delivery.pass().unwrap();
        // As if the pause were over.
        delivery.servers.values_mut().for_each(|server| server.closed_until = None);
    }
    let all = delivery.spool.list().unwrap();
    all.iter().filter(|stored| stored.state == State::SetAside).count()
}

#[test]
fn what_a_working_server_cannot_digest_is_set_aside_in_the_end() {
    let most = u128::from(SERVER_ERRORS_MAX);
    assert_eq!((passes(true, most - 1), passes(true, most)), (0, 1));
}

#[test]
fn a_server_that_is_ill_costs_no_report() {
    assert_eq!(passes(false, 3 * u128::from(SERVER_ERRORS_MAX)), 0);
}
