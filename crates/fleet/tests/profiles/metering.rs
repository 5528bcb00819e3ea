//! A node that does not exist counts as one would, and says what its signals are set to.

use lifeboat_fleet::profile::{Book, Pages, Speech};

const WINDOW: f64 = 120.0;

fn speech() -> Speech {
    let mut book = Book::default();
    let profile = r#"
        name = "metering"
        help = "A node for these tests."
        [endpoint.node]
        help = "the node"
        port = 1
        [signal.load]
        help = "a gauge"
        endpoint = "node"
        unit = "short"
        query = "sum by (${by}) (load{${select}})"
        healthy = 2
        series = [{ name = "load", labels = { shard = "0" }, kind = "gauge", factor = 10, constant = 1 }]
        [signal.failed]
        help = "failures per second"
        endpoint = "node"
        unit = "cps"
        query = "sum by (${by}) (rate(failed_total{${select}}[${range}]))"
        healthy = 1
        series = [{ name = "failed_total", kind = "counter" }]
        [signal.failed_ratio]
        help = "share that fails"
        endpoint = "node"
        unit = "percentunit"
        query = "sum by (${by}) (rate(failed_total{${select}}[${range}])) / 10"
        healthy = 0.1
        series = [{ name = "failed_total", kind = "counter", factor = 10 }]
        [signal.deaths]
        help = "deaths in the window"
        endpoint = "node"
        unit = "short"
        query = "sum by (${by}) (increase(deaths_total{${select}}[${range}]))"
        healthy = 0
        series = [{ name = "deaths_total", kind = "event" }]
        [signal.started]
        help = "when it was started"
        endpoint = "node"
        unit = "dateTimeFromNow"
        query = "max by (${by}) (started{${select}})"
        healthy = 100
        series = [{ name = "started", kind = "timestamp" }]
        [signal.wait]
        help = "time to wait"
        endpoint = "node"
        unit = "s"
        query = "sum by (${by}) (rate(wait_sum{${select}}[${range}])) / sum by (${by}) (rate(wait_count{${select}}[${range}]))"
        healthy = 0.2
        series = [{ name = "wait", kind = "histogram", buckets = [0.1, 0.5] }]
    "#;
    book.add("metering.toml", profile).unwrap();
    book.speech(&["metering".into()]).unwrap()
}

fn pages() -> Pages {
    Pages::new(&speech(), None, WINDOW, 1_000.0)
}

/// What the page shows under a name, with its bound where it has one.
fn shown(pages: &mut Pages, name: &str, at: f64) -> Vec<f64> {
    let samples = pages.samples("node", at);
    samples.into_iter().filter(|sample| sample.name == name).map(|sample| sample.value).collect()
}

#[test]
fn a_gauge_shows_the_number_and_a_counter_grows_by_it() {
    let mut pages = pages();
    assert_eq!(shown(&mut pages, "load", 1_000.0), [21.0]);
    assert!(pages.set("load", Some(3.0), 1_010.0));
    assert_eq!(shown(&mut pages, "load", 1_010.0), [31.0]);
    pages.unset("load", 1_020.0);
    assert_eq!(shown(&mut pages, "load", 1_020.0), [21.0]);
    // One a second, and from 1030 on four.
    pages.set("failed", Some(4.0), 1_030.0);
    assert_eq!(shown(&mut pages, "failed_total", 1_040.0), [70.0]);
    assert!(!pages.set("nothing", Some(1.0), 1_040.0), "no such signal");
}

#[test]
fn of_two_signals_with_one_metric_the_one_that_is_set_wins() {
    let mut pages = pages();
    pages.set("failed_ratio", Some(0.5), 1_000.0);
    assert_eq!(shown(&mut pages, "failed_total", 1_010.0), [50.0]);
    // Both are set: the first by name.
    pages.set("failed", Some(2.0), 1_010.0);
    assert_eq!(shown(&mut pages, "failed_total", 1_020.0), [70.0]);
    pages.unset("failed", 1_020.0);
    assert_eq!(shown(&mut pages, "failed_total", 1_030.0), [120.0]);
}

#[test]
fn an_event_jumps_at_once_and_again_in_each_window() {
    let mut pages = pages();
    assert_eq!(shown(&mut pages, "deaths_total", 1_050.0), [0.0]);
    pages.set("deaths", Some(2.0), 1_060.0);
    assert_eq!(shown(&mut pages, "deaths_total", 1_060.0), [2.0]);
    assert_eq!(shown(&mut pages, "deaths_total", 1_060.0 + WINDOW - 1.0), [2.0]);
    assert_eq!(shown(&mut pages, "deaths_total", 1_060.0 + WINDOW), [4.0]);
    pages.unset("deaths", 1_200.0);
    assert_eq!(shown(&mut pages, "deaths_total", 2_000.0), [4.0], "what has happened stays");
}

#[test]
fn a_moment_stays_where_it_was_put() {
    let mut pages = pages();
    assert_eq!(shown(&mut pages, "started", 1_500.0), [900.0]);
    pages.set("started", Some(5.0), 2_000.0);
    assert_eq!(shown(&mut pages, "started", 2_500.0), [1_995.0]);
}

#[test]
fn a_histogram_counts_up_to_each_bound() {
    let mut pages = pages();
    assert_eq!(shown(&mut pages, "wait_bucket", 1_001.0), [0.0, 10.0, 10.0]);
    pages.set("wait", Some(9.0), 1_001.0);
    assert_eq!(shown(&mut pages, "wait_bucket", 1_002.0), [0.0, 10.0, 20.0]);
    assert_eq!(shown(&mut pages, "wait_count", 1_002.0), [20.0]);
    assert_eq!(shown(&mut pages, "wait_sum", 1_002.0), [92.0]);
}

#[test]
fn what_is_gone_is_not_shown_and_goes_on_when_it_is_back() {
    let mut pages = pages();
    pages.set("failed", None, 1_010.0);
    pages.set("load", None, 1_010.0);
    assert!(shown(&mut pages, "failed_total", 1_020.0).is_empty());
    assert!(shown(&mut pages, "load", 1_020.0).is_empty());
    assert!(!pages.text("node", 1_020.0).contains("load"));
    pages.unset("failed", 1_030.0);
    assert_eq!(shown(&mut pages, "failed_total", 1_031.0), [11.0]);
}

#[test]
fn the_page_is_what_prometheus_reads() {
    let mut pages = pages();
    let text = pages.text("node", 1_001.0);
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let wanted =
        ["deaths_total counter", "failed_total counter", "load gauge", "started gauge", "wait histogram"];
    assert_eq!(types, wanted.map(|wanted| format!("# TYPE {wanted}")));
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            "deaths_total 0",
            "failed_total 1",
            "load{shard=\"0\"} 21",
            "started 900",
            "wait_bucket{le=\"0.1\"} 0",
            "wait_bucket{le=\"0.5\"} 10",
            "wait_bucket{le=\"+Inf\"} 10",
            "wait_sum 2",
            "wait_count 10",
        ]
    );
    assert!(pages.text("nobody", 1_001.0).is_empty());
}
