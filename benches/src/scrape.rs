//! A scrape as Prometheus makes it: one connection, one page.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An address of this machine that nobody has at this moment.
///
/// # Errors
/// Where there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// How long a whole page takes from the first byte of the connection to the last of the page, nanoseconds.
///
/// # Errors
/// Where nobody answers, or not with a page.
pub fn scrape(address: SocketAddr) -> Result<u64> {
    let from = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)?;
    let took = u64::try_from(from.elapsed().as_nanos())?;
    if page.starts_with(b"HTTP/1.1 200") { Ok(took) } else { Err("no page was served".into()) }
}

/// The same, as soon as somebody answers.
///
/// # Errors
/// Where nobody comes to.
pub fn scrape_first(address: SocketAddr) -> Result<u64> {
    const TRIES: u32 = 500;
    for _ in 0..TRIES {
        if let Ok(took) = scrape(address) {
            return Ok(took);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    scrape(address)
}
