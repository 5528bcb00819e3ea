//! Lifeboat, loaded as a node loads it: `LIFEBOAT_REPORTER` names the reporter.

use std::time::Duration;

use lifeboat::{Counter, Gauge, Histogram};
use lifeboat_recorder::metrics::Format;
use lifeboat_tests::Memory;

use crate::Result;
use crate::turns::{LABELS, Peer, repeat, values};

static MESSAGES: Counter = Counter::new("bench", "messages", "Messages.");
static OF_TOPIC: Counter = Counter::new("bench", "topics", "Messages of a topic.").labels(&LABELS);
static LATE: Counter = Counter::new("bench", "late", "Messages of a late topic.");
static PEERS: Gauge = Gauge::new("bench", "peers", "Peers.");
static DELAY: Histogram = Histogram::new("bench", "delay", "Delay.").unit("seconds");
static PAGE: Counter = Counter::new("page", "messages", "Messages.");

/// Lifeboat at work in this process.
pub(crate) struct Ours {
    memory: Memory,
}

impl Ours {
    pub(crate) fn start() -> Result<Self> {
        let status = lifeboat::start(lifeboat::Options::new());
        if !lifeboat::is_on() {
            return Err(format!("no reporter is at work: {status:?}; scripts/bench-peers names it").into());
        }
        // The monitor needs a moment to be there.
        for _ in 0..1000 {
            if let Ok(memory) = Memory::of_node(std::process::id()) {
                return Ok(Self { memory });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("no monitor holds this process's metrics".into())
    }

    pub(crate) fn peer(&self) -> Peer {
        let value = values();
        let operations = vec![
            ("counter", repeat(|_| MESSAGES.increment())),
            ("labelled", repeat(|_| OF_TOPIC.increment())),
            ("late", repeat(|_| LATE.with(&LABELS).increment())),
            ("gauge_set", repeat(|round| PEERS.set(round as f64))),
            ("gauge_add", repeat(|_| PEERS.add(1.0))),
            ("histogram", repeat(move |round| DELAY.observe(value(round)))),
        ];
        Peer::new("**Lifeboat**", operations)
    }

    /// Makes these series of one metric, besides those that there are.
    pub(crate) fn make(&self, topics: impl Iterator<Item = String>) {
        for topic in topics {
            PAGE.with(&[("topic", &topic), ("kind", "relay")]).increment();
        }
    }

    /// Writes the page; answers its size.
    pub(crate) fn page(&self) -> usize {
        let mut page = Vec::new();
        self.memory.expose(Format::Text, &mut |piece| {
            page.extend_from_slice(piece);
            true
        });
        page.len()
    }
}
