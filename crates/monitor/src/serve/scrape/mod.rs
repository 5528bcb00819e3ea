//! Reads the endpoint that a node has of its own, now and then, in a thread of its own: it may be slow, and hang. Keeps the
//! last page to show it again, and what its values were a while ago for the node's report.

mod course;
pub mod exposition;
mod settings;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use ureq::Agent;

use crate::MetricValue;
use course::Course;
pub(super) use settings::Settings;
pub use settings::check_url;

const PAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const HEADER_BYTES_MAX: usize = 16 * 1024;
const TIME_MAX: Duration = Duration::from_secs(10);
/// A node opens its endpoint a moment after it has started.
const FIRST_AFTER: Duration = Duration::from_secs(1);

/// A page as it was read.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) body: Arc<[u8]>,
    pub(super) content_type: String,
    pub(super) at: Instant,
    pub(super) took: Duration,
}

/// What the thread has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The last page that could be read.
    pub(super) page: Option<Page>,
    /// Whether the last try failed.
    pub(super) is_down: bool,
    /// Why.
    pub(super) error: String,
    pub(super) tries: u64,
    pub(super) failures: u64,
    /// For `watch`, once.
    values: Option<Vec<MetricValue>>,
}

/// The thread, as others see it; it ends, soon, when this goes.
pub(super) struct Scraper {
    seen: Arc<Mutex<Seen>>,
    /// Rung when there is something new.
    bell: Arc<OwnedFd>,
    pub(super) interval: Duration,
}

impl Scraper {
    /// Starts it.
    pub(super) fn start(settings: Settings) -> std::io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (seen, interval) = (Arc::<Mutex<Seen>>::default(), settings.interval);
        let (of_thread, ring) = (Arc::downgrade(&seen), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("scrape".into()).stack_size(256 * 1024);
        thread.spawn(move || read_on(&settings, &of_thread, &ring))?;
        Ok(Self { seen, bell, interval })
    }

    /// To be waited for.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// What is new for `watch`.
    pub(super) fn take_values(&self) -> Option<Vec<MetricValue>> {
        let _ = rustix::io::read(&*self.bell, &mut [0_u8; 8]);
        self.lock().values.take()
    }

    /// What was seen last.
    pub(super) fn seen(&self) -> Seen {
        let seen = self.lock();
        Seen { values: None, error: seen.error.clone(), page: seen.page.clone(), ..*seen }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_on(settings: &Settings, seen: &Weak<Mutex<Seen>>, bell: &OwnedFd) {
    let agent = agent();
    let mut course = Course::default();
    std::thread::sleep(FIRST_AFTER.min(settings.interval));
    while seen.strong_count() > 0 {
        let begun = Instant::now();
        let read = read(&agent, settings);
        let values = read.as_ref().ok().map(|page| {
            let text = String::from_utf8_lossy(&page.body);
            course.add(exposition::samples(&text), &settings.allow, page.at)
        });
        if let Some(seen) = seen.upgrade() {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.tries += 1;
            seen.is_down = read.is_err();
            match read {
                Ok(page) => (seen.page, seen.error) = (Some(page), String::new()),
                Err(error) => {
                    seen.failures += 1;
                    seen.error = error;
                }
            }
            seen.values = values;
        }
        let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        crate::rest::give_back();
        std::thread::sleep(settings.interval.saturating_sub(begun.elapsed()));
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(HEADER_BYTES_MAX)
        .timeout_global(Some(TIME_MAX))
        .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
        // Whatever the environment says: this way leads to no other machine.
        .proxy(None);
    config.build().into()
}

fn read(agent: &Agent, settings: &Settings) -> Result<Page, String> {
    let begun = Instant::now();
    let request = agent.get(&settings.url).header("Host", &settings.host);
    let request = request.header("Accept", "text/plain;version=0.0.4").header("Accept-Encoding", "identity");
    let response = request.call().map_err(|error| error.to_string())?;
    let (head, mut body) = response.into_parts();
    if head.status != 200 {
        return Err(format!("the node's endpoint answered {}", head.status.as_u16()));
    }
    let encoding = head.headers.get("Content-Encoding").map(|value| value.as_bytes().trim_ascii());
    if let Some(encoding) = encoding.filter(|it| !it.is_empty() && !it.eq_ignore_ascii_case(b"identity")) {
        let encoding = String::from_utf8_lossy(encoding);
        return Err(format!(
            "the node's endpoint answers in the encoding {encoding}, which nobody asked for"
        ));
    }
    let content_type = head.headers.get("Content-Type").and_then(|value| value.to_str().ok());
    let content_type = content_type.filter(|value| !value.is_empty()).unwrap_or("text/plain; version=0.0.4");
    let bytes = body.with_config().limit(PAGE_BYTES_MAX).read_to_vec().map_err(|error| error.to_string())?;
    Ok(Page {
        body: bytes.into(),
        content_type: content_type.to_owned(),
        at: Instant::now(),
        took: begun.elapsed(),
    })
}
