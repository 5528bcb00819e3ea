//! What `watch` knows of a node beside what the node says itself, as it tells it to `serve`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One look at the node, its machine and its past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was taken, milliseconds since 1970.
    pub taken_ms: u64,
    /// The node's process first; those that belong to it follow.
    pub processes: Vec<ProcessSample>,
    /// The limits of the container or service that the node is in, where there is one.
    pub cgroup: Option<CgroupSample>,
    /// What became of the node's former lives, and of this one; nothing where that could never be read.
    pub life: Option<Life>,
    /// What waits to be delivered.
    pub spool: SpoolSample,
    /// The databases that are looked after.
    pub databases: Vec<DatabaseSample>,
    /// How this life ended, once it has.
    pub ended: Option<Ended>,
}

/// One process. What the kernel does not tell is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSample {
    /// The module that runs in it; nothing for the node itself.
    pub module: Option<String>,
    /// Its process id.
    pub pid: u32,
    /// Whether it lives; one that has ended and was not waited for yet does not.
    pub is_up: bool,
    /// The state of its first thread, by the kernel's letter: `R` runs, `S` and `D` wait, `T` and `t` are stopped, and the
    /// whole process with it.
    pub state: Option<char>,
    /// CPU time in user mode, seconds.
    pub user_seconds: Option<f64>,
    /// CPU time in the kernel, seconds.
    pub system_seconds: Option<f64>,
    /// Resident memory, bytes.
    pub resident_bytes: Option<u64>,
    /// Swapped memory, bytes.
    pub swapped_bytes: Option<u64>,
    /// Address space, bytes.
    pub virtual_bytes: Option<u64>,
    /// Most address space allowed (`RLIMIT_AS`), bytes; nothing where there is no limit.
    pub virtual_max_bytes: Option<u64>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Most open descriptors allowed.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Bytes that it had read from storage.
    pub read_bytes: Option<u64>,
    /// Bytes that it had written to storage.
    pub written_bytes: Option<u64>,
    /// Context switches that its threads asked for by waiting. Threads that came and went between two looks count nothing.
    pub voluntary_switches: Option<u64>,
    /// Context switches that the scheduler forced.
    pub involuntary_switches: Option<u64>,
    /// When it was started, seconds since 1970.
    pub start_seconds: Option<f64>,
    /// Its past, for a module; the node's own is the sample's.
    pub life: Option<Life>,
}

/// A control group, by the names of version 2.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CgroupSample {
    /// `memory.current`, bytes.
    pub memory_bytes: Option<u64>,
    /// `memory.max`, bytes; nothing where there is no limit.
    pub memory_max_bytes: Option<u64>,
    /// `oom_kill` of `memory.events`.
    pub oom_kills: Option<u64>,
    /// `throttled_usec` of `cpu.stat`, seconds.
    pub throttled_seconds: Option<f64>,
    /// Share of the last ten seconds in which some thread waited for memory (`memory.pressure`), 0 to 1.
    pub memory_pressure_ratio: Option<f64>,
}

/// What became of the lives of a node or module under this name and state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// How often it was started again.
    pub restarts: u64,
    /// Deaths by cause.
    pub deaths: BTreeMap<String, u64>,
    /// The last death by cause, seconds since 1970.
    pub last_deaths: BTreeMap<String, u64>,
    /// Stops by kind: `requested`, `clean`, `hard`.
    pub stops: BTreeMap<String, u64>,
    /// Loops that gave no proof of life for so long that it was told.
    #[serde(default)]
    pub hangs: u64,
    /// Ends by what the parent was told: `0`, `1`, `SIGSEGV`; known of modules.
    #[serde(default)]
    pub exits: BTreeMap<String, u64>,
}

/// The spool of the state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolSample {
    /// Reports that lie there.
    pub reports: u64,
    /// When the oldest of them was stored, seconds since 1970; nothing where there is no server that it waits for.
    pub oldest_seconds: Option<u64>,
    /// Reports by what became of them: `sent`, `dropped`, `suppressed`; one that could never be read is not there.
    pub counts: BTreeMap<String, u64>,
}

/// One SQLite database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSample {
    /// Its name, as its label says it: the file's name without the folder.
    pub name: String,
    /// The size of its file, bytes; nothing where there is none.
    pub size_bytes: Option<u64>,
    /// The size of its write-ahead log, bytes.
    pub wal_bytes: Option<u64>,
    /// Its page size, bytes.
    pub page_bytes: Option<u64>,
    /// Pages that hold nothing.
    pub free_pages: Option<u64>,
    /// What the last `quick_check` said: whether the database is whole; nothing where there was none.
    pub is_whole: Option<bool>,
    /// The first complaint of that check, or why there was none.
    pub detail: String,
    /// When it was last checked and found whole, seconds since 1970.
    pub last_whole_seconds: Option<u64>,
}

/// How a life ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The cause of a death; empty where the end was asked for.
    pub cause: String,
    /// When, seconds since 1970.
    pub at_seconds: u64,
    /// The report's id; empty where there is none, or it is not known.
    pub event_id: String,
    /// What `/health` says of it: `died by signal (SIGSEGV)`.
    pub detail: String,
}
