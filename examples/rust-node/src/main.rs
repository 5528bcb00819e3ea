//! A small peer-to-peer node in Rust that carries a lifeboat. It gossips with its peers by lines of text over TCP,
//! remembers what it has seen, and passes on what is new. Asked to, it dies as Rust nodes die.
//!
//!     cargo run --release --features load -- --listen 127.0.0.1:7001 --name anna
//!     LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so \
//!         rust-node --listen 127.0.0.1:7002 --name bert --peer 127.0.0.1:7001 --die panic --after-ms 2000
//!
//! Without a feature it is the public build: the same node, and no trace of Lifeboat in it.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lifeboat::{Counter, Gauge, Histogram, Level};

static MESSAGES: Counter = Counter::new("gossip", "messages", "New messages.");
static PEERS: Gauge = Gauge::new("gossip", "peers", "Connected peers.");
static DELIVERY: Histogram = Histogram::new("gossip", "delivery", "Of one message.").unit("seconds");

/// Longest line, with its end.
const LINE_BYTES_MAX: u64 = 1_024;
/// How many messages are remembered.
const SEEN_MAX: usize = 1_024;
const REDIAL: Duration = Duration::from_secs(1);
/// The main loop says in such time that it goes on.
const HEARTBEAT_MS: u32 = 2_000;
const TICK: Duration = Duration::from_millis(10);

fn main() {
    let settings = Settings::from_arguments();
    lifeboat::start!();
    catch_signals();
    let (node, inbox) = Node::new(&settings);
    listen(&node, &settings.listen);
    let worker = spawn("gossip", {
        let node = Arc::clone(&node);
        move || handle_messages(&node, inbox)
    });
    for address in settings.peers.clone() {
        let node = Arc::clone(&node);
        spawn("dial", move || dial(&node, &address));
    }
    lifeboat::tag!("role", "relay");
    if run(&node, &settings, || worker.is_finished()) == End::Doomed {
        die(&node, settings.die);
    }
    if worker.is_finished() || settings.die.is_the_workers() {
        // Without its worker the node is none. The report is called after the worker's panic, not after this one.
        worker.join().unwrap();
    }
    lifeboat::stop();
}

// ---- the node ----

/// How it is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    None,
    /// A fault in the thread that handles messages.
    Null,
    /// The same in the main thread.
    Main,
    /// Last words, then a status of its own.
    Exit,
    /// A panic in the thread that handles messages.
    Panic,
    /// The same in the main thread.
    PanicMain,
    /// A loop in the main thread that never ends: the process lives, and does nothing more.
    Hang,
}

impl Death {
    fn is_the_workers(self) -> bool {
        matches!(self, Self::Null | Self::Panic)
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Asked,
    Doomed,
}

struct Node {
    name: String,
    peers: Mutex<HashMap<u64, Peer>>,
    seen: Mutex<VecDeque<String>>,
    messages: AtomicU64,
    inbox: Sender<Message>,
}

struct Peer {
    name: String,
    stream: TcpStream,
}

/// One line of gossip, and what to do with it: the mistakes of this node are on order.
struct Message {
    peer: u64,
    line: String,
    mistake: Death,
}

impl Node {
    fn new(settings: &Settings) -> (Arc<Self>, Receiver<Message>) {
        let (inbox, messages) = channel();
        let node = Self {
            name: settings.name.clone(),
            peers: Mutex::default(),
            seen: Mutex::default(),
            messages: AtomicU64::new(0),
            inbox,
        };
        (Arc::new(node), messages)
    }

    fn receive(&self, peer: u64, line: String, mistake: Death) {
        // Where the worker is gone the node is about to end.
        let _ = self.inbox.send(Message { peer, line, mistake });
    }

    fn is_new(&self, id: &str) -> bool {
        let mut seen = lock(&self.seen);
        if seen.iter().any(|known| known == id) {
            return false;
        }
        seen.push_back(id.to_owned());
        if seen.len() > SEEN_MAX {
            seen.pop_front();
        }
        true
    }
}

/// Gossips until the time is up, somebody asks it to stop, or the worker is gone.
fn run(node: &Node, settings: &Settings, worker_is_gone: impl Fn() -> bool) -> End {
    let begin = Instant::now();
    let mut next = settings.every;
    let mut counter = 0;
    loop {
        // While this loop goes round the node works.
        lifeboat::heartbeat!("gossip", HEARTBEAT_MS);
        thread::sleep(TICK);
        let lived = begin.elapsed();
        if STOP.load(Ordering::Relaxed) || worker_is_gone() {
            return End::Asked;
        }
        if settings.after.is_some_and(|after| lived >= after) {
            return if settings.die == Death::None { End::Asked } else { End::Doomed };
        }
        if next.is_some_and(|next| lived >= next) {
            next = settings.every.map(|every| lived + every);
            counter += 1;
            node.receive(0, format!("gossip {}-{counter} block {counter}", node.name), Death::None);
        }
    }
}

#[inline(never)]
fn die(node: &Node, death: Death) {
    let line = "gossip last-1 the last message".to_owned();
    match death {
        Death::None => {}
        Death::Exit => {
            lifeboat::fatal!("DatabaseError", "cannot open the message store: {}", "disk image is malformed");
            eprintln!("fatal: cannot open the message store");
            exit(1);
        }
        Death::Hang => wait_for_room(),
        Death::Main | Death::PanicMain => deliver(node, &Message { peer: 0, line, mistake: death }),
        Death::Null | Death::Panic => node.receive(0, line, death),
    }
}

/// Waits until there is room in the store: the node's mistake is that nobody ever makes any.
#[inline(never)]
fn wait_for_room() {
    static ROOM: AtomicU64 = AtomicU64::new(0);
    lifeboat::breadcrumb!(Level::Warning, "store", "full: waiting for room");
    while ROOM.load(Ordering::Relaxed) == 0 {
        std::hint::spin_loop();
    }
}

// ---- gossip ----

fn handle_messages(node: &Node, inbox: Receiver<Message>) {
    for message in inbox {
        deliver(node, &message);
    }
}

/// Prints what is new and sends it on.
#[inline(never)]
fn deliver(node: &Node, message: &Message) {
    let Some((id, text, sum)) = decode_message(message) else {
        return close(node, message.peer);
    };
    if !node.is_new(id) {
        return;
    }
    let _timer = DELIVERY.start_timer();
    let count = node.messages.fetch_add(1, Ordering::Relaxed) + 1;
    MESSAGES.increment();
    lifeboat::context!("node", "messages", count);
    lifeboat::breadcrumb!(Level::Info, "gossip", "{id}, checksum {sum}");
    let mut peers = lock(&node.peers);
    let from = peers.get(&message.peer).map_or(node.name.as_str(), |peer| peer.name.as_str());
    println!("{} got {id} from {from}", node.name);
    for (_, peer) in peers.iter_mut().filter(|(number, _)| **number != message.peer) {
        // A peer that is gone is lost where it is read.
        let _ = writeln!(peer.stream, "gossip {id} {text}");
    }
}

#[inline(never)]
fn decode_message(message: &Message) -> Option<(&str, &str, u32)> {
    let (id, text) = message.line.strip_prefix("gossip ")?.split_once(' ')?;
    let sum = checksum(text.as_bytes(), message.mistake);
    Some((id, text, sum))
}

/// The node's mistakes are here: a pointer that nobody looked at, and an index that is one too high.
#[inline(never)]
fn checksum(text: &[u8], mistake: Death) -> u32 {
    let start = match mistake {
        Death::Null | Death::Main => std::ptr::null(),
        _ => text.as_ptr(),
    };
    // SAFETY: of a message without a mistake this is the first byte, if it has one; the other is what is asked for.
    let first = if text.is_empty() { 0 } else { unsafe { start.read_volatile() } };
    let length = match mistake {
        Death::Panic | Death::PanicMain => text.len() + 1,
        _ => text.len(),
    };
    let mut sum = u32::from(first);
    for index in 1..length {
        sum = sum.wrapping_mul(31).wrapping_add(u32::from(text[index]));
    }
    sum
}

// ---- peers ----

fn listen(node: &Arc<Node>, address: &str) {
    let listener = TcpListener::bind(address).unwrap_or_else(|why| {
        lifeboat::fatal!("ListenError", "cannot listen: {why}");
        eprintln!("cannot listen on {address}: {why}");
        exit(1);
    });
    if let Ok(address) = listener.local_addr() {
        println!("listening on {address}");
    }
    let node = Arc::clone(node);
    spawn("accept", move || {
        for stream in listener.incoming().flatten() {
            let node = Arc::clone(&node);
            spawn("peer", move || talk(&node, stream));
        }
    });
}

/// A lost peer is dialled again.
fn dial(node: &Node, address: &str) {
    loop {
        if let Ok(stream) = TcpStream::connect(address) {
            talk(node, stream);
        }
        thread::sleep(REDIAL);
    }
}

/// Reads one peer until it is lost.
fn talk(node: &Node, stream: TcpStream) {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let Ok(Some((name, mut lines))) = greet(node, &stream) else { return };
    lock(&node.peers).insert(number, Peer { name: name.clone(), stream });
    PEERS.add(1.0);
    tell_peers(node, &format!("connected {name}"));
    while let Ok(Some(line)) = read_line(&mut lines) {
        node.receive(number, line, Death::None);
    }
    close(node, number);
}

fn greet(node: &Node, stream: &TcpStream) -> io::Result<Option<(String, BufReader<TcpStream>)>> {
    let mut to = stream.try_clone()?;
    writeln!(to, "hello {}", node.name)?;
    let mut lines = BufReader::new(to);
    let hello = read_line(&mut lines)?;
    let name = hello.as_deref().and_then(|line| line.strip_prefix("hello ")).map(str::to_owned);
    Ok(name.map(|name| (name, lines)))
}

/// Nothing at the end, and where a line is too long or no text.
fn read_line(lines: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.strip_suffix('\n').map(str::to_owned))
}

fn close(node: &Node, number: u64) {
    let Some(peer) = lock(&node.peers).remove(&number) else { return };
    PEERS.add(-1.0);
    let _ = peer.stream.shutdown(std::net::Shutdown::Both);
    tell_peers(node, &format!("lost {}", peer.name));
}

fn tell_peers(node: &Node, what: &str) {
    lifeboat::breadcrumb!(Level::Info, "peer", "{what}");
    lifeboat::context!("node", "peers", lock(&node.peers).len());
}

// ---- what a node needs besides ----

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    // Threads of std have a name and a signal stack: nothing is to be done for a report.
    thread::Builder::new().name(name.to_owned()).spawn(work).unwrap_or_else(|why| {
        lifeboat::fatal!("ThreadError", "cannot start {name}: {why}");
        eprintln!("cannot start {name}: {why}");
        exit(1);
    })
}

static STOP: AtomicBool = AtomicBool::new(false);

/// SIGTERM and SIGINT end the node cleanly. std has no call for that.
fn catch_signals() {
    unsafe extern "C" {
        fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    }
    extern "C" fn stop(_: i32) {
        STOP.store(true, Ordering::Relaxed);
    }
    for number in [2, 15] {
        // SAFETY: the handler stores one flag, which any handler may.
        unsafe { signal(number, stop) };
    }
}

struct Settings {
    listen: String,
    peers: Vec<String>,
    name: String,
    every: Option<Duration>,
    after: Option<Duration>,
    die: Death,
}

impl Settings {
    fn from_arguments() -> Self {
        let mut settings = Self {
            listen: "127.0.0.1:0".to_owned(),
            peers: Vec::new(),
            name: "rust".to_owned(),
            every: Some(Duration::from_millis(500)),
            after: None,
            die: Death::None,
        };
        let words: Vec<String> = std::env::args().skip(1).collect();
        for pair in words.chunks(2) {
            let taken = match pair {
                [option, value] => settings.take(option, value.clone()),
                _ => None,
            };
            taken.unwrap_or_else(|| usage());
        }
        settings
    }

    fn take(&mut self, option: &str, value: String) -> Option<()> {
        let duration = |text: &str| text.parse().ok().map(Duration::from_millis);
        match option {
            "--listen" => self.listen = value,
            "--peer" => self.peers.push(value),
            "--name" => self.name = value,
            "--every-ms" => self.every = Some(duration(&value)?).filter(|every| !every.is_zero()),
            "--after-ms" => self.after = Some(duration(&value)?),
            "--die" => self.die = death_named(&value)?,
            _ => return None,
        }
        Some(())
    }
}

fn death_named(name: &str) -> Option<Death> {
    Some(match name {
        "none" => Death::None,
        "null" => Death::Null,
        "main" => Death::Main,
        "exit" => Death::Exit,
        "panic" => Death::Panic,
        "panic-main" => Death::PanicMain,
        "hang" => Death::Hang,
        _ => return None,
    })
}

fn usage() -> ! {
    eprintln!(
        "usage: rust-node [--listen HOST:PORT] [--peer HOST:PORT]... [--name NAME] [--every-ms N] [--after-ms N] \
         [--die null|main|exit|panic|panic-main|hang|none]"
    );
    exit(2);
}
