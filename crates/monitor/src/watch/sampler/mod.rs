//! Looks at the node from outside, now and then and when `serve` asks, in a thread of its own: what it reads may hang.

pub(crate) mod process;

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::modules::Modules;
use crate::MetricValue;
use crate::sample::{Ended, Sample};
use crate::talk::{self, Answer, Question};

/// How often the node is looked at where nobody asks: for the course that its report shows.
const INTERVAL: Duration = Duration::from_secs(15);
/// How long `serve` may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whom to look at.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The node's process id.
    pub(crate) pid: u32,
    /// The node's modules, where they are looked after.
    pub(crate) modules: Option<Arc<Modules>>,
}

/// What the sampler has seen, for those who make the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The last values of the node's own endpoint.
    pub(crate) scraped: Vec<MetricValue>,
}

/// The thread that looks.
pub(crate) struct Sampler {
    subject: Subject,
    seen: Arc<Mutex<Seen>>,
    serve: Option<Arc<UnixStream>>,
}

impl Sampler {
    /// Starts to look; `serve` is the role's end of the socket, where there is one.
    pub(crate) fn start(subject: Subject, serve: Option<UnixStream>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let serve = serve.map(Arc::new);
        let (of_thread, stream) = (Arc::clone(&seen), serve.clone());
        let thread = std::thread::Builder::new().name("sampler".into()).stack_size(256 * 1024);
        // Where there is no thread to be had the node's numbers are missing, and nothing else.
        let looked_at = subject.clone();
        let _ = thread.spawn(move || look(&looked_at, stream.as_deref(), &of_thread));
        Self { subject, seen, serve }
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells `serve` that this life is over, and how.
    pub(crate) fn end(&self, ended: Ended) {
        let Some(stream) = self.serve.as_deref() else { return };
        let sample = Sample { ended: Some(ended), ..sample(&self.subject) };
        // One that does not listen any more knows by the node's pidfd.
        let _ = talk::send(stream, &Answer::Sample(Box::new(sample)));
    }
}

fn look(subject: &Subject, serve: Option<&UnixStream>, seen: &Mutex<Seen>) {
    let Some(stream) = serve else {
        loop {
            std::thread::sleep(INTERVAL);
            let _ = sample(subject);
        }
    };
    let _ = stream.set_read_timeout(Some(INTERVAL));
    let _ = stream.set_write_timeout(Some(WRITE_TIMEOUT));
    loop {
        let outcome = match talk::receive(stream) {
            Ok(Question::Sample) => talk::send(stream, &Answer::Sample(Box::new(sample(subject)))),
            Ok(Question::Scraped(values)) => {
                seen.lock().unwrap_or_else(PoisonError::into_inner).scraped = values;
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            return;
        }
    }
}

fn sample(subject: &Subject) -> Sample {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Sample {
        taken_ms: u64::try_from(since.as_millis()).unwrap_or(0),
        processes: [process::process_sample(subject.pid)]
            .into_iter()
            .chain(subject.modules.iter().flat_map(|modules| modules.samples()))
            .collect(),
        ..Sample::default()
    }
}
