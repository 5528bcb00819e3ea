//! A simulated fleet, as those see it who ask its nodes and tell it what to do.
//!
//! Every fleet listens on addresses of its own in 127.0.0.0/8.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use lifeboat_fleet::simulate::{Generation, Host, Settings, World};
use lifeboat_fleet::{Inventory, catalogue::Catalogue};

/// Only bounds a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A simulated fleet at work, in a thread of this test.
struct Fleet {
    commands: UnixStream,
    said: Receiver<String>,
    control: String,
    /// `127.A.B`
    block: String,
    thread: Option<JoinHandle<()>>,
}

fn block() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number =
        std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 0xfe00;
    format!("127.{}.{}", 1 + number / 256, number % 256)
}

fn inventory(block: &str) -> Inventory {
    Inventory::read("fleet.toml", &inventory_text(block)).unwrap()
}

fn inventory_text(block: &str) -> String {
    format!(
        "[exporters]\nblackbox = \"{block}.9:9115\"\n\
         [[fleet]]\nname = \"f\"\nprofile = [\"logos-delivery\", \"logos-core-modules\", \"cluster\"]\nversion = \"v9\"\n\
         endpoints = {{ tls = true, rest = true, postgres = true }}\n\
         [[fleet.node]]\nname = \"one\"\naddress = \"{block}.1\"\n[[fleet.node]]\nname = \"two\"\naddress = \"{block}.2\"\n"
    )
}

impl Fleet {
    fn start() -> Self {
        let block = block();
        Self::start_with(&block, &inventory(&block))
    }

    fn start_with(block: &str, inventory: &Inventory) -> Self {
        // Long enough ago that something was counted.
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() - 1000.0;
        let world = World::new(inventory, &Settings::default(), began).unwrap();
        let mut host = Host::open(world, Some(&format!("{block}.3:0")), true).unwrap();
        let control = host.control().unwrap();
        let (commands, theirs) = UnixStream::pair().unwrap();
        let (say, said) = channel();
        let thread = std::thread::spawn(move || {
            host.serve(theirs.as_fd(), |line| say.send(line.to_owned()).unwrap()).unwrap();
        });
        Self { commands, said, control, block: block.to_owned(), thread: Some(thread) }
    }

    /// Says a line, and answers what came of it.
    fn tell(&self, line: &str) -> String {
        (&self.commands).write_all(format!("{line}\n").as_bytes()).unwrap();
        self.said.recv_timeout(TIMEOUT).unwrap()
    }

    fn address(&self, node: u32, port: u16) -> String {
        format!("{}.{node}:{port}", self.block)
    }

    fn page(&self, node: u32, port: u16) -> String {
        get(&self.address(node, port), "/metrics")
    }

    /// A sample of a page; nothing where it has none.
    fn sample(&self, node: u32, port: u16, name: &str) -> Option<f64> {
        let page = self.page(node, port);
        let line =
            page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.map(|value| value.parse().unwrap())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop((&self.commands).write_all(b"quit\n"));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn say(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: &str, path: &str) -> String {
    say(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

#[test]
fn nodes_tell_what_their_profile_says_in_either_generation() {
    let fleet = Fleet::start();
    let (first, second) = (fleet.page(1, 8008), fleet.page(2, 8008));
    for page in [&first, &second] {
        assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"), "{page}");
        assert!(page.contains("\n# TYPE libp2p_peers gauge\nlibp2p_peers "), "{page}");
    }
    assert!(
        first.contains("logos_delivery_version{version=\"v9\"} 1") && !first.contains("waku_"),
        "{first}"
    );
    assert!(
        second.contains("waku_version{version=\"v9\"} 1") && !second.contains("logos_delivery_"),
        "{second}"
    );
    assert_eq!(fleet.sample(1, 9464, "lifeboat_node_up"), Some(1.0));
    assert!(fleet.page(1, 9100).contains("\nnode_cpu_seconds_total{"));
    let probe =
        |target: &str| get(&fleet.address(9, 9115), &format!("/probe?module=tcp_connect&target={target}"));
    assert!(probe(&fleet.address(1, 60000)).contains("\nprobe_success 1\n"));
    assert!(probe("127.0.0.1:1").contains("\nprobe_success 0\n"));
    assert!(get(&fleet.address(1, 8008), "/other").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_signal_is_what_it_was_told_until_it_is_well() {
    let fleet = Fleet::start();
    let well = fleet.sample(1, 8008, "libp2p_peers").unwrap();
    assert_eq!(fleet.tell("set one peers 2"), "ok: 1 node");
    assert_eq!(fleet.sample(1, 8008, "libp2p_peers"), Some(2.0));
    assert!(fleet.sample(2, 8008, "libp2p_peers").unwrap() > 2.0);
    assert_eq!(fleet.tell("absent f/* peers"), "ok: 2 nodes");
    assert_eq!(fleet.sample(1, 8008, "libp2p_peers"), None);
    assert_eq!(fleet.tell("clear * peers"), "ok: 2 nodes");
    assert!((fleet.sample(1, 8008, "libp2p_peers").unwrap() - well).abs() <= 2.0);
    fleet.tell("label one version v8");
    assert!(fleet.page(1, 8008).contains("{version=\"v8\"}"));
    assert!(fleet.page(2, 8008).contains("{version=\"v9\"}"));
    fleet.tell("well *");
    assert!(fleet.page(1, 8008).contains("{version=\"v9\"}"));
}

#[test]
fn counters_are_what_the_simulation_says_it_counted() {
    let fleet = Fleet::start();
    let before = fleet.sample(1, 9464, "lifeboat_deaths_total{cause=\"signal\"}").unwrap();
    fleet.tell("set one deaths 3");
    let after = fleet.sample(1, 9464, "lifeboat_deaths_total{cause=\"signal\"}").unwrap();
    assert!(after >= before + 3.0, "{before} {after}");
    let counted = |text: &str| -> f64 {
        let account: serde_json::Value = serde_json::from_str(text).unwrap();
        let samples = account["endpoints"]["lifeboat"]["samples"].as_array().unwrap().clone();
        let of = |sample: &&serde_json::Value| {
            sample["name"] == "lifeboat_deaths_total" && sample["labels"]["cause"] == "signal"
        };
        samples.iter().find(of).unwrap()["value"].as_f64().unwrap()
    };
    assert_eq!(counted(&fleet.tell("tell one")), after);
    let by_control = get(&fleet.control, "/");
    let lines: Vec<&str> = by_control.split_once("\r\n\r\n").unwrap().1.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(counted(lines[0]), after);
    fleet.tell("clear *");
    // The monitor outlives the node and goes on counting; what the node itself counted is gone.
    assert!(fleet.sample(1, 8008, "process_cpu_seconds_total").unwrap() > 1.0);
    fleet.tell("restart one");
    assert!(fleet.sample(1, 8008, "process_cpu_seconds_total").unwrap() < 1.0);
    assert!(fleet.sample(1, 9464, "lifeboat_deaths_total{cause=\"signal\"}").unwrap() >= after);
}

#[test]
fn an_endpoint_is_down_or_hangs_and_the_others_are_not() {
    let fleet = Fleet::start();
    fleet.tell("down one node");
    assert!(TcpStream::connect(fleet.address(1, 8008)).is_err());
    assert_eq!(fleet.sample(1, 9464, "lifeboat_node_up"), Some(1.0));
    assert_eq!(fleet.tell("up one"), "ok: 1 node");
    assert!(fleet.sample(1, 8008, "libp2p_peers").is_some());
    fleet.tell("hang one node");
    let mut waiting = TcpStream::connect(fleet.address(1, 8008)).unwrap();
    waiting.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    // Whoever came later is answered.
    assert!(fleet.sample(2, 8008, "libp2p_peers").is_some());
    waiting.set_nonblocking(true).unwrap();
    let error = waiting.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    fleet.tell("down one reach");
    let probe = format!("/probe?target={}", fleet.address(1, 60000));
    assert!(get(&fleet.address(9, 9115), &probe).contains("\nprobe_success 0\n"));
    fleet.tell("well *");
    assert!(fleet.sample(1, 8008, "libp2p_peers").is_some());
}

#[test]
fn every_alert_has_a_node_that_is_sick_with_it() {
    let fleet = Fleet::start();
    for alert in Catalogue::ours().unwrap().alerts {
        // What is about the engines alone has no signal of a node.
        let said = fleet.tell(&format!("sick one {}", alert.name));
        let is_of_engines = alert.scope == lifeboat_fleet::catalogue::Scope::Path;
        assert!(said == "ok: 1 node" || is_of_engines, "{}: {said}", alert.name);
        assert_eq!(fleet.tell("well one"), "ok: 1 node");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_remedy_and_harms_nobody() {
    let fleet = Fleet::start();
    for (line, words) in [
        ("set nobody peers 1", "no: no node \"nobody\""),
        ("set onee peers 1", "did you mean \"one\"?"),
        ("set one peer 1", "did you mean \"peers\"?"),
        ("clear one peer", "did you mean \"peers\"?"),
        ("down one lifebaot", "did you mean \"lifeboat\"?"),
        ("sick one NodeDead", "no: no alert \"NodeDead\""),
        ("what", "no: no command \"what\""),
    ] {
        let said = fleet.tell(line);
        assert!(said.starts_with("no: ") && said.contains(words), "{line}: {said}");
    }
    let post = |more: &str| {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: 15\r\n{more}\r\n");
        say(&fleet.control, &(head + "set one peers 3"))
    };
    assert!(post("Origin: https://example.org\r\n").starts_with("HTTP/1.1 403 "));
    assert!(fleet.sample(1, 8008, "libp2p_peers").unwrap() > 3.0);
    assert!(post("").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(fleet.sample(1, 8008, "libp2p_peers"), Some(3.0));
    assert!(say(&fleet.address(1, 8008), "\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn a_node_that_cannot_be_sick_with_something_says_so() {
    let block = block();
    let text = inventory_text(&block)
        .replace(&format!("\"{block}.1\""), &format!("\"{block}.1\"\nendpoints = {{ lifeboat = false }}"));
    let fleet = Fleet::start_with(&block, &Inventory::read("fleet.toml", &text).unwrap());
    let said = fleet.tell("sick one NodeHung");
    assert_eq!(said, "no: one cannot have NodeHung: it has no endpoint `lifeboat`");
    assert!(fleet.tell("set one heartbeat_age 9").starts_with("no: one has no endpoint `lifeboat`"));
    assert!(fleet.tell("sick * NodeHung").starts_with("ok: 1 node, not 1: one cannot have NodeHung"));
}

#[test]
fn a_simulation_listens_on_this_machine_alone() {
    let text = "[[fleet]]\nname = \"f\"\nprofile = \"lifeboat\"\n[[fleet.node]]\nname = \"one\"\naddress = \"10.1.0.1\"\n";
    let inventory = Inventory::read("fleet.toml", text).unwrap();
    let world = World::new(&inventory, &Settings::default(), 0.0).unwrap();
    let error = Host::open(world, None, false).unwrap_err();
    assert!(error.contains("one would listen at 10.1.0.1:9464"), "{error}");
    let settings = Settings { generation: Generation::One("newest".into()), accelerate: 1 };
    let error = World::new(&inventory, &settings, 0.0).unwrap_err();
    assert_eq!(error, "no profile has metrics of generation \"newest\": there is one alone, so leave it out");
    let text = text.replace("\"lifeboat\"", "\"logos-delivery\"");
    let error = World::new(&Inventory::read("fleet.toml", &text).unwrap(), &settings, 0.0).unwrap_err();
    assert_eq!(error, "no profile has metrics of generation \"newest\": one of new, old");
    let fleet = Fleet::start();
    let world = World::new(&self::inventory(&fleet.block), &Settings::default(), 0.0).unwrap();
    let error = Host::open(world, None, false).unwrap_err();
    assert!(error.starts_with(&format!("cannot listen at {}.", fleet.block)), "{error}");
}
