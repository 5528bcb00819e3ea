//! The collector: reads our own page, line by line, and tells the registry's encoder what it says.

mod page;

use std::collections::HashMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;

use page::{Family, Kind, Labels, Sample};

/// Adds Lifeboat's metrics to what a registry of prometheus-client serves.
///
/// ```
/// let mut registry = prometheus_client::registry::Registry::default();
/// registry.register_collector(Box::new(lifeboat::prometheus_client::Collector));
/// let mut page = String::new();
/// prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
/// assert_eq!(page, "# EOF\n");
/// ```
///
/// They are read from this process's memory when the page is asked for: no count costs more for it. A name that the
/// registry has too stands on the page twice, which Prometheus refuses. A histogram whose bounds or sum are negative is
/// left out. Where no reporter is at work it adds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collector;

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(&crate::metrics_text(), encoder)
    }
}

fn encode(page: &str, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
    for family in page::families(page) {
        let Family { name, help, kind, unit, samples } = family;
        let of_unit = |unit: &&str| name.strip_suffix(unit).and_then(|rest| rest.strip_suffix('_'));
        let (name, unit) = match Some(unit).filter(|unit| !unit.is_empty()).and_then(|unit| of_unit(&unit)) {
            Some(rest) => (rest, Some(Unit::Other(unit.to_owned()))),
            None => (name, None),
        };
        let of_kind = match kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), of_kind)?;
        match kind {
            Kind::Histogram => histograms(&mut metric, &samples)?,
            Kind::Info => samples.iter().try_for_each(|sample| metric.encode_info(&sample.labels))?,
            Kind::Counter => each(&mut metric, &samples, |metric, value| {
                metric.encode_counter::<NoLabelSet, u64, u64>(&value, None)
            })?,
            Kind::Gauge => each(&mut metric, &samples, |metric, value: f64| metric.encode_gauge(&value))?,
        }
    }
    Ok(())
}

fn each<T: std::str::FromStr>(
    metric: &mut MetricEncoder<'_>,
    samples: &[Sample<'_>],
    write: impl Fn(&mut MetricEncoder<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for sample in samples {
        let Ok(value) = sample.value.parse() else { continue };
        with_labels(metric, &sample.labels, |metric| write(metric, value))?;
    }
    Ok(())
}

/// Without labels there are no braces.
fn with_labels(
    metric: &mut MetricEncoder<'_>,
    labels: &Labels<'_>,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() { write(metric) } else { write(&mut metric.encode_family(labels)?) }
}

/// Of each series the buckets stand first, each with those below it, then sum and count.
fn histograms(metric: &mut MetricEncoder<'_>, samples: &[Sample<'_>]) -> fmt::Result {
    let none: Option<&HashMap<usize, Exemplar<NoLabelSet, f64>>> = None;
    let (mut buckets, mut below, mut sum) = (Vec::new(), 0_u64, None);
    for sample in samples {
        match sample.name.rsplit('_').next() {
            Some("bucket") => {
                let bound = sample.bound().unwrap_or(f64::INFINITY);
                // The series before had no sum and no count: it ended with its buckets.
                if buckets.last().is_some_and(|(last, _)| bound <= *last) {
                    (buckets, below) = (Vec::new(), 0);
                }
                let count = sample.value.parse().unwrap_or(below);
                buckets.push((bound, count.saturating_sub(below)));
                below = count;
            }
            Some("sum") => sum = sample.value.parse().ok(),
            Some("count") => {
                if let (Some(sum), Ok(count)) = (sum, sample.value.parse()) {
                    let write =
                        |metric: &mut MetricEncoder<'_>| metric.encode_histogram(sum, count, &buckets, none);
                    with_labels(metric, &sample.labels, write)?;
                }
                (buckets, below, sum) = (Vec::new(), 0, None);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;

    #[derive(Debug)]
    struct Page(&'static str);

    impl prometheus_client::collector::Collector for Page {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            super::encode(self.0, encoder)
        }
    }

    fn encoded(page: &'static str) -> String {
        let mut registry = Registry::default();
        registry.register("own", "The node's", Counter::<u64>::default());
        registry.register_collector(Box::new(Page(page)));
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        text
    }

    const OWN: &str = "# HELP own The node's.\n# TYPE own counter\nown_total 0\n";

    #[test]
    fn a_page_says_the_same_afterwards() {
        let ours = r#"# HELP gossip_messages Received \\ here.
# TYPE gossip_messages counter
gossip_messages_total 12
gossip_messages_total{topic="a \"b\", c\\d\ne",kind="ä"} 18446744073709551615
gossip_messages_total{overflow="true"} 3
# HELP sent_bytes Sent.
# TYPE sent_bytes counter
# UNIT sent_bytes bytes
sent_bytes_total 512
# HELP peers Peers.
# TYPE peers gauge
peers -0.5
peers{kind="relay"} NaN
# HELP delay_seconds Delay.
# TYPE delay_seconds histogram
# UNIT delay_seconds seconds
delay_seconds_sum 0.75
delay_seconds_count 3
delay_seconds_bucket{le="0.5"} 2
delay_seconds_bucket{le="1.0"} 2
delay_seconds_bucket{le="+Inf"} 3
# HELP build Build.
# TYPE build info
build_info{commit="a"} 1
"#;
        // Ours has the buckets first.
        let buckets_first = ours.replace("delay_seconds_sum 0.75\ndelay_seconds_count 3\n", "").replace(
            "delay_seconds_bucket{le=\"+Inf\"} 3\n",
            "delay_seconds_bucket{le=\"+Inf\"} 3\ndelay_seconds_sum 0.75\ndelay_seconds_count 3\n",
        );
        assert_eq!(encoded(Box::leak(buckets_first.into_boxed_str())), format!("{OWN}{ours}# EOF\n"));
    }

    #[test]
    fn what_is_no_page_of_ours_is_left_out() {
        let cases = [
            "",
            "# EOF\n",
            "peers 1\n",
            "# TYPE peers summary\npeers 1\n",
            "# TYPE peers\n",
            "# TYPE delay histogram\ndelay_bucket{le=\"1.0\"} 2\n",
            "\u{0}\n# \n{}\n",
        ];
        for page in cases {
            let text = encoded(page);
            let rest = text.strip_prefix(OWN).unwrap().replace("# HELP delay \n# TYPE delay histogram\n", "");
            assert_eq!(rest, "# EOF\n", "{page}");
        }
        let odd = "# TYPE peers gauge\npeers{a=\"x} 1\npeers{a} 1\npeers one\npeers{a=\"\\q\"} 1\npeersx\npeers 2\n";
        assert_eq!(encoded(odd), format!("{OWN}# HELP peers \n# TYPE peers gauge\npeers 2.0\n# EOF\n"));
    }
}
