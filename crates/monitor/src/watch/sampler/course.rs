//! What a node needed over its last ten minutes: one point each look.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::capture::CoursePoint;
use crate::sample::{CgroupSample, ProcessSample};

/// Ten minutes, with one look each 15 seconds, and the point that they begin with.
const POINTS_MAX: usize = 41;

/// The last points.
#[derive(Debug, Default)]
pub(super) struct Course {
    points: VecDeque<CoursePoint>,
    /// Processor time at the last look.
    cpu: Option<(Instant, f64)>,
}

impl Course {
    /// Adds what was just seen; a process that has ended adds nothing.
    pub(super) fn add(&mut self, process: &ProcessSample, cgroup: Option<&CgroupSample>) {
        if !process.is_up {
            return;
        }
        let cpu = process.user_seconds.zip(process.system_seconds);
        let cpu = cpu.map(|(user, system)| (Instant::now(), user + system));
        let cpu_ratio = cpu.zip(self.cpu).and_then(|((now, used), (before, used_before))| {
            let seconds = now.duration_since(before).as_secs_f64();
            (seconds > 0.0).then(|| ((used - used_before) / seconds).max(0.0))
        });
        self.cpu = cpu;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(CoursePoint {
            at_ms: u64::try_from(since.as_millis()).unwrap_or(0),
            resident_bytes: process.resident_bytes,
            cgroup_bytes: cgroup.and_then(|cgroup| cgroup.memory_bytes),
            cpu_ratio,
            open_fds: process.open_fds,
            threads: process.threads,
        });
    }

    /// All of them, oldest first.
    pub(super) fn points(&self) -> Vec<CoursePoint> {
        self.points.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_minutes_are_kept_and_no_more() {
        let mut course = Course::default();
        let process = |number: u64| ProcessSample {
            is_up: true,
            resident_bytes: Some(number),
            user_seconds: Some(number as f64),
            system_seconds: Some(0.0),
            ..ProcessSample::default()
        };
        course.add(&ProcessSample::default(), None);
        for number in 0..1000 {
            course.add(
                &process(number),
                Some(&CgroupSample { memory_bytes: Some(7), ..CgroupSample::default() }),
            );
        }
        let points = course.points();
        assert_eq!(points.len(), POINTS_MAX);
        assert_eq!((points[0].resident_bytes, points[40].resident_bytes), (Some(959), Some(999)));
        assert!(points.iter().all(|point| point.cgroup_bytes == Some(7) && point.cpu_ratio > Some(1.0)));
        course.add(&process(0), None);
        assert_eq!(course.points()[40].cpu_ratio, Some(0.0), "time that seems to go back is none");
    }
}
