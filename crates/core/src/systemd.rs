//! Tells systemd how the node is, where `LIFEBOAT_SYSTEMD` asks for it: `READY=1` and `WATCHDOG=1` out of the node's own
//! heartbeats, `STATUS=` out of what its components say. See
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>.
//!
//! This is the one socket that the core opens: a datagram to the service manager of this machine, which listens to the
//! service's main process alone unless told otherwise. It never waits.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use lifeboat_abi::Switch;
use lifeboat_recorder::{ComponentCopy, Recorder, component_state};

use crate::settings::Settings;
use crate::state::PathBuffer;
use crate::sys::{self, number};

const AF_UNIX: u8 = 1;
const SOCK_DGRAM_CLOEXEC: usize = 2 | 0o2_000_000;
const MSG_DONTWAIT_NOSIGNAL: usize = 0x40 | 0x4000;
/// `sun_path` of a `sockaddr_un`.
const ADDRESS_MAX: usize = 108;
const FAMILY_BYTES: usize = 2;
/// So often the watchdog is fed within its time.
const FEEDINGS: u64 = 3;
/// Between two lines of status: a component may say something new a thousand times a second.
const STATUS_PAUSE_NS: u64 = 1_000_000_000;
/// After a message that nobody took: a loop may beat a hundred thousand times a second, and the service manager be gone.
const RETRY_PAUSE_NS: u64 = 1_000_000_000;
/// More than three lines have, of which the longest names a component with its detail.
const MESSAGE_MAX: usize = 512;

/// Where the service manager listens, as the kernel wants it; empty where nobody asked for this.
static ADDRESS: PathBuffer = PathBuffer::new();
static IS_ON: AtomicU32 = AtomicU32::new(0);
static IS_READY: AtomicU32 = AtomicU32::new(0);
/// Between two feedings; 0 where there is no watchdog, or it is another process's.
static FEED_EVERY_NS: AtomicU64 = AtomicU64::new(0);
static FED_NS: AtomicU64 = AtomicU64::new(0);
static STATUS_NS: AtomicU64 = AtomicU64::new(0);
/// When a message last found nobody; 0 for never.
static REFUSED_NS: AtomicU64 = AtomicU64::new(0);
/// 1 where a component has spoken since the last line of status.
static HAS_NEWS: AtomicU32 = AtomicU32::new(0);

/// Takes what the service manager left in the environment.
pub(crate) fn begin(settings: &Settings) {
    IS_ON.store(0, Ordering::Relaxed);
    let environ = settings.environ;
    let is_asked = environ.get("LIFEBOAT_SYSTEMD").and_then(Switch::of) == Some(Switch::On);
    let Some(address) = environ.get("NOTIFY_SOCKET").filter(|_| is_asked) else { return };
    if !keep(address) {
        return;
    }
    let is_ours = environ.number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(sys::getpid()));
    let every_us = environ.number("WATCHDOG_USEC").filter(|_| is_ours).unwrap_or(0) / FEEDINGS;
    FEED_EVERY_NS.store(every_us.saturating_mul(1_000), Ordering::Relaxed);
    FED_NS.store(0, Ordering::Relaxed);
    REFUSED_NS.store(0, Ordering::Relaxed);
    IS_ON.store(1, Ordering::Release);
}

/// As `sockaddr_un`. An abstract address begins with a zero, which the environment writes as `@`.
fn keep(address: &[u8]) -> bool {
    let mut whole = [0; FAMILY_BYTES + ADDRESS_MAX];
    let [family, _, path @ ..] = &mut whole;
    *family = AF_UNIX;
    for (to, from) in path.iter_mut().zip(address) {
        *to = *from;
    }
    if path.first() == Some(&b'@') {
        path.iter_mut().take(1).for_each(|first| *first = 0);
    }
    let is_one = matches!(address.first(), Some(b'/' | b'@')) && address.len() < ADDRESS_MAX;
    is_one && whole.get(..FAMILY_BYTES + address.len()).is_some_and(|whole| ADDRESS.set(whole))
}

/// A loop gave proof of life. The first makes the service ready; others feed the watchdog, as long as every loop does.
pub(crate) fn beat(recorder: Recorder, boottime_ns: u64) {
    if !is_listening(boottime_ns) {
        return;
    }
    let mut message = Message::new();
    let is_first = IS_READY.swap(1, Ordering::AcqRel) == 0;
    if is_first {
        message.put_line(&[b"READY=1"]);
    }
    let fed_ns = FED_NS.load(Ordering::Relaxed);
    let every_ns = FEED_EVERY_NS.load(Ordering::Relaxed);
    // A loop that is late for a moment must not take the turn away: the next beat tries again.
    let feeds = is_time(fed_ns, every_ns, boottime_ns)
        && !recorder.has_overdue_heartbeat(boottime_ns)
        && take_turn(&FED_NS, fed_ns, boottime_ns);
    if feeds {
        message.put_line(&[b"WATCHDOG=1"]);
    }
    let has_status = put_status(&mut message, recorder, boottime_ns);
    if !message.send() {
        // Nobody took it: a beat after the pause says it again.
        REFUSED_NS.store(boottime_ns, Ordering::Relaxed);
        if has_status {
            HAS_NEWS.store(1, Ordering::Release);
        }
        if is_first {
            IS_READY.store(0, Ordering::Release);
        }
        if feeds {
            FED_NS.store(fed_ns, Ordering::Relaxed);
        }
    }
}

/// A component spoke.
pub(crate) fn news(recorder: Recorder, boottime_ns: u64) {
    HAS_NEWS.store(1, Ordering::Release);
    if !is_listening(boottime_ns) {
        return;
    }
    let mut message = Message::new();
    if put_status(&mut message, recorder, boottime_ns) && !message.send() {
        REFUSED_NS.store(boottime_ns, Ordering::Relaxed);
        HAS_NEWS.store(1, Ordering::Release);
    }
}

/// Whether there is a service manager, as far as is known.
fn is_listening(boottime_ns: u64) -> bool {
    IS_ON.load(Ordering::Acquire) != 0
        && is_time(REFUSED_NS.load(Ordering::Relaxed), RETRY_PAUSE_NS, boottime_ns)
}

const fn is_time(last_ns: u64, every_ns: u64, now_ns: u64) -> bool {
    every_ns != 0 && (last_ns == 0 || now_ns.saturating_sub(last_ns) >= every_ns)
}

/// Of several threads one takes a turn.
fn take_turn(turn: &AtomicU64, last_ns: u64, now_ns: u64) -> bool {
    turn.compare_exchange(last_ns, now_ns, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// `STATUS=failing: database: disk image is malformed`, where there is something new to say.
fn put_status(message: &mut Message, recorder: Recorder, boottime_ns: u64) -> bool {
    let told_ns = STATUS_NS.load(Ordering::Relaxed);
    let is_due = HAS_NEWS.load(Ordering::Acquire) != 0
        && is_time(told_ns, STATUS_PAUSE_NS, boottime_ns)
        && take_turn(&STATUS_NS, told_ns, boottime_ns);
    if !is_due {
        return false;
    }
    HAS_NEWS.store(0, Ordering::Release);
    let mut copy = [0; size_of::<ComponentCopy>()];
    let Some(worst) = recorder.worst_component(&mut copy) else { return false };
    let state: &[u8] = match worst.state {
        component_state::OK => {
            message.put_line(&[b"STATUS=ok"]);
            return true;
        }
        component_state::DEGRADED => b"STATUS=degraded: ",
        component_state::FAILING => b"STATUS=failing: ",
        _ => b"STATUS=unknown: ",
    };
    let colon: &[u8] = if worst.detail.is_empty() { b"" } else { b": " };
    message.put_line(&[state, worst.name, colon, worst.detail]);
    true
}

/// One datagram: lines of `NAME=value`.
struct Message {
    bytes: [u8; MESSAGE_MAX],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Self { bytes: [0; MESSAGE_MAX], length: 0 }
    }

    /// A line's end within a text would make an order to the service manager of the rest, such as `MAINPID=1`.
    fn put_line(&mut self, texts: &[&[u8]]) {
        let bytes =
            texts.iter().copied().flatten().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte });
        let rest = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        for (to, from) in rest.iter_mut().zip(bytes.chain([b'\n'])) {
            *to = from;
            self.length += 1;
        }
    }

    /// Whether the service manager has it; there may be nothing to send.
    fn send(&self) -> bool {
        if self.length == 0 {
            return true;
        }
        let mut address = [0; FAMILY_BYTES + ADDRESS_MAX];
        let length = ADDRESS.copy_to(&mut address);
        let quiet = |number, arguments| {
            // SAFETY: message and address are ours and live through the call; their lengths are handed over.
            unsafe { sys::call(number, arguments) }
        };
        let Ok(socket) = quiet(number::SOCKET, [AF_UNIX as usize, SOCK_DGRAM_CLOEXEC, 0, 0, 0, 0]) else {
            return false;
        };
        let (bytes, to) = (self.bytes.as_ptr() as usize, address.as_ptr() as usize);
        let sent = quiet(number::SENDTO, [socket, bytes, self.length, MSG_DONTWAIT_NOSIGNAL, to, length]);
        sys::close(socket as i32);
        sent.is_ok()
    }
}
