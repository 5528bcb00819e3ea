//! Which values of a node's own endpoint go into its report, and what they were a while ago.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::MetricValue;

use super::exposition::Sample;

/// Most series that are kept; and most values that are handed over, earlier ones included.
const SERIES_MAX: usize = 150;
const VALUES_MAX: usize = 200;
/// What a value was so long ago is told beside it.
const AGES: [(Duration, &str); 2] =
    [(Duration::from_secs(60), " (1 min ago)"), (Duration::from_secs(5 * 60), " (5 min ago)")];
/// How far the age that is told may be wrong, beside an interval.
const SLACK: Duration = Duration::from_secs(60);
/// Looks are kept no closer than this, so that a short interval takes no more memory.
const BETWEEN: Duration = Duration::from_secs(15);
/// Labels that tell of others: of names with these parts no value leaves the host unasked.
const PRIVATE_PARTS: [&str; 10] =
    ["peer", "addr", "host", "remote", "endpoint", "url", "enr", "nodeid", "pubkey", "user"];
/// Endings of what only a database of series can use.
const ENDINGS: [&str; 2] = ["_bucket", "_created"];

type Look = HashMap<Arc<str>, f64>;

/// The last minutes.
#[derive(Debug, Default)]
pub(super) struct Course {
    looks: VecDeque<(Instant, Look)>,
}

impl Course {
    /// Adds a page; what of it goes into a report. `allow` holds beginnings of names, or nothing for the default rule.
    pub(super) fn add<'p>(
        &mut self,
        samples: impl Iterator<Item = Sample<'p>>,
        allow: &[String],
        now: Instant,
    ) -> Vec<MetricValue> {
        let allowed = samples.filter(|sample| is_allowed(sample, allow)).take(SERIES_MAX);
        let latest: Vec<(String, f64)> = allowed.map(|sample| (name(&sample), sample.value)).collect();
        let mut values: Vec<_> =
            latest.iter().map(|(name, value)| MetricValue { name: name.clone(), value: *value }).collect();
        for (age, words) in AGES {
            let Some(then) = self.look(now, age) else { continue };
            let earlier = latest.iter().filter_map(|(name, value)| {
                let then = then.get(name.as_str()).filter(|then| *then != value)?;
                Some(MetricValue { name: format!("{name}{words}"), value: *then })
            });
            values.extend(earlier);
        }
        values.truncate(VALUES_MAX);
        self.keep(latest, now);
        values
    }

    /// The latest look that is so old.
    fn look(&self, now: Instant, age: Duration) -> Option<&Look> {
        let ages = self.looks.iter().rev().map(|(at, look)| (now.saturating_duration_since(*at), look));
        let mut ages = ages.skip_while(|(old, _)| *old < age);
        ages.next().filter(|(old, _)| *old < age + SLACK).map(|(_, look)| look)
    }

    fn keep(&mut self, latest: Vec<(String, f64)>, now: Instant) {
        let oldest = AGES.iter().map(|(age, _)| *age + SLACK).max().unwrap_or_default();
        while self.looks.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > oldest) {
            self.looks.pop_front();
        }
        if self.looks.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) < BETWEEN) {
            return;
        }
        // Names are the same from look to look, and are kept once.
        let known = |name: &str| {
            self.looks.back().and_then(|(_, last)| last.get_key_value(name)).map(|(name, _)| Arc::clone(name))
        };
        let look =
            latest.into_iter().map(|(name, value)| (known(&name).unwrap_or_else(|| name.into()), value));
        let look = look.collect();
        self.looks.push_back((now, look));
    }
}

fn is_allowed(sample: &Sample<'_>, allow: &[String]) -> bool {
    if !allow.is_empty() {
        return allow.iter().any(|beginning| sample.name.starts_with(beginning));
    }
    let is_of_histogram = sample.label_names.iter().any(|label| matches!(*label, "le" | "quantile"));
    !is_of_histogram
        && !ENDINGS.iter().any(|ending| sample.name.ends_with(ending))
        && !sample.label_names.iter().any(|label| is_private(label))
}

fn is_private(label: &str) -> bool {
    let plain = label.to_ascii_lowercase().replace('_', "");
    matches!(plain.as_str(), "ip" | "id")
        || plain.ends_with("ip")
        || PRIVATE_PARTS.iter().any(|part| plain.contains(part))
}

/// On one line.
fn name(sample: &Sample<'_>) -> String {
    let labels = sample.labels.replace("\\\n", "\\n").replace(char::is_control, " ");
    if labels.is_empty() { sample.name.to_owned() } else { format!("{}{{{labels}}}", sample.name) }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::samples;
    use super::*;

    fn names(page: &str, allow: &[&str]) -> Vec<String> {
        let allow: Vec<_> = allow.iter().map(|it| (*it).to_owned()).collect();
        let values = Course::default().add(samples(page), &allow, Instant::now());
        values.into_iter().map(|value| value.name).collect()
    }

    #[test]
    fn what_tells_of_peers_stays_at_home() {
        let page = "a 1\nb{peer_id=\"x\"} 1\nc{remoteIp=\"x\"} 1\nd{shard=\"1\"} 1\ne_bucket{le=\"1\"} 1\n\
                    e_created 1\ne_count 1\nf{multiaddr=\"x\"} 1\ng{topic=\"a\\\nb\"} 1\n";
        assert_eq!(names(page, &[]), ["a", "d{shard=\"1\"}", "e_count", "g{topic=\"a\\nb\"}"]);
        assert_eq!(names(page, &["b", "e_b"]), ["b{peer_id=\"x\"}", "e_bucket{le=\"1\"}"]);
    }

    #[test]
    fn values_have_their_course() {
        let (mut course, start) = (Course::default(), Instant::now());
        let mut values = Vec::new();
        for minute in 0..=6_u32 {
            let page = format!("a {minute}\nb 7\n");
            values = course.add(samples(&page), &[], start + minute * Duration::from_secs(60));
        }
        let values: Vec<_> = values.iter().map(|it| (it.name.as_str(), it.value)).collect();
        assert_eq!(values, [("a", 6.0), ("b", 7.0), ("a (1 min ago)", 5.0), ("a (5 min ago)", 1.0)]);
    }

    #[test]
    fn memory_is_bounded() {
        let page: String = (0..5000).map(|number| format!("a{number} {number}\n")).collect();
        let (mut course, start) = (Course::default(), Instant::now());
        for second in 0..1000_u32 {
            let values = course.add(samples(&page), &[], start + second * Duration::from_secs(1));
            assert!(values.len() <= VALUES_MAX);
        }
        assert!(course.looks.len() <= 30 && course.looks.iter().all(|(_, look)| look.len() <= SERIES_MAX));
    }
}
