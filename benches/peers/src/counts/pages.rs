//! A page of counters with two labels, as each library writes it.

use std::fmt::Write;
use std::time::Instant;

use crate::Result;
use crate::ours::Ours;

const TURNS: u32 = 11;

/// What a page of so many series takes: Lifeboat's, out of the memory that the monitor holds, beside that of the others.
pub(crate) fn compare(ours: &Ours) -> Result<String> {
    let mut text = String::from(
        "| a page of counters, ms, median (least) | Lifeboat | prometheus-client | prometheus | metrics' exporter |\n\
         |---|---|---|---|---|\n",
    );
    let mut made = 0;
    for series in [1_000, 10_000, 100_000] {
        eprintln!("pages of {series} series");
        ours.make((made..series).map(topic));
        made = series;
        write!(text, "| {series} series | {} |", turns(|| ours.page()))?;
        write!(text, " {} |", prometheus_client(series)?)?;
        write!(text, " {} |", prometheus(series)?)?;
        writeln!(text, " {} |", exporter(series))?;
    }
    Ok(text)
}

fn topic(number: u32) -> String {
    format!("/waku/2/rs/1/{number}")
}

fn prometheus_client(series: u32) -> Result<String> {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::registry::Registry;

    let family = Family::<Vec<(String, String)>, Counter>::default();
    let mut registry = Registry::default();
    registry.register("page_messages", "Messages.", family.clone());
    for number in 0..series {
        family.get_or_create(&vec![("topic".into(), topic(number)), ("kind".into(), "relay".into())]).inc();
    }
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(turns(|| {
        let mut page = String::new();
        // It was whole before.
        let _ = encode(&mut page, &registry);
        page.len()
    }))
}

fn prometheus(series: u32) -> Result<String> {
    use prometheus::{Encoder, IntCounterVec, Opts, Registry, TextEncoder};

    let registry = Registry::new();
    let family = IntCounterVec::new(Opts::new("page_messages_total", "Messages."), &["topic", "kind"])?;
    registry.register(Box::new(family.clone()))?;
    for number in 0..series {
        family.with_label_values(&[topic(number).as_str(), "relay"]).inc();
    }
    Ok(turns(|| {
        let mut page = Vec::new();
        // A page that is short would be seen by its size.
        let _ = TextEncoder::new().encode(&registry.gather(), &mut page);
        page.len()
    }))
}

fn exporter(series: u32) -> String {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for number in 0..series {
            metrics::counter!("page_messages_total", "topic" => topic(number), "kind" => "relay")
                .increment(1);
        }
    });
    let handle = recorder.handle();
    turns(|| handle.render().len())
}

fn turns(page: impl Fn() -> usize) -> String {
    let turn = |_| {
        let before = Instant::now();
        let bytes = std::hint::black_box(page());
        (before.elapsed().as_secs_f64() * 1e3, bytes)
    };
    let mut all: Vec<_> = (0..TURNS).map(turn).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let least = all.first().map_or(0.0, |turn| turn.0);
    let (median, bytes) = all.get(all.len() / 2).copied().unwrap_or_default();
    format!("{median:.2} ({least:.2}), {} KiB", bytes / 1024)
}
