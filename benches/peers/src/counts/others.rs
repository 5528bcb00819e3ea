//! The peers, each as its own documentation shows it; handles are kept where it has some.

use std::sync::Arc;

use lifeboat::DEFAULT_BOUNDS;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;

use crate::Result;
use crate::turns::{LABELS, Peer, Repeat, repeat, values};

pub(crate) fn all() -> Result<Vec<Peer>> {
    Ok(vec![prometheus_client(), prometheus()?, metrics()?, measured()?, fast_telemetry(), opentelemetry()])
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Labels {
    topic: &'static str,
    kind: &'static str,
}

fn prometheus_client() -> Peer {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use std::sync::atomic::AtomicU64;

    let (counter, family) = (<Counter>::default(), Family::<Labels, Counter>::default());
    let [(_, topic), (_, kind)] = LABELS;
    let labels = Labels { topic, kind };
    let labelled = family.get_or_create_owned(&labels);
    let gauge = Gauge::<f64, AtomicU64>::default();
    let (adds, histogram, value) = (gauge.clone(), Histogram::new(DEFAULT_BOUNDS.iter().copied()), values());
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| _ = counter.inc())),
        ("labelled", repeat(move |_| _ = labelled.inc())),
        ("late", repeat(move |_| _ = family.get_or_create(&labels).inc())),
        ("gauge_set", repeat(move |round| _ = gauge.set(round as f64))),
        ("gauge_add", repeat(move |_| _ = adds.inc_by(1.0))),
        ("histogram", repeat(move |round| histogram.observe(value(round)))),
    ];
    Peer::new("prometheus-client 0.25.2", operations)
}

fn prometheus() -> Result<Peer> {
    use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

    let counter = IntCounter::new("messages", "Messages.")?;
    let family =
        IntCounterVec::new(Opts::new("topics", "Messages of a topic."), &LABELS.map(|(name, _)| name))?;
    let label_values = LABELS.map(|(_, value)| value);
    let labelled = family.with_label_values(&label_values);
    let gauge = Gauge::new("peers", "Peers.")?;
    let adds = gauge.clone();
    let options = HistogramOpts::new("delay", "Delay.").buckets(DEFAULT_BOUNDS.to_vec());
    let (histogram, value) = (Histogram::with_opts(options)?, values());
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| counter.inc())),
        ("labelled", repeat(move |_| labelled.inc())),
        ("late", repeat(move |_| family.with_label_values(&label_values).inc())),
        ("gauge_set", repeat(move |round| gauge.set(round as f64))),
        ("gauge_add", repeat(move |_| adds.add(1.0))),
        ("histogram", repeat(move |round| histogram.observe(value(round)))),
    ];
    Ok(Peer::new("prometheus 0.14.0", operations))
}

fn metrics() -> Result<Peer> {
    let builder = metrics_exporter_prometheus::PrometheusBuilder::new().set_buckets(DEFAULT_BOUNDS)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
    let (counter, labelled) = (metrics::counter!("messages"), metrics::counter!("topics", &LABELS));
    let (gauge, adds, histogram) =
        (metrics::gauge!("peers"), metrics::gauge!("peers"), metrics::histogram!("delay"));
    let value = values();
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| counter.increment(1))),
        ("labelled", repeat(move |_| labelled.increment(1))),
        (
            "late",
            repeat(|_| {
                metrics::counter!("late", "topic" => "/waku/2/rs/1/4", "kind" => "relay").increment(1)
            }),
        ),
        ("gauge_set", repeat(move |round| gauge.set(round as f64))),
        ("gauge_add", repeat(move |_| adds.increment(1.0))),
        ("histogram", repeat(move |round| histogram.record(value(round)))),
    ];
    let peer = Peer::new("metrics 0.24.6 + exporter 0.18.3", operations);
    Ok(Peer { between: Box::new(move || handle.run_upkeep()), ..peer })
}

fn measured() -> Result<Peer> {
    use measured::metric::histogram::Thresholds;
    use measured::{Counter, Gauge, Histogram};

    let bounds: [f64; 18] = DEFAULT_BOUNDS.try_into()?;
    let counter = Counter::new();
    let (gauge, value) = (Arc::new(Gauge::new()), values());
    let adds = Arc::clone(&gauge);
    let histogram = Histogram::with_metadata(Thresholds::with_buckets(bounds));
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| counter.get_metric().inc())),
        ("gauge_set", repeat(move |round| gauge.get_metric().set(round as i64))),
        ("gauge_add", repeat(move |_| adds.get_metric().inc())),
        ("histogram", repeat(move |round| histogram.get_metric().observe(value(round)))),
    ];
    Ok(Peer::new("measured 0.0.25", operations))
}

fn fast_telemetry() -> Peer {
    use fast_telemetry::{Counter, DynamicCounter, GaugeF64, Histogram};

    let shards = std::thread::available_parallelism().map_or(1, usize::from);
    let counter = Counter::new(shards);
    let family = DynamicCounter::new(shards);
    let labelled = family.series(&LABELS);
    let gauge = GaugeF64::new();
    // It counts whole numbers: microseconds here.
    let bounds: Vec<u64> = DEFAULT_BOUNDS.iter().map(|seconds| (seconds * 1e6) as u64).collect();
    let (histogram, value) = (Histogram::new(&bounds, shards), values());
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| counter.inc())),
        ("labelled", repeat(move |_| labelled.inc())),
        ("late", repeat(move |_| family.inc(&LABELS))),
        ("gauge_set", repeat(move |round| gauge.set(round as f64))),
        ("histogram", repeat(move |round| histogram.record((value(round) * 1e6) as u64))),
    ];
    Peer::new("fast-telemetry 0.10.0", operations)
}

fn opentelemetry() -> Peer {
    use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};

    let provider = SdkMeterProvider::builder().with_reader(ManualReader::default()).build();
    let meter = provider.meter("bench");
    let (counter, late) = (meter.u64_counter("messages").build(), meter.u64_counter("late").build());
    let attributes = LABELS.map(|(name, value)| KeyValue::new(name, value));
    let (bound, labelled) = (counter.bind(&[]), counter.bind(&attributes));
    let gauge = meter.f64_gauge("peers").build().bind(&[]);
    let adds = meter.f64_up_down_counter("sum").build().bind(&[]);
    let histogram = meter.f64_histogram("delay").with_boundaries(DEFAULT_BOUNDS.to_vec()).build();
    let (histogram, value) = (histogram.bind(&[]), values());
    let operations: Vec<(_, Repeat)> = vec![
        ("counter", repeat(move |_| bound.add(1))),
        ("labelled", repeat(move |_| labelled.add(1))),
        ("late", repeat(move |_| late.add(1, &attributes))),
        ("gauge_set", repeat(move |round| gauge.record(round as f64))),
        ("gauge_add", repeat(move |_| adds.add(1.0))),
        ("histogram", repeat(move |round| histogram.record(value(round)))),
    ];
    let peer = Peer::new("opentelemetry_sdk 0.33.1, bound", operations);
    // The provider's instruments end with it.
    Peer { between: Box::new(move || _ = std::hint::black_box(&provider)), ..peer }
}
