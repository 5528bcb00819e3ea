//! The words that node and monitor exchange stand where the reader looks for them, each under its own name.

use std::sync::atomic::Ordering;

use crate::scene::{fresh, read};

#[test]
fn every_word_is_read_back() {
    let recorder = fresh();
    let control = recorder.control();
    let words = [
        &control.pid,
        &control.stop_kind,
        &control.stop_signal,
        &control.exit_tid,
        &control.capture_timeout_ms,
    ];
    for (value, word) in (1..).zip(words) {
        word.store(value, Ordering::Relaxed);
    }
    let longs = [
        &control.start_realtime_ns,
        &control.start_boottime_ns,
        &control.stop_boottime_ns,
        &control.breadcrumbs_next,
        &control.errors_next,
        &control.errors_taken,
        &control.dropped,
    ];
    for (value, long) in (1 << 40..).zip(longs) {
        long.store(value, Ordering::Relaxed);
    }
    read(recorder, |snapshot| {
        let view = snapshot.control();
        let words = [view.pid, view.stop_kind, view.stop_signal, view.exit_tid, view.capture_timeout_ms];
        assert_eq!(words, [1, 2, 3, 4, 5]);
        let longs = [
            view.start_realtime_ns,
            view.start_boottime_ns,
            view.stop_boottime_ns,
            view.breadcrumbs_next,
            view.errors_next,
            view.errors_taken,
            view.dropped,
        ];
        assert!(longs.into_iter().eq((1 << 40..).take(7)));
    });
}
