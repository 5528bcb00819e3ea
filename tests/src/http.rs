//! A client of HTTP/1 that hides nothing: for pages of nodes, and for what engines answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    head: String,
    /// The body, whatever it is.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone())
            .unwrap_or_else(|_| panic!("no text: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)))
    }
}

/// Opens a connection.
///
/// # Panics
/// When nobody listens.
#[must_use]
pub fn connect(address: &str) -> TcpStream {
    let opened = TcpStream::connect(address).and_then(|stream| {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    });
    opened.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
}

/// Asks for a page.
///
/// # Panics
/// When nobody listens, or what comes is no answer.
#[must_use]
pub fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = if headers.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: localhost\r\n" };
    say(address, format!("GET {path} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n").as_bytes())
}

/// Sends a body of this type.
///
/// # Panics
/// As [`get`].
pub fn post(address: &str, path: &str, content_type: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
    );
    say(address, format!("{head}Connection: close\r\n\r\n{body}").as_bytes())
}

/// Text as it may stand in the query of an address.
#[must_use]
pub fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Says this, and reads what comes until the other side has no more to say.
///
/// # Panics
/// As [`get`].
#[must_use]
pub fn say(address: &str, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    // Who refuses may close before all is said: the answer counts.
    let said = stream.write_all(request);
    let mut bytes = Vec::new();
    let heard = stream.read_to_end(&mut bytes);
    read(&bytes)
        .unwrap_or_else(|| panic!("no answer: {:?}, {said:?}, {heard:?}", String::from_utf8_lossy(&bytes)))
}

/// Reads one answer of a connection that stays open.
///
/// # Panics
/// When the connection ends before.
#[must_use]
pub fn next(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap_or_else(|error| panic!("no answer: {error}"));
        bytes.extend(piece.iter().take(count));
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
    let head = String::from_utf8(bytes.get(..at)?.to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: bytes.get(at + 4..)?.to_vec() };
    if answer.header("Transfer-Encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
        answer.body = unchunked(&answer.body)?;
    }
    Some(answer)
}

/// A body that came in pieces, each with its length before it; nothing where the last has not come.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|end| end == b"\r\n")?;
        let words = std::str::from_utf8(rest.get(..end)?).ok()?;
        let length = usize::from_str_radix(words.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 2 + length + 2..)?;
    }
}
