//! What a call answers: 0 is success, each other number has one meaning and one sentence.

/// The answer of a Lifeboat call. Numbers are never reused or renumbered.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The call did its work.
    Ok = 0,
    /// This program was built without Lifeboat: the call is compiled out.
    Disabled = 1,
    /// Lifeboat is built in but not turned on.
    Off = 2,
    /// `lifeboat_start` has been called before; the first start stays in force.
    AlreadyStarted = 3,
    /// The call needs `lifeboat_start` first.
    NotStarted = 4,
    /// The reporter at hand does not know this call.
    NotSupported = 5,
    /// A needed pointer was null or a length was out of range.
    InvalidArgument = 6,
    /// The bounded store for this kind of record is full.
    NoRoom = 7,
    /// Another thread was writing the same record; this write was dropped and counted.
    Busy = 8,
    /// This platform has no Lifeboat.
    UnsupportedPlatform = 9,
    /// `LIFEBOAT_REPORTER` is not an absolute path.
    ReporterNotAbsolute = 20,
    /// There is no file at `LIFEBOAT_REPORTER`.
    ReporterMissing = 21,
    /// The file or a folder above it could be written by somebody other than root or this user.
    ReporterUnsafe = 22,
    /// The file is not a shared library.
    ReporterNotALibrary = 23,
    /// The file ends before its own headers say it does.
    ReporterTruncated = 24,
    /// The file is a library, but for another machine or not Lifeboat's.
    ReporterForeign = 25,
    /// The library is Lifeboat's, but refuses this program's ABI version.
    ReporterOtherVersion = 26,
    /// The dynamic loader refused the library.
    ReporterLoadFailed = 27,
    /// The program runs with privileges that its caller lacks (set-uid, file capabilities).
    Privileged = 28,
    /// There is no executable monitor where one was expected.
    MonitorMissing = 40,
    /// The monitor's file or a folder above it could be written by somebody other than root or this user.
    MonitorUnsafe = 41,
    /// The monitor could not be started.
    MonitorFailed = 42,
    /// The kernel refused the memory for the flight recorder.
    NoMemory = 43,
    /// No state directory is named and none can be derived.
    StateDirMissing = 44,
    /// The state directory is no folder, could be written by others, or cannot be made.
    StateDirUnusable = 45,
}

impl Status {
    /// One sentence that names the cause and the remedy, NUL-terminated for C.
    #[must_use]
    pub const fn text(self) -> &'static core::ffi::CStr {
        match self {
            Self::Ok => c"ok",
            Self::Disabled => c"built without Lifeboat: build with LIFEBOAT_LOAD or LIFEBOAT_LINK to have it",
            Self::Off => c"Lifeboat is off: set LIFEBOAT_REPORTER (load) or LIFEBOAT=on (link) to turn it on",
            Self::AlreadyStarted => c"Lifeboat has been started before: the first start stays in force",
            Self::NotStarted => c"Lifeboat is not started: call lifeboat_start first",
            Self::NotSupported => c"the loaded reporter does not do this: use a newer one, where there is one",
            Self::InvalidArgument => c"an argument was null or out of range",
            Self::NoRoom => c"the bounded store for this kind of record is full",
            Self::Busy => c"another thread was writing the same record: this write was dropped and counted",
            Self::UnsupportedPlatform => c"Lifeboat runs on Linux x86_64: here every call does nothing",
            Self::ReporterNotAbsolute => c"LIFEBOAT_REPORTER is not an absolute path: write it from the root on",
            Self::ReporterMissing => c"there is no file at LIFEBOAT_REPORTER: install it or mend the path",
            Self::ReporterUnsafe => {
                c"the reporter or a folder above it could be written by others: give it to root or this user and remove group and world write"
            }
            Self::ReporterNotALibrary => c"the file at LIFEBOAT_REPORTER is not a shared library",
            Self::ReporterTruncated => c"the reporter's file is cut short: install it again",
            Self::ReporterForeign => {
                c"the library at LIFEBOAT_REPORTER is for another machine or is not Lifeboat's"
            }
            Self::ReporterOtherVersion => c"the reporter refuses this program's ABI version: use one of the same major version",
            Self::ReporterLoadFailed => c"the dynamic loader refused the reporter",
            Self::Privileged => c"Lifeboat does not load into a set-uid or capability program",
            Self::MonitorMissing => {
                c"lifeboat-monitor is not there or not executable: set LIFEBOAT_MONITOR or keep it in ../bin beside the reporter"
            }
            Self::MonitorUnsafe => {
                c"lifeboat-monitor or a folder above it could be written by others: give it to root or this user and remove group and world write"
            }
            Self::MonitorFailed => c"lifeboat-monitor could not be started",
            Self::NoMemory => c"the kernel refused the memory for the flight recorder",
            Self::StateDirMissing => c"no state directory: set LIFEBOAT_STATE_DIR to an absolute path",
            Self::StateDirUnusable => {
                c"the state directory is no folder, belongs to another user, could be written by others or cannot be made: name one of this user's own"
            }
        }
    }

    /// The status with this number, if it is one of ours.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| *status as i32 == number)
    }

    /// Every status, in the order of its number.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Disabled,
        Self::Off,
        Self::AlreadyStarted,
        Self::NotStarted,
        Self::NotSupported,
        Self::InvalidArgument,
        Self::NoRoom,
        Self::Busy,
        Self::UnsupportedPlatform,
        Self::ReporterNotAbsolute,
        Self::ReporterMissing,
        Self::ReporterUnsafe,
        Self::ReporterNotALibrary,
        Self::ReporterTruncated,
        Self::ReporterForeign,
        Self::ReporterOtherVersion,
        Self::ReporterLoadFailed,
        Self::Privileged,
        Self::MonitorMissing,
        Self::MonitorUnsafe,
        Self::MonitorFailed,
        Self::NoMemory,
        Self::StateDirMissing,
        Self::StateDirUnusable,
    ];
}
