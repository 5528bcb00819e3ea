//! Brings the other threads of a process that is about to die to a stop, and takes what they show. All are traced
//! already, by the calling thread.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, Instant};

use crate::watch::{images, process, ptrace, threads};

use super::trace::Scene;

/// How long this may take. A thread in an uninterruptible wait does not stop.
const DEADLINE: Duration = Duration::from_millis(500);
/// For so long we yield the processor to those who are about to stop; then we sleep between looks.
const YIELD_FOR: Duration = Duration::from_millis(20);
const NAP: Duration = Duration::from_micros(200);
/// Most threads that are captured.
const THREADS_MAX: usize = 1024;
/// Most notes about single threads.
const NOTES_MAX: usize = 8;

/// The scene, with every thread but `tid`, which stands still. Changes that come meanwhile are left in `waiting`: so the
/// others stand still until those are looked at.
pub(super) fn of_others(pid: u32, tid: u32, waiting: &mut VecDeque<(u32, i32)>) -> Scene {
    let mut scene = Scene::default();
    let mut expected: Vec<u32> = others(pid, tid);
    if expected.len() > THREADS_MAX {
        expected.truncate(THREADS_MAX);
        scene.notes.push(format!("only the first {THREADS_MAX} threads were captured"));
    }
    // Who waits to be looked at stands still already.
    for (stopped, _) in waiting.iter().filter(|(_, status)| libc::WIFSTOPPED(*status)) {
        if let Some(at) = expected.iter().position(|other| other == stopped) {
            scene.threads.push(threads::of_stopped(pid, expected.swap_remove(at)));
        }
    }
    expected.retain(|other| ptrace::interrupt(*other).is_ok());
    let from = Instant::now();
    while !expected.is_empty() {
        match ptrace::next_change(false) {
            Ok(Some((changed, status))) => {
                waiting.push_back((changed, status));
                if let Some(at) = expected.iter().position(|other| *other == changed) {
                    expected.swap_remove(at);
                    if libc::WIFSTOPPED(status) {
                        scene.threads.push(threads::of_stopped(pid, changed));
                    }
                }
            }
            Ok(None) if from.elapsed() < YIELD_FOR => std::thread::yield_now(),
            Ok(None) if from.elapsed() < DEADLINE => std::thread::sleep(NAP),
            _ => break,
        }
    }
    for late in expected.iter().take(NOTES_MAX) {
        scene.notes.push(format!("thread {late} did not stop in time and was left alone"));
    }
    scene.maps = process::maps(tid);
    scene.images = images::images(tid, &scene.maps);
    // By the thread that is there: the first one may have ended.
    scene.process = process::process(tid);
    scene
}

fn others(pid: u32, tid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|other| *other != tid).collect()
}
