//! A receiver of notifications that keeps what it got: for Alertmanager's webhook, and for whatever else is sent by HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wait_for;

/// Who connects has to say something within this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As Telegram answers, too: without a result Alertmanager dies of a null pointer.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 63\r\nConnection: close\r\n\r\n\
    {\"ok\":true,\"result\":{\"message_id\":1,\"date\":1,\"chat\":{\"id\":-1}}}";

/// Trying again would not help.
const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// One request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it had come.
    pub at: Instant,
    /// `POST /telegram/…`, without the version.
    pub line: String,
    /// Its headers, each a line.
    pub headers: Vec<String>,
    /// Its body.
    pub body: String,
}

impl Request {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The alerts in it, as Alertmanager's webhook has them.
    #[must_use]
    pub fn alerts(&self) -> Vec<Value> {
        self.json().get("alerts").and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

/// The receiver. It answers everything with 200, until it is told to refuse.
#[derive(Debug)]
pub struct Webhook {
    /// Where it listens, as `host:port`.
    pub address: String,
    kept: Arc<Mutex<Vec<Request>>>,
    is_refusing: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Webhook {
    /// Starts one at this address; port 0 is any.
    ///
    /// # Panics
    /// When it cannot listen there.
    #[must_use]
    pub fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address);
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen at {address}: {error}"));
        let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let kept = Arc::<Mutex<Vec<Request>>>::default();
        let (is_refusing, is_over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (keep, refusing, over) = (Arc::clone(&kept), Arc::clone(&is_refusing), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    break;
                }
                // Who says nothing sensible is answered by nothing.
                if let Some(request) = stream.ok().and_then(|stream| take(stream, answer(&refusing))) {
                    lock(&keep).push(request);
                }
            }
        });
        Self { address, kept, is_refusing, is_over, thread: Some(thread) }
    }

    /// From now on it takes nothing, or everything again. What it refused is kept as well.
    pub fn refuse(&self, is_refusing: bool) {
        self.is_refusing.store(is_refusing, Ordering::Release);
    }

    /// Its address for an Alertmanager's configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// All that came until now.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.kept).clone()
    }

    /// Forgets what came until now.
    pub fn forget(&self) {
        lock(&self.kept).clear();
    }

    /// Waits for an alert that is as wanted, in whichever notification, and answers when it came and the alert.
    ///
    /// # Panics
    /// When none comes; all that came is named.
    #[must_use]
    pub fn wait_for_alert(
        &self,
        what: &str,
        patience: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> (Instant, Value) {
        wait_for(&format!("the webhook gets {what}"), patience, || {
            let requests = self.requests();
            let alerts = requests
                .iter()
                .flat_map(|request| request.alerts().into_iter().map(move |alert| (request.at, alert)));
            alerts.into_iter().find(|(_, alert)| is_it(alert))
        })
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // It waits for the next who connects.
        drop(TcpStream::connect(&self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if std::thread::panicking() {
            let lines: Vec<String> = self.requests().iter().map(summary).collect();
            eprintln!("== the webhook got:\n{}", lines.join("\n"));
        }
    }
}

/// A notification in one line.
fn summary(request: &Request) -> String {
    let alerts = request.alerts();
    let text = |alert: &Value, path: &str| {
        alert.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let of = |alert| {
        ["/status", "/labels/alertname", "/labels/fleet", "/labels/node"]
            .map(|path| text(alert, path))
            .join(" ")
    };
    format!("{}: {}", request.line, alerts.iter().map(of).collect::<Vec<_>>().join(", "))
}

fn answer(is_refusing: &AtomicBool) -> &'static [u8] {
    if is_refusing.load(Ordering::Acquire) { REFUSAL } else { ANSWER }
}

fn take(stream: TcpStream, answer: &[u8]) -> Option<Request> {
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).ok()?;
    let line = head.first()?.rsplit_once(' ')?.0.to_owned();
    let headers = head.into_iter().skip(1).collect();
    reader.get_mut().write_all(answer).ok()?;
    Some(Request { at: Instant::now(), line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn lock(kept: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
