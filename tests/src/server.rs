//! A server that takes Sentry's protocol, and what it shows of a node's reports: [`Server`], [`Project`], [`Issue`],
//! [`Event`]. It is a Bugsink on the loopback, started by `scripts/bugsink run`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::repository;

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks: nothing tells when a server has digested an event.
const NAP: Duration = Duration::from_millis(5);
const API: &str = "/api/canonical/0";

/// The server. It ends with this process, however that one ends: its standard input is a pipe that we hold.
#[derive(Debug)]
pub struct Server {
    port: u16,
    token: String,
    team: String,
    /// Where a person can sign in, and as whom: for a look while a test waits.
    pub login: String,
    _child: Child,
}

impl Server {
    /// The server of this process, started by the first who asks.
    ///
    /// # Panics
    /// When it does not start.
    pub fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let mut command = Command::new(repository("scripts/bugsink"));
        let mut child = match command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run scripts/bugsink: {error}"),
        };
        let mut line = String::new();
        let told = child.stdout.take().map(|output| BufReader::new(output).read_line(&mut line));
        assert!(matches!(told, Some(Ok(1..))), "scripts/bugsink did not start a server: it says why above");
        let told = parse(&line);
        let port = text(&told, "url").rsplit(':').next().and_then(|port| port.parse().ok());
        let login = ["url", "email", "password"].map(|key| text(&told, key)).join(" ");
        let mut server = Self {
            port: port.unwrap_or_default(),
            token: text(&told, "token"),
            team: String::new(),
            login,
            _child: child,
        };
        server.team = server.list("teams/?").first().map(|team| text(team, "id")).unwrap_or_default();
        server
    }

    /// A new project: what is sent to its DSN disturbs no other test.
    #[must_use]
    pub fn project(&self, name: &str) -> Project<'_> {
        let made = self.call("POST", "projects/", Some(&json!({"team": self.team, "name": name})));
        let id = text(&made, "id");
        let project = self.call("GET", &format!("projects/{id}/"), None);
        Project { server: self, id, dsn: text(&project, "dsn") }
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.call("GET", path, None);
        answer.get("results").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        parse(&self.request(method, path, body))
    }

    /// One request of the API, with a connection of its own: nothing of the tests' speed depends on it.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let (body, port) = (body.map(Value::to_string).unwrap_or_default(), self.port);
        let head = format!(
            "{method} {API}/{path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        let mut answer = String::new();
        let done = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.write_all((head + &body).as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(done.is_ok() && status.starts_with('2'), "{method} {path}: {done:?}\n{answer}");
        body.to_owned()
    }
}

/// A project: issues of its own, and a DSN that leads there.
#[derive(Clone, Debug)]
pub struct Project<'s> {
    server: &'s Server,
    id: String,
    /// For `SENTRY_DSN`.
    pub dsn: String,
}

/// What the server made one issue of.
#[derive(Clone, Debug)]
pub struct Issue {
    id: String,
    /// `SIGSEGV: null pointer dereference at 0x0 (SEGV_MAPERR)`.
    pub title: String,
    /// The function that the list of issues names.
    pub place: String,
    /// How many events are in it.
    pub events: u64,
}

/// One report as the server has it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Our id of it.
    pub event_id: String,
    /// The event that was sent.
    pub data: Value,
    /// The page with the stack trace, as the server makes it of the event: Markdown.
    pub stacktrace: String,
}

impl Project<'_> {
    /// All issues.
    #[must_use]
    pub fn issues(&self) -> Vec<Issue> {
        self.server.list(&format!("issues/?project={}", self.id)).iter().map(Issue::read).collect()
    }

    /// Waits for an issue whose title begins so and that has this many events.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn wait_for_issue(&self, title_prefix: &str, events: u64) -> Issue {
        let until = Instant::now() + TIMEOUT;
        loop {
            let issues = self.issues();
            let is_it = |issue: &&Issue| issue.title.starts_with(title_prefix) && issue.events >= events;
            if let Some(issue) = issues.iter().find(is_it) {
                return issue.clone();
            }
            assert!(Instant::now() < until, "no issue {title_prefix:?} with {events} events: {issues:#?}");
            std::thread::sleep(NAP);
        }
    }

    /// Waits until there are so many issues.
    ///
    /// # Panics
    /// When they do not come, or more do.
    #[must_use]
    pub fn wait_for_issues(&self, count: usize) -> Vec<Issue> {
        let until = Instant::now() + TIMEOUT;
        loop {
            let issues = self.issues();
            if issues.len() >= count {
                assert_eq!(issues.len(), count, "{issues:#?}");
                return issues;
            }
            assert!(Instant::now() < until, "{count} issues are not there: {issues:#?}");
            std::thread::sleep(NAP);
        }
    }

    /// The events of an issue, newest first.
    #[must_use]
    pub fn events(&self, issue: &Issue) -> Vec<Event> {
        let events = self.server.list(&format!("events/?issue={}", issue.id));
        events.iter().map(|event| self.event(&text(event, "id"))).collect()
    }

    fn event(&self, id: &str) -> Event {
        let event = self.server.call("GET", &format!("events/{id}/"), None);
        Event {
            event_id: text(&event, "event_id").replace('-', ""),
            data: event.get("data").cloned().unwrap_or_default(),
            stacktrace: self.server.request("GET", &format!("events/{id}/stacktrace/"), None),
        }
    }

    /// The releases that the server has heard of.
    #[must_use]
    pub fn releases(&self) -> Vec<String> {
        let releases = self.server.list(&format!("releases/?project={}", self.id));
        releases.iter().map(|release| text(release, "version")).collect()
    }
}

impl Issue {
    fn read(issue: &Value) -> Self {
        Self {
            id: text(issue, "id"),
            title: format!("{}: {}", text(issue, "calculated_type"), text(issue, "calculated_value")),
            place: text(issue, "transaction"),
            events: issue.get("stored_event_count").and_then(Value::as_u64).unwrap_or_default(),
        }
    }
}

impl Event {
    /// The functions of the exception that gives the title, innermost first, as the page with the stack trace has them.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        let exception = self.stacktrace.split("\n# Threads").next().unwrap_or_default();
        let frames = exception.lines().filter(|line| line.starts_with("### "));
        frames.filter_map(|line| line.split('`').nth(1)).map(str::to_owned).collect()
    }

    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.data.get("tags")?.get(key)?.as_str()
    }
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json:?}"))
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
