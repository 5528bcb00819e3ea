//! Where everything lies. Version 1: sections may be added at the end of the table, never moved or changed.

use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::health::COMPONENT_HEAD;

/// The first eight bytes.
pub(crate) const MAGIC: [u8; 8] = *b"LIFEBOAT";
/// Changes only when an older reader could misread.
pub const LAYOUT_VERSION: u32 = 1;
/// Where the table of sections starts.
pub(crate) const TABLE_OFFSET: usize = 32;
/// How many sections a reader looks at.
pub(crate) const SECTIONS_MAX: u32 = 16;
/// One entry of the table: kind, count, offset, stride.
pub(crate) const TABLE_ENTRY_BYTES: usize = 24;

/// Longest key of a tag or context, and longest context section name, bytes.
pub const KEY_MAX: usize = 64;
/// Longest value of a tag, bytes (Sentry cuts at 200 characters).
pub const TAG_VALUE_MAX: usize = 200;
/// Longest value of a context, bytes.
pub const CONTEXT_VALUE_MAX: usize = 512;
/// Longest breadcrumb category, bytes.
pub const BREADCRUMB_CATEGORY_MAX: usize = 64;
/// Longest breadcrumb message, bytes.
pub const BREADCRUMB_MESSAGE_MAX: usize = 384;
/// Longest type of an error or of last words, bytes.
pub const RECORD_KIND_MAX: usize = 128;
/// Longest message of an error or of last words, bytes.
pub const RECORD_MESSAGE_MAX: usize = 4096;
/// Most frames that a language may hand over.
pub const FRAMES_MAX: usize = 64;
/// Longest function or file name of such a frame, bytes.
pub const FRAME_TEXT_MAX: usize = 256;
/// Longest setting, bytes.
pub const SETTING_MAX: usize = 1000;
/// Most registers of a thread.
pub const REGISTERS_MAX: usize = 34;
/// How much of the dying thread's stack is kept, bytes.
pub const STACK_BYTES: usize = 64 * 1024;
/// How much of the list of mappings is kept, bytes.
pub const MAPS_BYTES: usize = 256 * 1024;

/// How many tags, contexts, breadcrumbs, last words and unsent errors there is room for.
pub const TAGS: usize = 64;
/// See [`TAGS`].
pub const CONTEXTS: usize = 128;
/// See [`TAGS`]. A report shows the last 100; the rest is margin for slots in mid-write.
pub const BREADCRUMBS: usize = 128;
/// See [`TAGS`].
pub const LAST_WORDS: usize = 4;
/// See [`TAGS`].
pub const ERRORS: usize = 8;
/// See [`TAGS`]: panics, of which most are caught; the newest stay.
pub const PANICS: usize = 16;
/// How many components and how many heartbeats there is room for.
pub const COMPONENTS: usize = 64;
/// See [`COMPONENTS`].
pub const HEARTBEATS: usize = 64;
/// Longest name of a component or a heartbeat, bytes.
pub const HEALTH_NAME_MAX: usize = 64;
/// Longest detail of a component, bytes.
pub const COMPONENT_DETAIL_MAX: usize = 256;
const SETTINGS: usize = 16;

const PAGE: usize = 4096;
const SLOT_HEAD: usize = size_of::<crate::slot::SlotHead>();
/// What stands before the two slots of a tag or context.
pub(crate) const ENTRY_HEAD: usize = size_of::<EntryHead>();

const fn align(bytes: usize, to: usize) -> usize {
    bytes.div_ceil(to) * to
}

const fn text(max: usize) -> usize {
    4 + max
}

const fn entry_slot(value_max: usize) -> usize {
    align(SLOT_HEAD + 16 + text(KEY_MAX) * 2 + text(value_max), 8)
}

/// One section: its number in the file, its place and the size of one item.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) kind: u32,
    pub(crate) offset: usize,
    pub(crate) count: usize,
    pub(crate) stride: usize,
}

impl Section {
    const fn after(previous: Self, kind: u32, count: usize, stride: usize) -> Self {
        Self { kind, offset: align(previous.end(), PAGE), count, stride }
    }

    pub(crate) const fn end(&self) -> usize {
        self.offset + self.count * self.stride
    }
}

pub(crate) const CONTROL: Section = Section { kind: 1, offset: 1024, count: 1, stride: 1024 };
pub(crate) const SETTINGS_SECTION: Section =
    Section::after(CONTROL, 2, SETTINGS, align(SLOT_HEAD + text(SETTING_MAX), 8));
pub(crate) const TAGS_SECTION: Section =
    Section::after(SETTINGS_SECTION, 3, TAGS, align(ENTRY_HEAD + 2 * entry_slot(TAG_VALUE_MAX), 64));
pub(crate) const CONTEXTS_SECTION: Section =
    Section::after(TAGS_SECTION, 4, CONTEXTS, align(ENTRY_HEAD + 2 * entry_slot(CONTEXT_VALUE_MAX), 64));
pub(crate) const BREADCRUMBS_SECTION: Section = Section::after(
    CONTEXTS_SECTION,
    5,
    BREADCRUMBS,
    align(SLOT_HEAD + 24 + text(BREADCRUMB_CATEGORY_MAX) + text(BREADCRUMB_MESSAGE_MAX), 64),
);
const RECORD_BYTES: usize = align(
    SLOT_HEAD
        + 32
        + text(RECORD_KIND_MAX)
        + text(RECORD_MESSAGE_MAX)
        + FRAMES_MAX * (16 + 2 * text(FRAME_TEXT_MAX)),
    PAGE,
);
pub(crate) const LAST_WORDS_SECTION: Section =
    Section::after(BREADCRUMBS_SECTION, 6, LAST_WORDS, RECORD_BYTES);
pub(crate) const ERRORS_SECTION: Section = Section::after(LAST_WORDS_SECTION, 7, ERRORS, RECORD_BYTES);
/// Where the stack and the mappings start within the death slot.
pub(crate) const DEATH_STACK: usize = 4096;
pub(crate) const DEATH_MAPS: usize = DEATH_STACK + STACK_BYTES;
pub(crate) const DEATH_SECTION: Section = Section::after(ERRORS_SECTION, 8, 1, DEATH_MAPS + MAPS_BYTES);
pub(crate) const PANICS_SECTION: Section = Section::after(DEATH_SECTION, 9, PANICS, RECORD_BYTES);
const COMPONENT_SLOT: usize = align(SLOT_HEAD + 24 + text(HEALTH_NAME_MAX) + text(COMPONENT_DETAIL_MAX), 8);
pub(crate) const COMPONENTS_SECTION: Section =
    Section::after(PANICS_SECTION, 10, COMPONENTS, align(COMPONENT_HEAD + 2 * COMPONENT_SLOT, 64));
pub(crate) const HEARTBEATS_SECTION: Section = Section::after(COMPONENTS_SECTION, 11, HEARTBEATS, 128);
pub(crate) const SECTIONS: [Section; 11] = [
    CONTROL,
    SETTINGS_SECTION,
    TAGS_SECTION,
    CONTEXTS_SECTION,
    BREADCRUMBS_SECTION,
    LAST_WORDS_SECTION,
    ERRORS_SECTION,
    DEATH_SECTION,
    PANICS_SECTION,
    COMPONENTS_SECTION,
    HEARTBEATS_SECTION,
];

/// The size of the whole recorder, bytes. Pages that nobody wrote cost nothing.
pub const RECORDER_BYTES: usize = align(HEARTBEATS_SECTION.end(), PAGE);

/// Texts that are written once, before the monitor starts.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The program's name.
    App = 0,
    /// Its version.
    Version = 1,
    /// `SENTRY_RELEASE`, where it is set.
    Release = 2,
    /// The commit.
    Commit = 3,
    /// The environment.
    Environment = 4,
    /// The fleet.
    Fleet = 5,
    /// The node.
    Node = 6,
    /// The data source name of the server.
    Dsn = 7,
    /// The state directory, absolute.
    StateDir = 8,
    /// The version of the reporter in the node.
    Reporter = 9,
    /// The program's file.
    Program = 10,
}

/// Words that node and monitor exchange, and counts. Every field is written whole.
#[repr(C)]
pub struct Control {
    /// Rings the monitor: raised by one and woken by futex.
    pub doorbell: AtomicU32,
    /// A `MonitorState`.
    pub monitor_state: AtomicU32,
    /// The monitor's process id in its own namespace; 0 until it runs.
    pub monitor_pid: AtomicU32,
    /// The errno with which the monitor could not be started.
    pub monitor_errno: AtomicU32,
    /// The node's process id.
    pub pid: AtomicU32,
    /// A `StopKind`.
    pub stop_kind: AtomicU32,
    /// The signal that asked the node to stop.
    pub stop_signal: AtomicU32,
    /// The thread that has entered `exit`; 0 before.
    pub exit_tid: AtomicU32,
    /// Set by the monitor once it holds that thread.
    pub exit_ack: AtomicU32,
    /// How long the node waits for its capture, milliseconds.
    pub capture_timeout_ms: AtomicU32,
    /// The generation of the death that the monitor has captured.
    pub death_ack: AtomicU32,
    /// The generation that the monitor has reported although the process lives on: its handler jumped away or hangs.
    pub death_released: AtomicU32,
    /// When the node started its lifeboat: nanoseconds since 1970.
    pub start_realtime_ns: AtomicU64,
    /// The same moment in nanoseconds since boot.
    pub start_boottime_ns: AtomicU64,
    /// When the node was asked to stop: nanoseconds since boot.
    pub stop_boottime_ns: AtomicU64,
    /// The next breadcrumb's ticket.
    pub breadcrumbs_next: AtomicU64,
    /// The next last words' ticket.
    pub last_words_next: AtomicU64,
    /// The next error's ticket.
    pub errors_next: AtomicU64,
    /// How many errors the monitor has taken.
    pub errors_taken: AtomicU64,
    /// Records dropped because no room was left or a writer was at work.
    pub dropped: AtomicU64,
    /// The next panic's ticket.
    pub panics_next: AtomicU64,
    /// The signal by which a node that hangs may be asked to let the monitor in; 0 where none was wanted.
    pub hang_signal: AtomicU32,
    /// 1 while our handler stands there.
    pub hang_armed: AtomicU32,
    /// Which hang the monitor asks to be let in for; written before the signal is sent.
    pub hang_request: AtomicU32,
    /// For which the node has let it in.
    pub hang_allowed: AtomicU32,
    /// With which the monitor is done; equal to the request where nothing is asked for.
    pub hang_done: AtomicU32,
    /// The thread that let it in.
    pub hang_tid: AtomicU32,
    /// Where that thread's `ucontext` lies: what it did before the signal came.
    pub hang_context: AtomicU64,
    /// 1 where a heartbeat has a new deadline and the monitor has not been rung since.
    pub heartbeats_new: AtomicU32,
    /// Reserved.
    pub reserved: AtomicU32,
}

/// What the monitor is up to.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorState {
    /// Being started.
    Starting = 0,
    /// At work.
    Running = 1,
    /// It could not be executed.
    Failed = 2,
    /// It has left.
    Gone = 3,
}

/// Who asked the process to end.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// Nobody.
    None = 0,
    /// The program called `lifeboat_stop`.
    Clean = 1,
    /// SIGTERM, SIGINT or SIGHUP came.
    Requested = 2,
}

/// How far the record of a death has come; whatever stands before it is whole.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeathStage {
    /// Nobody has died.
    None = 0,
    /// A thread is writing.
    Claimed = 1,
    /// Signal, code, address, thread.
    Signal = 2,
    /// Registers.
    Registers = 3,
    /// The stack's top.
    Stack = 4,
    /// The mappings: all is here.
    Complete = 5,
    /// Another handler repaired the fault: nobody died.
    Recovered = 6,
}

/// The death slot's head; the stack and the mappings follow in the section.
#[repr(C)]
pub struct Death {
    /// A `DeathStage`.
    pub stage: AtomicU32,
    /// Raised by one with every fault that is recorded.
    pub generation: AtomicU32,
    /// The thread that took the signal.
    pub tid: AtomicU32,
    /// The signal.
    pub signal: AtomicU32,
    /// `si_code`, as its 32 bits.
    pub code: AtomicU32,
    /// Who sent it, where somebody did.
    pub sender_pid: AtomicU32,
    /// How many registers are valid.
    pub registers_count: AtomicU32,
    /// 1 where the mappings did not fit.
    pub maps_truncated: AtomicU32,
    /// 1 where a handler of the node's own comes next, which may repair the fault.
    pub is_chained: AtomicU32,
    /// Reserved.
    pub reserved: AtomicU32,
    /// `si_addr`.
    pub fault_address: AtomicU64,
    /// When: nanoseconds since 1970.
    pub realtime_ns: AtomicU64,
    /// When: nanoseconds since boot.
    pub boottime_ns: AtomicU64,
    /// Where the copied stack starts.
    pub stack_start: AtomicU64,
    /// How much of it was copied.
    pub stack_bytes: AtomicU64,
    /// How much of the mappings was copied.
    pub maps_bytes: AtomicU64,
    /// The registers, in the order of the kernel's `user_regs_struct` of this machine.
    pub registers: [AtomicU64; REGISTERS_MAX],
}

/// What stands before the two slots of a tag or context: the newer one counts.
#[repr(C)]
pub(crate) struct EntryHead {
    /// The hash of section and key; 0 while free.
    pub(crate) hash: AtomicU64,
    /// Which slot counts: 0 none, 1 the first, 2 the second.
    pub(crate) current: AtomicU32,
    /// The thread that writes, or 0.
    pub(crate) writer: AtomicU32,
}

const _: () = assert!(size_of::<Control>() <= CONTROL.stride, "the control block fits its section");
const _: () = assert!(size_of::<Death>() <= DEATH_STACK, "the death slot's head fits before the stack");
const _: () = assert!(
    TABLE_OFFSET + SECTIONS.len() * TABLE_ENTRY_BYTES <= CONTROL.offset,
    "the table of sections fits before the control block"
);
