//! `post` against a server on loopback: what is delivered, what stays, what is set aside, and that no way of
//! ending it loses a report.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod confinement;
mod server;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use lifeboat_monitor::post;
use lifeboat_monitor::spool::{Spool, State};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use server::{Reply, Server, header};
use uuid::Uuid;

struct Scene {
    _dir: tempfile::TempDir,
    state_dir: PathBuf,
    spool: Spool,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let spool = Spool::open(&state_dir).unwrap();
        Self { _dir: dir, state_dir, spool }
    }

    fn store(&self, number: u128, dsn: Option<&str>) -> Vec<u8> {
        let id = Uuid::from_u128(number);
        let dsn = dsn.map(|dsn| format!(",\"dsn\":\"{dsn}\"")).unwrap_or_default();
        let text = format!(
            "{{\"event_id\":\"{}\"{dsn}}}\n{{\"type\":\"event\"}}\n{{\"n\":{number}}}\n",
            id.simple()
        );
        self.spool.store(id, text.as_bytes()).unwrap();
        text.into_bytes()
    }

    fn post(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat-monitor"));
        command.arg("post").arg("--state-dir").arg(&self.state_dir).env_remove(post::DSN_VARIABLE);
        for variable in
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]
        {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        command
    }

    fn states(&self) -> Vec<(u128, &'static str)> {
        let all = self.spool.list().unwrap();
        let mut states: Vec<_> =
            all.iter().map(|stored| (stored.event_id.as_u128(), stored.state.word())).collect();
        states.sort_unstable();
        states
    }
}

/// A running process, which ends with its test at the latest.
struct Running {
    child: Child,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, but not for ever.
    fn end(mut self) -> ExitStatus {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&minute)).unwrap();
        assert_eq!(ended, 1, "it ended by itself within a minute");
        self.child.wait().unwrap()
    }

    fn finish(self) {
        assert_eq!(self.end().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, and been waited for, long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_came_along_from_whoever_started_it_is_closed() {
    let scene = Scene::new();
    let pipe = scene.state_dir.join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let reader = rustix::fs::open(&pipe, flags, rustix::fs::Mode::empty()).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 7>\"$0\""]).arg(&pipe).arg(scene.post().get_program());
    command.args(scene.post().get_args()).args(["--pid", &std::process::id().to_string()]);
    let mut post = Running::start(&mut command);
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let closed = poll(&mut [PollFd::new(&reader, PollFlags::empty())], Some(&minute)).unwrap();
    assert_eq!(closed, 1, "the last writer has closed it");
    assert!(post.child.try_wait().unwrap().is_none(), "post is at work");
}

#[test]
fn every_pending_report_is_delivered_as_it_is_and_post_leaves() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::status(200)]);
    let stored = [scene.store(1, Some(&server.dsn())), scene.store(2, Some(&server.dsn()))];
    Running::start(&mut scene.post()).finish();
    for bytes in stored {
        let request = server.request();
        assert_eq!(request.body, bytes);
        assert!(request.head.starts_with("POST /api/7/envelope/ HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(header(&request.head, "content-type"), Some("application/x-sentry-envelope"));
        let auth = header(&request.head, "x-sentry-auth").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            auth,
            format!("Sentry sentry_version=7, sentry_client=lifeboat/{version}, sentry_key=public")
        );
    }
    assert_eq!(server.left_over(), 0);
    assert_eq!(scene.states(), [(1, "sent"), (2, "sent")]);
}

#[test]
fn a_report_goes_where_its_own_header_says_else_where_post_was_told() {
    let scene = Scene::new();
    let (own, given) = (Server::start(vec![Reply::status(200)]), Server::start(vec![Reply::status(200)]));
    let named = scene.store(1, Some(&own.dsn()));
    let unnamed = scene.store(2, None);
    Running::start(scene.post().env(post::DSN_VARIABLE, given.dsn())).finish();
    assert_eq!((own.request().body, given.request().body), (named, unnamed));
    assert_eq!(own.left_over() + given.left_over(), 0);
}

#[test]
fn without_a_server_the_spool_is_the_destination() {
    let scene = Scene::new();
    scene.store(1, None);
    Running::start(&mut scene.post()).finish();
    assert_eq!(scene.states(), [(1, "pending")]);
}

#[test]
fn what_a_server_refuses_for_good_is_set_aside_with_its_words_made_harmless() {
    let scene = Scene::new();
    let mut words = b"no such\x1b[2J\x00project ".to_vec();
    words.resize(3_000_000, b'x');
    let server = Server::start(vec![Reply::Answer(403, "", words), Reply::status(200)]);
    scene.store(1, Some(&server.dsn()));
    scene.store(2, Some(&server.dsn()));
    Running::start(&mut scene.post()).finish();
    assert_eq!(scene.states(), [(1, "set-aside"), (2, "sent")]);
    let reason = scene.spool.reason(Uuid::from_u128(1)).unwrap();
    assert!(reason.starts_with("the server answered 403: no such [2J project xxx"), "{reason}");
    assert!(reason.len() < 400 && !reason.contains(char::is_control));
    // A later post counts on.
    let later = Server::start(vec![Reply::status(200)]);
    scene.store(3, Some(&later.dsn()));
    Running::start(&mut scene.post()).finish();
    let counts = std::fs::read(scene.spool.state_dir().join("delivered.json")).unwrap();
    let counts: serde_json::Value = serde_json::from_slice(&counts).unwrap();
    assert_eq!(counts["record"], serde_json::json!({"sent": 2, "dropped": 1}));
}

#[test]
fn a_report_that_cannot_be_read_is_set_aside_and_foreign_files_stay() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::status(200)]);
    scene.spool.store(Uuid::from_u128(1), b"garbage").unwrap();
    let cut = scene.store(2, Some(&server.dsn()));
    let cut = String::from_utf8(cut).unwrap().replace("\"event\"}", "\"event\",\"length\":500}");
    scene.spool.store(Uuid::from_u128(2), cut.as_bytes()).unwrap();
    let foreign = scene.spool.folder(State::Pending).join("README");
    std::fs::write(&foreign, "mine").unwrap();
    Running::start(&mut scene.post()).finish();
    assert_eq!(scene.states(), [(1, "set-aside"), (2, "set-aside")]);
    assert!(scene.spool.reason(Uuid::from_u128(2)).unwrap().contains("cut off"));
    assert_eq!((server.left_over(), foreign.exists()), (0, true));
}

#[test]
fn what_may_pass_is_tried_again_until_it_does() {
    let elsewhere = Server::start(vec![Reply::status(200)]);
    let location: &'static str =
        format!("location: http://127.0.0.1:{}/api/7/envelope/\r\n", elsewhere.port).leak();
    let failures = [
        Reply::status(500),
        Reply::Answer(503, "retry-after: 1\r\n", Vec::new()),
        Reply::Answer(429, "x-sentry-rate-limits: 1::key\r\n", Vec::new()),
        Reply::Answer(302, location, Vec::new()),
        Reply::Answer(307, location, Vec::new()),
        Reply::Raw(b""),
        Reply::Raw(b"HTTP/1.1 200 O"),
        Reply::Raw(b"HTTP/1.1 200 OK\r\nx: \x00\x1b\xff\r\n\r\n"),
        Reply::Raw(b"\x16\x03\x01 this is no HTTP\r\n\r\n"),
    ];
    let running: Vec<_> = failures.iter().map(|failure| fail_once(failure.clone())).collect();
    for (failure, (scene, server, child)) in failures.iter().zip(running) {
        assert_eq!(server.request().body, server.request().body, "{failure:?}");
        child.finish();
        assert_eq!(scene.states(), [(1, "sent")], "{failure:?}");
        assert_eq!(server.left_over(), 0, "{failure:?}");
    }
    assert_eq!(elsewhere.left_over(), 0, "a redirect is not followed");
}

fn fail_once(failure: Reply) -> (Scene, Server, Running) {
    let scene = Scene::new();
    let server = Server::start(vec![failure, Reply::status(200)]);
    scene.store(1, Some(&server.dsn()));
    let child = Running::start(&mut scene.post());
    (scene, server, child)
}

#[test]
fn an_accepted_report_whose_answer_breaks_off_is_not_sent_twice() {
    let scene = Scene::new();
    let server =
        Server::start(vec![Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id"), Reply::Hang]);
    scene.store(1, Some(&server.dsn()));
    Running::start(&mut scene.post()).finish();
    server.request();
    assert_eq!((server.left_over(), scene.states()), (0, vec![(1, "sent")]));
}

#[test]
fn killed_in_the_middle_nothing_is_lost() {
    for ending in [Signal::KILL, Signal::TERM] {
        let scene = Scene::new();
        let server = Server::start(vec![Reply::Hang, Reply::status(200)]);
        let stored = scene.store(1, Some(&server.dsn()));
        let child = Running::start(&mut scene.post());
        server.request();
        child.signal(ending);
        assert_eq!(child.end().signal(), Some(ending.as_raw()));
        assert_eq!(scene.states(), [(1, "pending")]);
        Running::start(&mut scene.post()).finish();
        assert_eq!(server.request().body, stored);
        assert_eq!(scene.states(), [(1, "sent")]);
    }
}

#[test]
fn a_post_at_work_is_confined() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::Hang]);
    scene.store(1, Some(&server.dsn()));
    let post = Running::start(&mut scene.post());
    server.request();
    let status = std::fs::read_to_string(format!("/proc/{}/status", post.child.id())).unwrap();
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "Threads:\t1",
    ] {
        assert!(status.lines().any(|found| found == line), "{line} in\n{status}");
    }
}

#[test]
fn of_two_posts_one_works_and_the_other_leaves() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::Hang, Reply::status(200)]);
    scene.store(1, Some(&server.dsn()));
    let mut first = Running::start(&mut scene.post());
    server.request();
    Running::start(&mut scene.post()).finish();
    assert!(first.child.try_wait().unwrap().is_none(), "the first is still at work");
    // Taking over ends the first, and delivers.
    Running::start(scene.post().arg("--take-over")).finish();
    assert_eq!(first.end().signal(), Some(Signal::TERM.as_raw()));
    server.request();
    assert_eq!(scene.states(), [(1, "sent")]);
}

#[test]
fn a_stopped_post_is_taken_over_too() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::Hang, Reply::status(200)]);
    scene.store(1, Some(&server.dsn()));
    let first = Running::start(&mut scene.post());
    server.request();
    first.signal(Signal::STOP);
    Running::start(scene.post().arg("--take-over")).finish();
    assert!(first.end().signal().is_some());
    assert_eq!(scene.states(), [(1, "sent")]);
}

#[test]
fn of_many_that_take_over_one_stays_and_everything_is_delivered() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::Hang, Reply::status(200)]);
    for number in 0..5 {
        scene.store(number, Some(&server.dsn()));
    }
    let first = Running::start(&mut scene.post());
    server.request();
    let mut all: Vec<Running> = (0..8).map(|_| Running::start(scene.post().arg("--take-over"))).collect();
    all.push(first);
    let finished = all.into_iter().map(Running::end);
    assert!(finished.filter(ExitStatus::success).count() >= 1);
    assert!(scene.states().iter().all(|(_, state)| *state == "sent"), "{:?}", scene.states());
}

#[test]
fn a_new_report_is_noticed_at_once_and_post_stays_while_its_process_lives() {
    let scene = Scene::new();
    let server = Server::start(vec![Reply::status(200)]);
    let node = Running::start(Command::new("sleep").arg("1000"));
    let post = Running::start(scene.post().arg("--pid").arg(node.child.id().to_string()));
    for number in 1..=3 {
        let stored = scene.store(number, Some(&server.dsn()));
        // The slow look at the spool comes too late for this: only the event does it.
        assert_eq!(server.request().body, stored);
    }
    drop(node);
    post.finish();
    assert_eq!(scene.states(), [(1, "sent"), (2, "sent"), (3, "sent")]);
}

#[test]
fn tls_trusts_the_authority_that_the_environment_names() {
    let scene = Scene::new();
    let (server, authority) = Server::start_tls(vec![Reply::status(200)]);
    let file = scene.state_dir.with_file_name("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let stored = scene.store(1, Some(&format!("https://public@localhost:{}/7", server.port)));
    Running::start(scene.post().env("SSL_CERT_FILE", &file)).finish();
    assert_eq!(server.request().body, stored);
    assert_eq!(scene.states(), [(1, "sent")]);
}

#[test]
fn tls_trusts_no_other_authority() {
    let scene = Scene::new();
    let (server, _) = Server::start_tls(vec![Reply::status(200)]);
    let (_, other_authority) = Server::start_tls(vec![Reply::Hang]);
    let file = scene.state_dir.with_file_name("other.pem");
    std::fs::write(&file, other_authority).unwrap();
    // The plain server sees its request only after the TLS server was tried: the order is the age.
    let plain = Server::start(vec![Reply::Hang]);
    age(&scene, 1, &format!("https://public@localhost:{}/7", server.port));
    scene.store(2, Some(&plain.dsn()));
    let child = Running::start(scene.post().env("SSL_CERT_FILE", &file));
    plain.request();
    drop(child);
    assert_eq!((server.left_over(), scene.states()), (0, vec![(1, "pending"), (2, "pending")]));
}

fn age(scene: &Scene, number: u128, dsn: &str) {
    scene.store(number, Some(dsn));
    let path: &Path = &scene.spool.pending().unwrap()[0].path;
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(old).unwrap();
}

#[test]
fn a_proxy_is_used_where_one_is_named_but_not_for_its_exceptions() {
    for (exceptions, through_proxy) in [("", true), ("other.example, 127.0.0.1", false)] {
        let scene = Scene::new();
        let proxy = Server::start(vec![Reply::Hang]);
        let server = Server::start(vec![Reply::Hang]);
        scene.store(1, Some(&server.dsn()));
        let child = Running::start(
            scene
                .post()
                .env("HTTP_PROXY", format!("http://127.0.0.1:{}", proxy.port))
                .env("NO_PROXY", exceptions),
        );
        let asked = if through_proxy { &proxy } else { &server };
        let head = asked.request().head;
        drop(child);
        let first =
            if through_proxy { format!("CONNECT 127.0.0.1:{} ", server.port) } else { "POST /".to_owned() };
        assert!(head.starts_with(&first), "{head}");
    }
}
