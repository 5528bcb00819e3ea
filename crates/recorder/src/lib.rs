//! The flight recorder: one piece of shared memory that a node writes and that its monitor holds too.
//!
//! The node writes without waiting, allocating or locking ([`Recorder`]); whoever reads works on a copy and
//! trusts no byte of it ([`Snapshot`]). The recorder knows nothing of signals, Sentry or HTTP.
#![no_std]

#[cfg(test)]
extern crate std;

mod health;
mod layout;
pub mod metrics;
mod pen;
mod reader;
mod slot;
mod views;
mod writer;

pub use health::{ComponentCopy, ComponentView, Health, HeartbeatView, component_state};
pub use layout::{
    BREADCRUMB_CATEGORY_MAX, BREADCRUMB_MESSAGE_MAX, BREADCRUMBS, COMPONENT_DETAIL_MAX, COMPONENTS,
    CONTEXT_VALUE_MAX, CONTEXTS, Control, Death, DeathStage, ERRORS, FRAME_TEXT_MAX, FRAMES_MAX,
    HEALTH_NAME_MAX, HEARTBEATS, KEY_MAX, LAST_WORDS, LAYOUT_VERSION, MAPS_BYTES, MonitorState, PANICS,
    RECORD_KIND_MAX, RECORD_MESSAGE_MAX, RECORDER_BYTES, REGISTERS_MAX, SETTING_MAX, STACK_BYTES, Setting,
    StopKind, TAG_VALUE_MAX, TAGS,
};
pub use reader::{ReadError, Snapshot};
pub use views::{BreadcrumbView, ControlView, DeathView, EntryView, FrameView, RecordView, Registers};
pub use writer::{FrameText, Outcome, Record, RecordKind, Recorder, Stamp};
