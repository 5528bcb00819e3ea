//! A server on the loopback that takes every report at once and forgets it: the best server that a reporter can meet.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: u64 = 64 << 20;
const HEAD_BYTES_MAX: u64 = 64 << 10;
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// Starts the server; it ends with this process. Answers its DSN.
///
/// # Errors
/// Where the loopback has no free port.
pub(crate) fn start() -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that breaks off is no matter of the next one.
            thread::spawn(move || drop(answer(client)));
        }
    });
    Ok(format!("http://key@127.0.0.1:{port}/1"))
}

fn answer(client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(TIMEOUT))?;
    client.set_write_timeout(Some(TIMEOUT))?;
    let mut client = BufReader::new(client);
    let (mut length, mut is_chunked) = (0, false);
    let mut head = client.by_ref().take(HEAD_BYTES_MAX);
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        is_chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    if is_chunked {
        skip_chunks(&mut client)?;
    } else {
        io::copy(&mut client.by_ref().take(length.min(BODY_BYTES_MAX)), &mut io::sink())?;
    }
    client.get_mut().write_all(ANSWER)
}

fn skip_chunks(client: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut left = BODY_BYTES_MAX;
    while left > 0 {
        let mut line = String::new();
        client.by_ref().take(HEAD_BYTES_MAX).read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        // Each chunk ends with a line end of its own.
        io::copy(&mut client.by_ref().take(size.min(left) + 2), &mut io::sink())?;
        if size == 0 {
            return Ok(());
        }
        left = left.saturating_sub(size);
    }
    Ok(())
}
