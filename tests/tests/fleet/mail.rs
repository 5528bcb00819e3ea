//! A mail server that keeps what it got: as much SMTP as Alertmanager speaks.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// One letter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letter {
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Letter {
    /// A header, with the lines that go on with it, decoded as far as ASCII goes.
    pub(crate) fn header(&self, name: &str) -> String {
        let begin = format!("{name}: ");
        let from = self.headers.iter().skip_while(|line| !line.starts_with(&begin));
        let first = from.clone().take(1);
        let rest = from.skip(1).take_while(|line| line.starts_with([' ', '\t']));
        let text: String = first.chain(rest).map(|line| line.trim()).collect();
        decoded(&text.replace("=?UTF-8?q?", "").replace("=?utf-8?q?", "").replace("?=", "").replace('_', " "))
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) address: String,
    kept: Arc<Mutex<Vec<Letter>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mail {
    pub(crate) fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (kept, is_over) = (Arc::<Mutex<Vec<Letter>>>::default(), Arc::<AtomicBool>::default());
        let (keep, over) = (Arc::clone(&kept), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                if let Some(letter) = stream.ok().and_then(take) {
                    keep.lock().unwrap().push(letter);
                }
            }
        });
        Self { address, kept, is_over, thread: Some(thread) }
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.kept.lock().unwrap().clone()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // It waits for the next who connects.
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn take(stream: TcpStream) -> Option<Letter> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    reader.get_mut().write_all(b"220 mail.example.org\r\n").ok()?;
    let mut letter = None;
    loop {
        let line = line(&mut reader)?;
        let answer = match line.split(' ').next()? {
            "DATA" => {
                reader.get_mut().write_all(b"354 go on\r\n").ok()?;
                letter = Some(data(&mut reader)?);
                "250 taken\r\n"
            }
            "QUIT" => {
                reader.get_mut().write_all(b"221 bye\r\n").ok()?;
                return letter;
            }
            _ => "250 mail.example.org\r\n",
        };
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

fn data(reader: &mut BufReader<TcpStream>) -> Option<Letter> {
    let mut lines = Vec::new();
    loop {
        match line(reader)?.as_str() {
            "." => break,
            text => lines.push(text.to_owned()),
        }
    }
    let end = lines.iter().position(String::is_empty)?;
    let body = lines.split_off(end).join("\n");
    // Quoted-printable breaks long lines with a sign at their end.
    Some(Letter { headers: lines, body: decoded(&body.replace("=\n", "")) })
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Quoted-printable's `=3A`, as far as it stands for ASCII.
fn decoded(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        decoded.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match byte {
            Some(byte) => {
                decoded.push(char::from(byte));
                &after[2..]
            }
            None => {
                decoded.push('=');
                after
            }
        };
    }
    decoded + rest
}
