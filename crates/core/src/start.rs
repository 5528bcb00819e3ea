//! `start` and `stop`: the recorder is mapped, the monitor started, the handlers installed; and the way back.

use core::mem::offset_of;
use core::sync::atomic::Ordering;

use lifeboat_abi::{Options, Status};
use lifeboat_recorder::{RECORDER_BYTES, Recorder, Setting, StopKind};

use crate::settings::Settings;
use crate::sys::{self, number};
use crate::{altstack, bell, calls, hang, metrics, monitor, shared, signals, spawn, state, systemd, trust};

/// Version and commit of this build; `lifeboat doctor` finds it in the library's file by its first word.
const VERSION: &str =
    concat!("lifeboat-reporter ", env!("CARGO_PKG_VERSION"), " (", env!("LIFEBOAT_BUILD_COMMIT"), ")");

/// Where each setting comes from.
const SETTINGS: [(Setting, &str, usize); 7] = [
    (Setting::App, "", offset_of!(Options, app)),
    (Setting::Version, "", offset_of!(Options, version)),
    (Setting::Commit, "LIFEBOAT_COMMIT", offset_of!(Options, commit)),
    (Setting::Environment, "SENTRY_ENVIRONMENT", offset_of!(Options, environment)),
    (Setting::Fleet, "LIFEBOAT_FLEET", offset_of!(Options, fleet)),
    (Setting::Node, "LIFEBOAT_NODE", offset_of!(Options, node)),
    (Setting::Dsn, "SENTRY_DSN", offset_of!(Options, dsn)),
];

/// Begins.
pub(crate) fn start(settings: &Settings) -> Status {
    if !settings.is_on() {
        return Status::Off;
    }
    let page = match state::begin_start() {
        Ok(page) => page,
        Err(status) => return status,
    };
    let started = begin(page, settings);
    state::end_start();
    started.err().unwrap_or(Status::Ok)
}

fn begin(page: &state::Page, settings: &Settings) -> Result<(), Status> {
    keep_state_dir(settings)?;
    trust::own_folder(&state::STATE_DIR)?;
    let path = monitor::find(settings)?;
    let (recorder, recorder_fd) = new_recorder()?;
    let metrics_fd = metrics::begin(settings).inspect_err(|_| sys::close(recorder_fd))?;
    describe(recorder, settings);
    let pid = sys::getpid() as usize;
    // SAFETY: the call takes numbers alone.
    let launched = unsafe { sys::call(number::PIDFD_OPEN, [pid, 0, 0, 0, 0, 0]) }
        .map_err(|_| Status::UnsupportedPlatform)
        .and_then(|pid_fd| {
            let descriptors = [recorder_fd, pid_fd as i32, metrics_fd];
            let started = spawn::monitor(path.as_c_str(), settings.environ, recorder, descriptors);
            sys::close(pid_fd as i32);
            started
        });
    sys::close(recorder_fd);
    sys::close(metrics_fd);
    let monitor = launched?;
    page.publish(recorder);
    altstack::attach();
    signals::arm(signals::Time::First);
    hang::arm(recorder, settings);
    systemd::begin(settings);
    monitor.go();
    Ok(())
}

/// A clean end: the handlers go back to whoever had them, and the monitor leaves.
pub(crate) fn stop() -> Status {
    let Some((page, recorder)) = state::recorder() else { return Status::NotStarted };
    signals::disarm();
    hang::disarm(recorder);
    page.withdraw();
    recorder.control().stop_kind.store(StopKind::Clean as u32, Ordering::Release);
    bell::ring(recorder);
    Status::Ok
}

fn new_recorder() -> Result<(Recorder, i32), Status> {
    let (base, fd) = shared::memory(RECORDER_BYTES)?;
    // SAFETY: the mapping is zeroed, as large as a recorder, shared with the monitor's reader alone, and never unmapped.
    Ok((unsafe { Recorder::format(base) }, fd))
}

/// Writes what is known at start.
fn describe(recorder: Recorder, settings: &Settings) {
    let control = recorder.control();
    control.pid.store(sys::getpid(), Ordering::Relaxed);
    control.capture_timeout_ms.store(settings.capture_timeout_ms(), Ordering::Relaxed);
    control.start_realtime_ns.store(sys::clock_ns(sys::CLOCK_REALTIME), Ordering::Relaxed);
    control.start_boottime_ns.store(sys::clock_ns(sys::CLOCK_BOOTTIME), Ordering::Relaxed);
    for (setting, variable, offset) in SETTINGS {
        if let Some(text) = settings.text(variable, offset) {
            let _ = recorder.setting(setting, text);
        }
    }
    if let Some(release) = settings.environ.get("SENTRY_RELEASE") {
        let _ = recorder.setting(Setting::Release, release);
    }
    let mut state_dir = [0; state::PathBuffer::ROOM];
    let length = state::STATE_DIR.copy_to(&mut state_dir);
    let _ = recorder.setting(Setting::StateDir, state_dir.get(..length).unwrap_or(&[]));
    let _ = recorder.setting(Setting::Reporter, VERSION.as_bytes());
    let mut program = [0; state::PathBuffer::ROOM];
    if let Ok(program) = sys::readlink(c"/proc/self/exe", &mut program) {
        let _ = recorder.setting(Setting::Program, program);
    }
    let tags = settings.text("LIFEBOAT_TAGS", offset_of!(Options, tags)).unwrap_or(&[]);
    for pair in tags.split(|byte| *byte == b',') {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        if let (Some(key), Some(value)) = (halves.next(), halves.next()) {
            let _ = calls::tag_in(recorder, key.trim_ascii(), value.trim_ascii());
        }
    }
}

/// Finds the state directory: named, or root's, or the user's.
fn keep_state_dir(settings: &Settings) -> Result<(), Status> {
    let set = |parts: [&[u8]; 2]| {
        let mut path = [0_u8; state::PathBuffer::ROOM];
        let [base, below] = parts;
        for (to, from) in path.iter_mut().zip(base.iter().chain(below)) {
            *to = *from;
        }
        let whole = path.get(..base.len() + below.len()).unwrap_or(&[]);
        whole.starts_with(b"/") && state::STATE_DIR.set(whole)
    };
    let home = |name, below| settings.environ.get(name).map(|base| [base, below]);
    let parts = if let Some(named) = settings.text("LIFEBOAT_STATE_DIR", offset_of!(Options, state_dir)) {
        Some([named, &b""[..]])
    } else if sys::geteuid() == 0 {
        Some([&b"/var/lib/lifeboat"[..], &b""[..]])
    } else {
        home("XDG_STATE_HOME", &b"/lifeboat"[..]).or_else(|| home("HOME", b"/.local/state/lifeboat"))
    };
    if parts.is_some_and(set) { Ok(()) } else { Err(Status::StateDirMissing) }
}
