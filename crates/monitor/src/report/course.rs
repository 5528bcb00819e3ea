//! What a node needed over its last minutes: a few words for people, and the points for whoever draws them.

use std::collections::BTreeMap;

use sentry_types::protocol::v7::Value;

use crate::capture::CoursePoint;

use super::case::Case;

/// Sentry takes no longer lists without complaint, and the sampler keeps no more.
const POINTS_MAX: usize = 64;
/// At these ages the words say how it was, beside the first and the last.
const MARKS_SECONDS: [u64; 2] = [300, 60];
/// The point beside a mark may be so far away: looks are 15 s apart.
const MARK_TOLERANCE_SECONDS: u64 = 20;

/// The course up to the death.
pub(super) struct Course {
    points: Vec<(u64, CoursePoint)>,
}

impl Course {
    /// The points with their age in seconds, oldest first; the last is what was seen at the death itself, where that was.
    pub(super) fn of(case: &Case<'_>) -> Self {
        let died_ms = match case.realtime_ns() / 1_000_000 {
            0 => case.capture.course.last().map_or(0, |point| point.at_ms),
            died_ms => died_ms,
        };
        let all = case.capture.course.iter().skip(case.capture.course.len().saturating_sub(POINTS_MAX - 1));
        let mut points: Vec<_> =
            all.map(|point| (died_ms.saturating_sub(point.at_ms) / 1000, *point)).collect();
        let process = &case.capture.process;
        if process.resident_bytes != 0 {
            let known = |number: u64| Some(number).filter(|number| *number != 0);
            let resident_bytes = known(process.resident_bytes);
            let threads = known(process.threads);
            points
                .push((0, CoursePoint { at_ms: died_ms, resident_bytes, threads, ..CoursePoint::default() }));
        }
        Self { points }
    }

    /// The last look before the death.
    pub(super) fn last(&self) -> Option<&CoursePoint> {
        self.points.last().map(|(_, point)| point)
    }

    /// The last number of descriptors that was seen.
    pub(super) fn open_fds(&self) -> Option<u64> {
        self.points.iter().rev().find_map(|(_, point)| point.open_fds)
    }

    /// `memory_course` and its like.
    pub(super) fn texts(&self) -> Vec<(&'static str, String)> {
        let count = |number: u64| number.to_string();
        let all = [
            ("memory_course", self.text(|point| point.resident_bytes.map(size))),
            ("cgroup_memory_course", self.text(|point| point.cgroup_bytes.map(size))),
            ("cpu_course", self.text(|point| point.cpu_ratio.map(|ratio| format!("{:.0} %", ratio * 100.0)))),
            ("open_fds_course", self.text(|point| point.open_fds.map(count))),
            ("threads_course", self.text(|point| point.threads.map(count))),
        ];
        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// `10 min ago 812 MiB · 5 min ago 1.1 GiB · 1 min ago 1.9 GiB · last 2.0 GiB`.
    fn text(&self, value: impl Fn(&CoursePoint) -> Option<String>) -> Option<String> {
        let known: Vec<_> =
            self.points.iter().filter_map(|(age, point)| Some((*age, value(point)?))).collect();
        let (last, before) = known.split_last()?;
        let mut said = Vec::new();
        let first = before.first().map(|(age, _)| *age);
        for mark in first.into_iter().chain(MARKS_SECONDS) {
            let nearest = before.iter().min_by_key(|(age, _)| age.abs_diff(mark));
            let is_near = |(age, _): &&(u64, String)| age.abs_diff(mark) <= MARK_TOLERANCE_SECONDS;
            if let Some(point) = nearest.filter(is_near).filter(|point| !said.contains(point)) {
                said.push(point);
            }
        }
        said.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
        let told = said.iter().map(|(age, value)| format!("{} ago {value}", span(*age)));
        Some(told.chain([format!("last {}", last.1)]).collect::<Vec<_>>().join(" · "))
    }

    /// One list for each kind of number, all as long as the list of ages; nothing where one point is all there is.
    pub(super) fn lists(&self) -> BTreeMap<String, Value> {
        if self.points.len() < 2 {
            return BTreeMap::new();
        }
        let list = |value: &dyn Fn(&CoursePoint) -> Option<Value>| -> Option<Value> {
            let values: Vec<_> = self.points.iter().map(|(_, point)| value(point)).collect();
            let is_known = values.iter().any(Option::is_some);
            is_known.then(|| values.into_iter().map(|value| value.unwrap_or(Value::Null)).collect())
        };
        // Thousandths: more digits would be noise.
        let ratio = |ratio: f64| Value::from((ratio * 1000.0).round() / 1000.0);
        let ages: Value = self.points.iter().map(|(age, _)| Value::from(*age)).collect();
        let lists = [
            ("seconds_before", Some(ages)),
            ("resident_bytes", list(&|point| point.resident_bytes.map(Value::from))),
            ("cgroup_bytes", list(&|point| point.cgroup_bytes.map(Value::from))),
            ("cpu_ratio", list(&|point| point.cpu_ratio.map(ratio))),
            ("open_fds", list(&|point| point.open_fds.map(Value::from))),
            ("threads", list(&|point| point.threads.map(Value::from))),
        ];
        lists.into_iter().filter_map(|(name, list)| Some((name.to_owned(), list?))).collect()
    }
}

fn span(seconds: u64) -> String {
    if seconds < 55 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    let Some((name, unit)) = unit else { return format!("{bytes} B") };
    let value = bytes as f64 / *unit as f64;
    if value < 10.0 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(resident: impl IntoIterator<Item = (u64, u64)>) -> Course {
        let point =
            |resident_bytes| CoursePoint { resident_bytes: Some(resident_bytes), ..CoursePoint::default() };
        Course { points: resident.into_iter().map(|(age, bytes)| (age, point(bytes))).collect() }
    }

    fn text(course: &Course) -> Option<String> {
        course.text(|point| point.resident_bytes.map(size))
    }

    #[test]
    fn the_words_are_of_a_few_moments() {
        let mebibytes = |age: u64| (2048 - 2 * age.min(618)) << 20;
        let long = course((0..41).rev().map(|number| (number * 15 + 7, mebibytes(number * 15))));
        let expected = "10 min ago 848 MiB · 5 min ago 1.4 GiB · 1 min ago 1.9 GiB · last 2.0 GiB";
        assert_eq!(text(&long).unwrap(), expected);
        assert_eq!(text(&course([(3, 700)])).unwrap(), "last 700 B");
        assert_eq!(
            text(&course([(31, 7 << 20), (16, 8 << 20), (0, 9 << 20)])).unwrap(),
            "31 s ago 7.0 MiB · last 9.0 MiB"
        );
        assert_eq!(text(&course([])), None);
    }

    #[test]
    fn lists_are_of_one_length_and_only_of_what_is_known() {
        let lists = course([(30, 1), (15, 2), (0, 3)]).lists();
        assert_eq!(lists.keys().collect::<Vec<_>>(), ["resident_bytes", "seconds_before"]);
        assert!(lists.values().all(|list| list.as_array().unwrap().len() == 3));
        assert!(course([(0, 1)]).lists().is_empty());
    }
}
