//! A metric's handle: declared static in the node, resolved by the reporter at its first use after start.

use core::ffi::c_char;

use crate::Str;

/// What a metric is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only ever grows.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Counts observations by size.
    Histogram = 3,
    /// Says by its labels what is true of the node; its value is 1.
    Info = 4,
}

/// One label of a series.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MetricLabel {
    /// The label's name.
    pub name: Str,
    /// Its value.
    pub value: Str,
}

/// One series of a metric, named `<module>_<name>[_<unit>][_total|_info]`. The texts must live as long as the handle.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `sizeof` this struct in the caller's header.
    pub struct_size: u32,
    /// A [`MetricKind`].
    pub kind: u32,
    /// The slot that the reporter gave this series; 0 until resolved, `u32::MAX` when refused.
    pub slot: u32,
    /// How many labels.
    pub labels_count: u32,
    /// The labels, or null.
    pub labels: *const MetricLabel,
    /// The module, NUL-terminated.
    pub module: *const c_char,
    /// The name, NUL-terminated.
    pub name: *const c_char,
    /// One sentence of help, NUL-terminated.
    pub help: *const c_char,
    /// The base unit (`seconds`, `bytes`, `ratio`), NUL-terminated, or null.
    pub unit: *const c_char,
    /// A histogram's upper bounds, ascending, or null for the default.
    pub bounds: *const f64,
    /// How many bounds.
    pub bounds_count: u32,
    /// Zero; the reporter's own, once it knows the metric's family.
    pub reserved: u32,
}
