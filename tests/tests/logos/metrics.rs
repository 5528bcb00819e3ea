//! Modules are on the host's page: true where the core's own figures are wrong, and still there when they have died.
//!
//! 1. A module spends half a second in user mode: the page says what times(2) told the module itself, and beside it what
//!    the core reports, which is nearly nothing.
//! 2. It is exited with 3, loaded again, killed: each stays on the page as a count, and it itself with `up` 0.
//! 3. Modules with Lifeboat that share the host's monitor have their own counters on the host's page, each with its label.
//! 4. A module returns its counters from `collectOpenMetricsText()`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Host, Modules, wait_for_end, wait_until};

const SERVED: (&str, &str) = ("LIFEBOAT_METRICS", "127.0.0.1:0");

#[test]
fn a_module_is_measured_truly_and_does_not_vanish() {
    let bench = Bench::new("logos-metrics");
    let host = bench.start(Modules::Plain, &["demo_module", "other_module"], &[SERVED]);
    host.seen("demo_module");
    host.tell_module("demo_module", "burn 0.5");
    let true_seconds: f64 = host.answer("demo_module", "times").parse().unwrap();
    let of = |name: &str| format!("{name}{{module=\"demo_module\"}}");
    let page = page_with(&host, &of("logos_core_reported_resident_memory_bytes"), |memory| memory > 0.0);
    let value = |name: &str| sample(&page, &of(name)).unwrap_or_else(|| panic!("no {name} on {page}"));
    // The module goes on, by a tick or two.
    let shown = value("logos_module_cpu_seconds_total");
    assert!((true_seconds..true_seconds + 0.3).contains(&shown), "{shown} of {true_seconds} seconds");
    assert!(value("logos_core_reported_cpu_seconds") < true_seconds / 2.0, "the core's figure is wrong");
    println!("CPU: true {true_seconds}, ours {shown}, core {}", value("logos_core_reported_cpu_seconds"));
    let (ours, reported) =
        (value("logos_module_resident_memory_bytes"), value("logos_core_reported_resident_memory_bytes"));
    assert!(ours > 1e6 && (ours - reported).abs() / ours < 0.5, "{ours} and {reported} bytes");
    assert_eq!((value("logos_module_up"), value("logos_module_loaded")), (1.0, 1.0));
    assert_eq!(value("logos_module_threads"), 1.0);
    assert!(value("logos_module_open_fds") >= 3.0);
    let (loaded_at, started_at) =
        (value("logos_module_loaded_timestamp_seconds"), value("logos_module_start_time_seconds"));
    assert!((loaded_at - started_at).abs() < 5.0, "{loaded_at} {started_at}");
    die_twice(&host);
    host.stop(&bench);
}

fn die_twice(host: &Host) {
    let pid = host.module("demo_module");
    host.tell_module("demo_module", "exit 3");
    wait_for_end(pid);
    host.load("demo_module");
    let page =
        page_with(host, "logos_module_restarts_total{module=\"demo_module\"}", |restarts| restarts == 1.0);
    assert_eq!(sample(&page, "logos_module_up{module=\"demo_module\"}"), Some(1.0));
    let deaths = |page: &str, cause: &str| {
        sample(page, &format!("logos_module_deaths_total{{module=\"demo_module\",cause=\"{cause}\"}}"))
    };
    assert_eq!((deaths(&page, "exit"), deaths(&page, "killed")), (Some(1.0), Some(0.0)));
    assert_eq!(sample(&page, "logos_module_exits_total{module=\"demo_module\",status=\"3\"}"), Some(1.0));
    host.tell_module("demo_module", "kill");
    let page = page_with(host, "logos_module_up{module=\"demo_module\"}", |up| up == 0.0);
    assert_eq!(deaths(&page, "killed"), Some(1.0));
    assert_eq!(
        sample(&page, "logos_module_exits_total{module=\"demo_module\",status=\"SIGKILL\"}"),
        Some(1.0)
    );
    assert_eq!(sample(&page, "logos_module_cpu_seconds_total{module=\"demo_module\"}"), None);
    assert_eq!(sample(&page, "logos_module_up{module=\"other_module\"}"), Some(1.0));
    // The core has forgotten its figures, and says that it is not loaded.
    let page = page_with(host, "logos_module_loaded{module=\"demo_module\"}", |loaded| loaded == 0.0);
    let reported = sample(&page, "logos_core_reported_cpu_seconds{module=\"demo_module\"}");
    assert!(reported.is_some_and(f64::is_nan), "{reported:?}");
}

#[test]
fn modules_that_share_a_monitor_share_its_page() {
    let bench = Bench::new("logos-page");
    let of = |module: &str| format!("demo_module_messages_total{{module=\"{module}\"}}");
    let host = host_with_both(&bench, [&of("demo_module"), &of("other_module")]);
    // Each joins in its own time.
    page_with(&host, &of("demo_module"), |count| count == 7.0);
    let page = page_with(&host, &of("other_module"), |count| count == 5.0);
    assert_eq!(sample(&page, &of("demo_module")), Some(7.0));
    assert_eq!(page.matches("# TYPE demo_module_messages_total counter").count(), 1, "one family: {page}");
    let pid = host.module("demo_module");
    host.tell_module("demo_module", "abort");
    wait_for_end(pid);
    let page = page_with(&host, "logos_module_up{module=\"demo_module\"}", |up| up == 0.0);
    assert_eq!(sample(&page, &of("demo_module")), None, "a dead module's series end");
    host.load("demo_module");
    host.tell_module("demo_module", "count 2");
    host.answer("demo_module", "metrics");
    let page = page_with(&host, &of("demo_module"), |count| count == 2.0);
    assert_eq!(sample(&page, &of("other_module")), Some(5.0));
    host.stop(&bench);
}

/// A host whose two modules share its monitor. On a machine that is busy for seconds a module finds nobody at the door and
/// keeps a monitor of its own, as it should: then another host is asked.
fn host_with_both(bench: &Bench, series: [&str; 2]) -> Host {
    const HOSTS: u32 = 3;
    const PATIENCE: Duration = Duration::from_secs(15);
    for _ in 0..HOSTS {
        let names = ["demo_module", "other_module"];
        let host = bench.start(Modules::WithLifeboat, &names, &[SERVED, ("LIFEBOAT_SHARED", "1")]);
        host.tell_module("demo_module", "count 7");
        let text = host.answer("demo_module", "metrics");
        assert!(text.contains("\ndemo_module_messages_total 7\n") && text.ends_with("# EOF\n"), "{text}");
        host.tell_module("other_module", "count 5");
        host.answer("other_module", "metrics");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let page = page(&host);
            if series.iter().all(|series| sample(&page, series).is_some()) {
                return host;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        host.stop(bench);
    }
    panic!("no module shares its host's monitor");
}

/// The page, once this series is so.
fn page_with(host: &Host, series: &str, is_so: impl Fn(f64) -> bool) -> String {
    let mut last = String::new();
    let found = std::cell::RefCell::new(&mut last);
    wait_until(&format!("{series} is so"), || {
        let page = page(host);
        let is_so = sample(&page, series).is_some_and(&is_so);
        **found.borrow_mut() = page;
        is_so
    });
    last
}

fn page(host: &Host) -> String {
    let address = host.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn sample(page: &str, series: &str) -> Option<f64> {
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(value.parse().unwrap())
}
