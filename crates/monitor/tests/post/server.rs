//! A server on loopback that answers as each test says, and hands every request to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// No test waits for ever for an event that does not come.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A whole answer: status, further header lines, body.
    Answer(u16, &'static str, Vec<u8>),
    /// These bytes, then the end of the connection.
    Raw(&'static [u8]),
    /// Nothing, until the other side goes away.
    Hang,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", b"{\"id\":\"x\"}".to_vec())
    }
}

/// One request as it arrived, its body unpacked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Receiver<Request>,
}

impl Server {
    /// Answers the n-th request with the n-th reply, and with the last one from then on.
    pub(crate) fn start(replies: Vec<Reply>) -> Self {
        Self::listen(replies, |stream| Some(Box::new(stream)))
    }

    /// The same over TLS; also the certificate authority (PEM) that vouches for `localhost`.
    pub(crate) fn start_tls(replies: Vec<Reply>) -> (Self, String) {
        let (config, authority) = tls_config();
        let server = Self::listen(replies, move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            // A client that does not trust us breaks off here.
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).ok()?;
            }
            Some(Box::new(stream))
        });
        (server, authority)
    }

    fn listen(
        replies: Vec<Reply>,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            let mut replies = replies.into_iter();
            let mut reply = Reply::Hang;
            while let Ok((stream, _)) = listener.accept() {
                if let Some(mut stream) = accept(stream) {
                    while answer_one(stream.as_mut(), &sender, &mut || {
                        reply = replies.next().unwrap_or_else(|| reply.clone());
                        reply.clone()
                    })
                    .is_some()
                    {}
                }
            }
        });
        Self { port, requests }
    }

    pub(crate) fn dsn(&self) -> String {
        format!("http://public@127.0.0.1:{}/7", self.port)
    }

    /// Waits for the next request.
    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(EVENT_MAX).expect("a request within a minute")
    }

    /// Requests that have arrived and were not looked at.
    pub(crate) fn left_over(&self) -> usize {
        self.requests.try_iter().count()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Reads one request and answers it; `None` ends the connection.
fn answer_one(
    stream: &mut dyn Stream,
    sender: &Sender<Request>,
    next: &mut dyn FnMut() -> Reply,
) -> Option<()> {
    let head = read_head(stream)?;
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    if header(&head, "content-encoding") == Some("gzip") {
        let mut plain = Vec::new();
        // What cannot be unpacked is handed on as it came: no request passes unseen.
        if flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).is_ok() {
            body = plain;
        }
    }
    let reply = next();
    sender.send(Request { head, body }).ok()?;
    match reply {
        Reply::Answer(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&body).ok()
        }
        Reply::Raw(bytes) => {
            let _ = stream.write_all(bytes);
            None
        }
        Reply::Hang => {
            let _ = stream.read(&mut [0]);
            None
        }
    }
}

fn read_head(stream: &mut dyn Stream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// A header's value, by its name in small letters.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn tls_config() -> (Arc<rustls::ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (Arc::new(config), authority.pem())
}
