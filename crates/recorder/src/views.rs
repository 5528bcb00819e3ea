//! What a reader finds: borrowed pieces of the copy, times in nanoseconds, texts as bytes nobody has vouched for.

use crate::layout::{FRAMES_MAX, REGISTERS_MAX};

/// The registers of a thread, in the order of the kernel's `user_regs_struct`.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    pub(crate) values: [u64; REGISTERS_MAX],
    pub(crate) count: usize,
}

impl Registers {
    /// The registers that were recorded.
    #[must_use]
    pub fn values(&self) -> &[u64] {
        self.values.get(..self.count).unwrap_or(&[])
    }
}

/// The control block.
#[derive(Clone, Copy, Debug)]
pub struct ControlView {
    /// The node's process id.
    pub pid: u32,
    /// A `StopKind` number.
    pub stop_kind: u32,
    /// The signal that asked the node to stop, or 0.
    pub stop_signal: u32,
    /// The thread that has entered `exit`, or 0.
    pub exit_tid: u32,
    /// See `Control`.
    pub capture_timeout_ms: u32,
    /// Start, nanoseconds since 1970.
    pub start_realtime_ns: u64,
    /// Start, nanoseconds since boot.
    pub start_boottime_ns: u64,
    /// When a stop was asked for, nanoseconds since boot.
    pub stop_boottime_ns: u64,
    /// Breadcrumbs ever left.
    pub breadcrumbs_next: u64,
    /// Errors ever recorded.
    pub errors_next: u64,
    /// Errors that a monitor has taken.
    pub errors_taken: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Panics ever recorded.
    pub panics_next: u64,
}

/// A tag (its `section` is empty) or a context value.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// When it was set, nanoseconds since 1970.
    pub realtime_ns: u64,
    /// The context section.
    pub section: &'a [u8],
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// A breadcrumb. `ticket` gives the order.
#[derive(Clone, Copy, Debug)]
pub struct BreadcrumbView<'a> {
    /// Its number since start.
    pub ticket: u64,
    /// When, nanoseconds since 1970.
    pub realtime_ns: u64,
    /// The thread.
    pub tid: u32,
    /// A level number of the contract.
    pub level: u32,
    /// The category.
    pub category: &'a [u8],
    /// The message.
    pub message: &'a [u8],
}

/// An error or last words.
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    /// Its number since start.
    pub ticket: u64,
    /// When, nanoseconds since 1970.
    pub realtime_ns: u64,
    /// The thread.
    pub tid: u32,
    /// A level number of the contract.
    pub level: u32,
    /// An origin number of the contract.
    pub origin: u32,
    /// Whether a panic that was caught is to be reported too.
    pub report_if_caught: bool,
    /// The exception's type.
    pub kind: &'a [u8],
    /// Its message.
    pub message: &'a [u8],
    pub(crate) frames: crate::pen::Fields<'a>,
}

impl<'a> RecordView<'a> {
    /// The frames that the language handed over, innermost first; ends at the first that is torn,
    /// and at [`FRAMES_MAX`].
    pub fn frames(&self) -> impl Iterator<Item = FrameView<'a>> + use<'a> {
        let mut fields = self.frames;
        let frames = core::iter::from_fn(move || {
            Some(FrameView {
                line: fields.u32()?,
                column: fields.u32()?,
                address: fields.u64()?,
                function: fields.text()?,
                file: fields.text()?,
            })
        });
        frames.take(FRAMES_MAX)
    }
}

/// One frame of a record.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// The function.
    pub function: &'a [u8],
    /// The file.
    pub file: &'a [u8],
    /// The line; 0 where unknown.
    pub line: u32,
    /// The column; 0 where unknown.
    pub column: u32,
    /// The instruction's address; 0 where unknown.
    pub address: u64,
}

/// The death slot. What lies beyond `stage` is empty.
#[derive(Clone, Copy, Debug)]
pub struct DeathView<'a> {
    /// A `DeathStage` number.
    pub stage: u32,
    /// Which fault since start.
    pub generation: u32,
    /// The thread.
    pub tid: u32,
    /// The signal.
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// Who sent it, or 0.
    pub sender_pid: u32,
    /// `si_addr`.
    pub fault_address: u64,
    /// When, nanoseconds since 1970.
    pub realtime_ns: u64,
    /// When, nanoseconds since boot.
    pub boottime_ns: u64,
    /// The registers.
    pub registers: Registers,
    /// Where `stack` starts in the node's memory.
    pub stack_start: u64,
    /// The stack from there on.
    pub stack: &'a [u8],
    /// `/proc/self/maps` as it was.
    pub maps: &'a [u8],
    /// Whether `maps` is only its beginning.
    pub maps_truncated: bool,
    /// Whether a handler of the node's own comes next.
    pub is_chained: bool,
}
