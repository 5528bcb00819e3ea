//! Looks at the node from outside, now and then and when `serve` asks, in a thread of its own: what it reads may hang.

pub(crate) mod cgroup;
mod course;
mod databases;
mod out_of_memory;
pub(crate) mod process;
mod spool;

use std::io::{self, PipeReader, PipeWriter};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::capture::{CoursePoint, End, OutOfMemory};
use crate::lives::{Lives, Record};
use crate::post::{self, Counts};
use crate::sample::{Ended, Life, ProcessSample, Sample};
use crate::talk::{self, Answer, Question};
use crate::{MetricValue, rest, serve};

use super::kin;
use super::modules::{Joined, Modules};
use super::serving::Serving;

use course::Course;
use databases::Databases;
pub use databases::Named as NamedDatabases;
use out_of_memory::{Look, Looks};

/// How often the node is looked at where nobody asks: for the course that its report shows.
const INTERVAL: Duration = Duration::from_secs(15);
/// After a wait that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Whom to look at.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The node's process id.
    pub(crate) pid: u32,
    /// The state directory.
    pub(crate) state_dir: PathBuf,
    /// What became of the node's lives.
    pub(crate) lives: Lives,
    /// Handled errors that became no report and are not in the record of its lives yet.
    pub(crate) suppressed: Arc<AtomicU64>,
    /// Hangs that are not in that record yet.
    pub(crate) hung: Arc<AtomicU64>,
    /// The node's modules, where they are looked after.
    pub(crate) modules: Option<Arc<Modules>>,
    /// Whether reports are for a server; without one the spool is where they belong.
    pub(crate) has_server: bool,
}

/// What the sampler has seen, for those who make the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The last values of the node's own endpoint.
    pub(crate) scraped: Vec<MetricValue>,
    /// What the node needed over its last minutes.
    pub(crate) course: Vec<CoursePoint>,
    looks: Looks,
}

/// The thread that looks, until this is dropped: a host's monitor outlives the modules that have joined it.
pub(crate) struct Sampler {
    looker: Arc<Looker>,
    seen: Arc<Mutex<Seen>>,
    serve: Option<Arc<Serving>>,
    /// Its other end sees that this one is closed.
    _stop: Option<PipeWriter>,
}

impl Sampler {
    /// Starts to look; `serve` is the role that is told, where there is one.
    pub(crate) fn start(subject: Subject, serve: Option<Arc<Serving>>) -> Self {
        let start_ticks = process::start_ticks(subject.pid);
        let databases = Databases::from_environment(&subject.state_dir, subject.lives.node());
        // Where nobody is told, nobody needs to know: reports say nothing of databases.
        if serve.is_some() && serve::is_shown() {
            databases.start();
        }
        let looker = Arc::new(Looker {
            start_ticks,
            subject,
            databases,
            switches: Mutex::default(),
            last: Mutex::default(),
            sending: Mutex::default(),
            joined: Mutex::default(),
        });
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (of_thread, told, serving) = (Arc::clone(&looker), Arc::clone(&seen), serve.clone());
        let thread = std::thread::Builder::new().name("sampler".into()).stack_size(256 * 1024);
        // Where there is no thread to be had, or no pipe, the node's numbers are missing, and nothing else.
        let stop = io::pipe().ok().map(|(stopped, stop)| {
            let _ = thread.spawn(move || look(&of_thread, serving.as_deref(), &stopped, &told));
            stop
        });
        Self { looker, seen, serve, _stop: stop }
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// What the kernel counted of processes that it killed for want of memory, for an end that may be such.
    pub(crate) fn out_of_memory(&self, end: End) -> OutOfMemory {
        match end {
            End::Signaled(libc::SIGKILL) => lock(&self.seen).looks.clone().until_now(),
            _ => OutOfMemory::default(),
        }
    }

    /// Tells `serve` that this life is over, and how.
    pub(crate) fn end(&self, ended: Ended) {
        self.looker.note_suppressed();
        let Some(stream) = self.serve.as_ref().and_then(|serve| serve.finish()) else { return };
        let sample = Sample { ended: Some(ended), ..self.looker.sample() };
        // One that does not listen any more knows by the node's pidfd.
        let _ = self.looker.send(&stream, sample);
    }
}

fn look(looker: &Looker, serve: Option<&Serving>, stopped: &PipeReader, seen: &Mutex<Seen>) {
    let mut course = Course::default();
    let mut due = Instant::now();
    loop {
        if due <= Instant::now() {
            due = Instant::now() + INTERVAL;
            // Before the process is seen to live: what is counted after its end shall be in none.
            let look = Look::now(looker.subject.pid);
            let process = looker.process();
            course.add(&process, cgroup::cgroup_sample(looker.subject.pid).as_ref());
            let mut seen = lock(seen);
            seen.course = course.points();
            if process.is_up {
                seen.looks.add(look);
            }
            drop(seen);
            looker.note_suppressed();
            rest::give_back();
        }
        let left = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        if !wait(looker, serve, stopped, seen, left) {
            return;
        }
    }
}

/// Waits so long, or until there was a question, or `serve` is to be started again; whether there is more to come.
fn wait(
    looker: &Looker,
    serve: Option<&Serving>,
    stopped: &PipeReader,
    seen: &Mutex<Seen>,
    left: Duration,
) -> bool {
    let stream = serve.and_then(Serving::stream);
    let missing = serve.filter(|_| stream.is_none());
    let left = missing.and_then(Serving::until_due).map_or(left, |due| due.min(left));
    match next(stream.as_deref(), stopped, left) {
        Next::Stopped => return false,
        Next::Asked(stream) => {
            if !goes_on(stream, looker, seen)
                && let Some(serve) = serve
            {
                serve.has_gone();
            }
        }
        Next::Due => {
            if missing.is_some_and(Serving::go_on) {
                looker.forget_told();
            }
        }
    }
    true
}

/// What there is to do.
enum Next<'a> {
    Due,
    /// There is a question, or nobody who could ask any more.
    Asked(&'a UnixStream),
    Stopped,
}

/// Waits for it, for so long at most.
fn next<'a>(serve: Option<&'a UnixStream>, stopped: &PipeReader, within: Duration) -> Next<'a> {
    let timeout = Timespec::try_from(within).ok();
    let stopped = [PollFd::new(stopped, PollFlags::IN)].into_iter();
    let mut polled: Vec<_> = stopped.chain(serve.map(|stream| PollFd::new(stream, PollFlags::IN))).collect();
    if poll(&mut polled, timeout.as_ref()).is_err() {
        // A signal came, or there is no memory: not at once again.
        std::thread::sleep(PAUSE.min(within));
        return Next::Due;
    }
    let mut is_ready = polled.iter().map(|it| !it.revents().is_empty());
    match (is_ready.next(), is_ready.next(), serve) {
        (Some(true), ..) => Next::Stopped,
        (_, Some(true), Some(stream)) => Next::Asked(stream),
        _ => Next::Due,
    }
}

/// Answers one question; whether there may be others. Where that failed nobody is to wait for answers that will not come:
/// the other side sees the end.
fn goes_on(stream: &UnixStream, looker: &Looker, seen: &Mutex<Seen>) -> bool {
    let is_answered = answer(stream, looker, seen).is_ok();
    if !is_answered {
        let _ = stream.shutdown(Shutdown::Both);
    }
    is_answered
}

/// Takes one question and answers it.
fn answer(stream: &UnixStream, looker: &Looker, seen: &Mutex<Seen>) -> io::Result<()> {
    match talk::receive(stream)? {
        Question::Sample => {
            looker.send_joined(stream)?;
            looker.send(stream, looker.sample())
        }
        Question::Scraped(values) => {
            lock(seen).scraped = values;
            Ok(())
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sum over threads that come and go, as a count that never goes down.
#[derive(Clone, Copy, Debug, Default)]
struct Rising {
    last: u64,
    /// What was counted by threads that have ended.
    ended: u64,
}

impl Rising {
    fn take(&mut self, sum: u64) -> u64 {
        self.ended = self.ended.saturating_add(self.last.saturating_sub(sum));
        self.last = sum;
        sum.saturating_add(self.ended)
    }
}

/// Records as they were read last.
#[derive(Default)]
struct Last {
    record: Option<Record>,
    counts: Option<Counts>,
}

struct Looker {
    subject: Subject,
    /// When the node's process was started: its number may be another's one day.
    start_ticks: Option<u64>,
    databases: Databases,
    switches: Mutex<[Rising; 2]>,
    last: Mutex<Last>,
    /// Held by the one of our threads that speaks.
    sending: Mutex<()>,
    /// Modules that share our watch, each with whether the `serve` of now knows it.
    joined: Mutex<Vec<(Joined, bool)>>,
}

impl Looker {
    fn sample(&self) -> Sample {
        self.note_suppressed();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let modules = self.subject.modules.iter().flat_map(|modules| modules.samples());
        let (life, suppressed) = self.past();
        Sample {
            taken_ms: u64::try_from(since.as_millis()).unwrap_or(0),
            processes: [self.process()].into_iter().chain(modules).collect(),
            cgroup: cgroup::cgroup_sample(self.subject.pid),
            spool: spool::spool_sample(&self.subject, self.counts(), suppressed),
            life,
            databases: self.databases.look(),
            ended: None,
        }
    }

    /// The node's lives, and what became no report. A record that cannot be read now is as it was last: a count that falls
    /// for one look would be taken for a restart.
    fn past(&self) -> (Option<Life>, Option<u64>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(record) = self.subject.lives.read() {
            last.record = Some(record);
        }
        let record = last.record.as_ref();
        (record.map(|record| record.life.clone()), record.map(|record| record.suppressed))
    }

    /// What became of reports, likewise.
    fn counts(&self) -> Option<Counts> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(counts) = post::counts(&self.subject.state_dir) {
            last.counts = Some(counts);
        }
        last.counts
    }

    fn send(&self, stream: &UnixStream, sample: Sample) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        talk::send(stream, &Answer::Sample(Box::new(sample)))
    }

    /// Hands over what joined modules count into, so that it is on the page that is being asked for.
    fn send_joined(&self, stream: &UnixStream) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.subject.modules.iter().flat_map(|modules| modules.take_joined());
        joined.extend(new.map(|one| (one, false)));
        joined.retain(|(one, _)| !kin::has_ended(&one.pidfd, Duration::ZERO));
        for (one, is_told) in joined.iter_mut().filter(|(_, is_told)| !is_told) {
            let descriptors = [one.pidfd.as_fd(), one.metrics.as_fd()];
            talk::send_with(stream, &Answer::Joined(one.module.clone()), &descriptors)?;
            *is_told = true;
        }
        Ok(())
    }

    /// Whoever serves from now on knows of no module.
    fn forget_told(&self) {
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        joined.iter_mut().for_each(|(_, is_told)| *is_told = false);
    }

    fn process(&self) -> ProcessSample {
        let pid = self.subject.pid;
        if self.start_ticks.is_none() || process::start_ticks(pid) != self.start_ticks {
            return ProcessSample { pid, ..ProcessSample::default() };
        }
        let mut sample = process::process_sample(pid);
        let [voluntary, involuntary] = &mut *self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        sample.voluntary_switches = sample.voluntary_switches.map(|count| voluntary.take(count));
        sample.involuntary_switches = sample.involuntary_switches.map(|count| involuntary.take(count));
        sample
    }

    /// Puts what was suppressed, and what hung, on record, so that a later life counts on. What cannot be written now waits.
    fn note_suppressed(&self) {
        let Subject { lives, suppressed, hung, .. } = &self.subject;
        let count = suppressed.swap(0, Ordering::Relaxed);
        if count > 0 && lives.suppress(count).is_err() {
            suppressed.fetch_add(count, Ordering::Relaxed);
        }
        let count = hung.swap(0, Ordering::Relaxed);
        if count > 0 && lives.hang(count).is_err() {
            hung.fetch_add(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn looker(state_dir: &std::path::Path) -> Looker {
        crate::spool::Spool::open(state_dir).unwrap();
        let subject = Subject {
            pid: std::process::id(),
            state_dir: state_dir.into(),
            lives: Lives::new(state_dir, "node"),
            suppressed: Arc::default(),
            hung: Arc::default(),
            modules: None,
            has_server: true,
        };
        Looker {
            start_ticks: None,
            databases: Databases::from_environment(state_dir, "node"),
            subject,
            switches: Mutex::default(),
            last: Mutex::default(),
            sending: Mutex::default(),
            joined: Mutex::default(),
        }
    }

    #[test]
    fn who_is_not_answered_any_more_sees_the_end() {
        let state_dir = tempfile::tempdir().unwrap();
        let (looker, seen) = (looker(state_dir.path()), Mutex::default());
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        talk::send(&theirs, &Question::Sample).unwrap();
        assert!(goes_on(&ours, &looker, &seen));
        assert!(matches!(talk::receive(&theirs).unwrap(), Answer::Sample(_)));
        theirs.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(!goes_on(&ours, &looker, &seen));
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "ours is still open, but it has ended");
        drop(ours);
    }

    #[test]
    fn a_record_that_cannot_be_read_now_does_not_fall_to_zero() {
        let state_dir = tempfile::tempdir().unwrap();
        let looker = looker(state_dir.path());
        let told = || {
            let sample = looker.sample();
            (
                sample.life.map(|life| life.stops.get("clean").copied()),
                sample.spool.counts.get("sent").copied(),
            )
        };
        assert_eq!(told(), (Some(None), Some(0)), "where nothing is on record there was nothing");
        looker.subject.lives.stop("clean").unwrap();
        let (node, sent) =
            (state_dir.path().join("nodes/node.json"), state_dir.path().join("delivered.json"));
        std::fs::write(&sent, br#"{"version":1,"record":{"sent":3,"dropped":0}}"#).unwrap();
        assert_eq!(told(), (Some(Some(1)), Some(3)));
        for path in [&node, &sent] {
            // Of a folder the kernel says that it cannot be read, to root too.
            std::fs::rename(path, path.with_extension("away")).unwrap();
            std::fs::create_dir(path).unwrap();
        }
        assert_eq!(told(), (Some(Some(1)), Some(3)));
        let fresh = self::looker(state_dir.path()).sample();
        assert_eq!(
            (fresh.life, fresh.spool.counts.len()),
            (None, 0),
            "what could never be read is not there"
        );
    }

    #[test]
    fn a_thread_that_ends_takes_no_count_with_it() {
        let mut rising = Rising::default();
        let counts: Vec<_> = [5, 9, 4, 6, 0, 0, 3].into_iter().map(|sum| rising.take(sum)).collect();
        assert_eq!(counts, [5, 9, 9, 11, 11, 11, 14]);
    }
}
