//! A client of HTTP/1 that hides nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Opens a connection.
pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Asks for a page.
pub(crate) fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = if headers.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: localhost\r\n" };
    say(address, format!("GET {path} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n").as_bytes())
}

/// Says this, and reads what comes until the other side has no more to say.
pub(crate) fn say(address: &str, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    // Who refuses may close before all is said: the answer counts.
    let said = stream.write_all(request);
    let mut bytes = Vec::new();
    let heard = stream.read_to_end(&mut bytes);
    read(&bytes)
        .unwrap_or_else(|| panic!("no answer: {:?}, {said:?}, {heard:?}", String::from_utf8_lossy(&bytes)))
}

/// Reads one answer of a connection that stays open.
pub(crate) fn next(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        bytes.extend(&piece[..count]);
        let answer = read(&bytes);
        let length = answer.as_ref().and_then(|it| it.header("Content-Length")?.parse::<usize>().ok());
        if let Some(answer) = answer.filter(|it| length.is_some_and(|length| it.body.len() >= length)) {
            return answer;
        }
        assert_ne!(count, 0, "the connection was closed: {:?}", String::from_utf8_lossy(&bytes));
    }
}

fn read(bytes: &[u8]) -> Option<Answer> {
    let at = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..at].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: bytes[at + 4..].to_vec() })
}
