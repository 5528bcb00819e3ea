//! The one table, and who may have it.

use core::ffi::c_char;

use lifeboat_abi::{ABI_VERSION, Frame, Metric, MetricLabel, Options, Origin, Status, Str, Table};
use lifeboat_recorder::RecordKind;

use crate::settings::Settings;
use crate::{calls, check, info, metrics, start, state, text};

static TABLE: Table = Table {
    struct_size: size_of::<Table>() as u32,
    abi_version: ABI_VERSION,
    start: Some(start),
    stop: Some(stop),
    is_on: Some(is_on),
    thread_attach: Some(thread_attach),
    rearm: Some(rearm),
    tag: Some(tag),
    context: Some(context),
    breadcrumb: Some(breadcrumb),
    error: Some(error),
    fatal: Some(fatal),
    check: Some(check),
    metric_resolve: Some(metric_resolve),
    metric_row: Some(metric_row),
    counter_add: Some(counter_add),
    gauge_set: Some(gauge_set),
    gauge_add: Some(gauge_add),
    histogram_observe: Some(histogram_observe),
    health: Some(health),
    heartbeat: Some(heartbeat),
    metrics_text: Some(metrics_text),
    status_text: Some(status_text),
    uncaught: Some(uncaught),
    metric_shared: Some(metric_shared),
    info_set: Some(info_set),
};

/// The table, or null where the host was built for another major version.
#[must_use]
pub const fn api(host_abi: u32, _host_size: u32) -> *const Table {
    if host_abi == ABI_VERSION { &raw const TABLE } else { core::ptr::null() }
}

unsafe extern "C" fn start(options: *const Options) -> i32 {
    // SAFETY: the contract of `lifeboat_start`.
    match unsafe { Settings::new(options) } {
        Some(settings) => start::start(&settings) as i32,
        None => Status::InvalidArgument as i32,
    }
}

extern "C" fn stop() -> i32 {
    start::stop() as i32
}

extern "C" fn is_on() -> u32 {
    u32::from(state::recorder().is_some())
}

unsafe extern "C" fn thread_attach(name: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::thread_attach(name) as i32 }
}

extern "C" fn rearm() -> i32 {
    calls::rearm() as i32
}

unsafe extern "C" fn tag(key: Str, value: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::tag(key, value) as i32 }
}

unsafe extern "C" fn context(section: Str, key: Str, value: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::context(section, key, value) as i32 }
}

unsafe extern "C" fn breadcrumb(level: u32, category: Str, message: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::breadcrumb(level, category, message) as i32 }
}

unsafe extern "C" fn error(level: u32, kind: Str, message: Str, frames: *const Frame, count: u64) -> i32 {
    // SAFETY: the contract of the table: texts and frames are valid for the call.
    unsafe { calls::record(RecordKind::Error, [level, 0], [kind, message], frames, count) as i32 }
}

unsafe extern "C" fn fatal(kind: Str, message: Str, frames: *const Frame, count: u64) -> i32 {
    let level = lifeboat_abi::Level::Fatal as u32;
    // SAFETY: the contract of the table: texts and frames are valid for the call.
    unsafe { calls::record(RecordKind::LastWords, [level, 0], [kind, message], frames, count) as i32 }
}

unsafe extern "C" fn uncaught(origin: u32, kind: Str, message: Str, frames: *const Frame, count: u64) -> i32 {
    let to = if origin & 0xFF == Origin::Panic as u32 { RecordKind::Panic } else { RecordKind::LastWords };
    let level = lifeboat_abi::Level::Fatal as u32;
    // SAFETY: the contract of the table: texts and frames are valid for the call.
    unsafe { calls::record(to, [level, origin], [kind, message], frames, count) as i32 }
}

unsafe extern "C" fn metric_resolve(metric: *mut Metric) -> i32 {
    // SAFETY: the contract of the table: a handle's texts live as long as it.
    unsafe { metrics::resolve(metric) as i32 }
}

extern "C" fn metric_row() -> *mut u64 {
    metrics::row()
}

extern "C" fn metric_shared() -> *mut u64 {
    metrics::shared()
}

unsafe extern "C" fn counter_add(metric: *mut Metric, value: u64) -> i32 {
    // SAFETY: the contract of the table: a handle's texts live as long as it.
    unsafe { metrics::counter_add(metric, value) as i32 }
}

unsafe extern "C" fn gauge_set(metric: *mut Metric, value: f64) -> i32 {
    // SAFETY: the contract of the table: a handle's texts live as long as it.
    unsafe { metrics::gauge(metric, value, |metrics, slot, value| metrics.set(slot, value)) as i32 }
}

unsafe extern "C" fn gauge_add(metric: *mut Metric, value: f64) -> i32 {
    // SAFETY: the contract of the table: a handle's texts live as long as it.
    unsafe { metrics::gauge(metric, value, |metrics, slot, value| metrics.add_float(slot, value)) as i32 }
}

unsafe extern "C" fn histogram_observe(metric: *mut Metric, value: f64) -> i32 {
    // SAFETY: the contract of the table: a handle's texts live as long as it.
    unsafe { metrics::histogram_observe(metric, value) as i32 }
}

unsafe extern "C" fn health(component: Str, state: i32, detail: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::health(component, state, detail) as i32 }
}

unsafe extern "C" fn heartbeat(name: Str, deadline_ms: u32) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { calls::heartbeat(name, deadline_ms) as i32 }
}

unsafe extern "C" fn check(name: Str, passed: u32, severity: u32, detail: Str) -> i32 {
    // SAFETY: the contract of the table: texts are valid for the call.
    unsafe { check::check(name, passed != 0, severity, detail) as i32 }
}

unsafe extern "C" fn metrics_text(buffer: *mut c_char, size: u64) -> u64 {
    // SAFETY: the contract of the table: the buffer has this size, or is null and has none.
    unsafe { text::metrics_text(buffer, if buffer.is_null() { 0 } else { size }) }
}

extern "C" fn status_text(status: i32) -> *const c_char {
    Status::from_number(status).map_or(c"unknown status", Status::text).as_ptr()
}

unsafe extern "C" fn info_set(metric: *mut Metric, labels: *const MetricLabel, labels_count: u64) -> i32 {
    // SAFETY: the contract of `lifeboat_info_set`.
    unsafe { info::set(metric, labels, labels_count) as i32 }
}
