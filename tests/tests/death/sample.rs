//! What the monitor knows of a node by itself is what the node itself would count.
//!
//! 1. A node burns processor time, opens files, touches memory, and tells how much.  2. The page says the same; the report
//!    of its death shows what was seen last.
//! 3. Lives end in every way, under one name: restarts, deaths and stops are counted, by whoever makes the report.
//! 4. The kernel's counter of OOM kills rises, and the node is killed: that is the cause.
//! 5. A database with flipped bytes is told from a whole one, while the node runs.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use lifeboat_tests::Run;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Bench, event, events, files, processes_below, wait_until};

const FIXTURE: &str = "sample";

#[test]
fn a_node_is_told_as_it_counts_itself() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let mut node = bench.node(&["uses"], &state_dir).env("LIFEBOAT_METRICS", "127.0.0.1:0").spawn();
    let told = node.wait_for_line("used ", " .");
    let told: Vec<f64> = told.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [user, system, fds, threads, resident_max] = told[..] else { panic!("{told:?}") };
    node.wait_for("ready");
    // The page is of a moment ago; what the node uses no longer changes.
    let is_near = |page: &Page, mode: &str, told: f64| {
        let seen = page.value(&format!("lifeboat_process_cpu_seconds_total{{mode=\"{mode}\"}}"));
        (told - 0.02..told + 0.1).contains(&seen)
    };
    wait_until("the page tells what the node told", || {
        let page = Page::get(&state_dir);
        page.value("process_open_fds") == fds
            && page.value("lifeboat_process_threads") == threads
            && (64.0 * 1_048_576.0..resident_max + 1_048_576.0)
                .contains(&page.value("process_resident_memory_bytes"))
            && is_near(&page, "user", user)
            && is_near(&page, "system", system)
    });
    let page = Page::get(&state_dir);
    let start = fs::metadata(format!("/proc/{}", node.pid())).unwrap().modified().unwrap();
    let start = start.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    // Boot time is known in whole seconds.
    assert!((start - page.value("process_start_time_seconds")).abs() < 3.0, "{start} {:?}", page.0);
    assert!(page.value("lifeboat_process_context_switches_total{kind=\"voluntary\"}") >= 1.0);
    assert!(page.value("process_max_fds") >= fds);
    assert_eq!(page.value("lifeboat_restarts_total"), 0.0);

    node.signal(Signal::KILL);
    assert!(!node.finish().succeeded());
    wait_until("there is a report", || files(&state_dir, "spool", ".envelope").len() == 1);
    let process = &event(&state_dir)["contexts"]["process"];
    assert!(process["memory_course"].as_str().unwrap().contains("last "), "{process}");
    assert!(
        process["resident_bytes"].as_u64() > Some(0) && process["open_fds"].as_u64() > Some(2),
        "{process}"
    );
    leave(&bench);
}

#[test]
fn lives_are_counted_by_how_they_end() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let node = |end| bench.node(&[end], &state_dir).env("LIFEBOAT_NODE", "../node 1");
    for end in ["faults", "exits", "faults"] {
        assert!(!node(end).finish().succeeded());
        bench.settle();
    }
    let mut stopped = node("stops").spawn();
    stopped.wait_for("ready");
    stopped.signal(Signal::TERM);
    assert!(!stopped.finish().succeeded());
    bench.settle();
    let restarts = |event: &Value| event["contexts"]["death"]["restarts"].as_u64().unwrap();
    let mut told: Vec<_> = events(&state_dir).iter().map(restarts).collect();
    told.sort_unstable();
    assert_eq!(told, [0, 1, 2]);

    let mut last = node("stops").env("LIFEBOAT_METRICS", "127.0.0.1:0").spawn();
    last.wait_for("ready");
    let expected = [
        ("lifeboat_restarts_total", 4.0),
        ("lifeboat_deaths_total{cause=\"signal\"}", 2.0),
        ("lifeboat_deaths_total{cause=\"exit\"}", 1.0),
        ("lifeboat_stops_total{kind=\"requested\"}", 1.0),
        ("lifeboat_spool_reports", 3.0),
    ];
    wait_until("the page tells the lives", || {
        let page = Page::get(&state_dir);
        expected.iter().all(|(name, value)| page.value(name) == *value)
    });
    let page = Page::get(&state_dir);
    let died = |cause| page.value(&format!("lifeboat_last_death_timestamp_seconds{{cause=\"{cause}\"}}"));
    assert!(died("signal") >= died("exit") && died("exit") > 1.6e9);
    // Without a server they lie where they belong, and wait for nobody.
    assert!(page.value("lifeboat_spool_oldest_seconds") == 0.0);
    last.signal(Signal::USR1);
    assert!(last.finish().succeeded());
    bench.settle();
    // The name leads nowhere, and the file is whole.
    let records = files(&state_dir, "nodes", ".json");
    let record: Value = serde_json::from_slice(&fs::read(records.first().unwrap()).unwrap()).unwrap();
    assert_eq!(record["record"]["life"]["stops"], serde_json::json!({"clean": 1, "requested": 1}));
    assert_eq!((records.len(), files(&state_dir, "", ".json").len()), (1, 0));

    let with_server = node("stops").env("SENTRY_DSN", "http://key@127.0.0.1:9/1");
    let mut waiting = with_server.env("LIFEBOAT_METRICS", "127.0.0.1:0").spawn();
    waiting.wait_for("ready");
    wait_until("a report waits for its server", || {
        Page::get(&state_dir).value("lifeboat_spool_oldest_seconds") > 0.0
    });
    waiting.signal(Signal::USR1);
    assert!(waiting.finish().succeeded());
    // `post` would try for long.
    processes_below(bench.scratch.path()).iter().for_each(|process| process.signal(Signal::KILL));
    bench.settle();
}

#[test]
fn a_broken_database_is_told_from_a_whole_one() {
    let bench = Bench::new(FIXTURE);
    let state_dir = bench.state_dir();
    let (whole, broken) = (bench.scratch.join("whole.db"), bench.scratch.join("broken.db"));
    let make = "import sqlite3, sys
for path in sys.argv[1:]:
    c = sqlite3.connect(path)
    c.execute('PRAGMA journal_mode=WAL')
    c.execute('CREATE TABLE t(a)')
    c.executemany('INSERT INTO t VALUES (?)', [('x' * 300,)] * 500)
    c.commit()
    c.close()";
    assert!(Run::new("python3").args(["-c", make]).arg(&whole).arg(&broken).finish().succeeded());
    let mut bytes = fs::read(&broken).unwrap();
    bytes[4096..4096 + 64].fill(0xa5);
    fs::write(&broken, &bytes).unwrap();
    let paths = format!("{}:{}:/none/there.db", whole.display(), broken.display());
    let node = bench.node(&["stops"], &state_dir).env("LIFEBOAT_METRICS", "127.0.0.1:0");
    let mut node = node.env("LIFEBOAT_SQLITE", paths).env("LIFEBOAT_SQLITE_CHECK_SECONDS", "1").spawn();
    node.wait_for("ready");
    let check =
        |page: &Page, name: &str| page.value(&format!("lifeboat_sqlite_check_ok{{database=\"{name}\"}}"));
    wait_until("both were checked", || {
        let page = Page::get(&state_dir);
        check(&page, "whole.db") == 1.0 && check(&page, "broken.db") == 0.0
    });
    let page = Page::get(&state_dir);
    let size = page.value("lifeboat_sqlite_size_bytes{database=\"whole.db\"}");
    assert_eq!(size, fs::metadata(&whole).unwrap().len() as f64);
    assert!(page.value("lifeboat_sqlite_last_good_check_timestamp_seconds{database=\"whole.db\"}") > 1.6e9);
    assert!(check(&page, "there.db").is_nan());
    node.signal(Signal::USR1);
    assert!(node.finish().succeeded());
    bench.settle();
    assert_eq!(fs::read(&broken).unwrap(), bytes, "nothing was written");
}

#[test]
fn a_kill_that_the_kernel_counted_is_an_oom_kill() {
    let bench = Bench::new(FIXTURE);
    let Some(counter) = counter_of_oom_kills() else {
        eprintln!("not tried: this process' memory group cannot be seen");
        return;
    };
    let (kills, processes) = (bench.scratch.join("kills"), bench.scratch.join("processes"));
    // What the kernel would write, seen by the node and its monitor alone.
    let script = format!(
        "mount --bind {} {} && mount --bind {} {} && exec \"$@\"",
        kills.display(),
        counter.display(),
        processes.display(),
        counter.with_file_name("cgroup.procs").display(),
    );
    let behind = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    let count = |count: u32| fs::write(&kills, format!("oom_kill_disable 0\noom_kill {count}\n")).unwrap();
    for (others, after, cause, told) in [
        ("", 5, "oom-kill", ["evidence", "of the node's control group, which held no other"]),
        ("1\n", 5, "oom-kill", ["suspected_evidence", "which held others too"]),
        ("", 4, "killed", ["evidence", ""]),
    ] {
        fs::write(&processes, others).unwrap();
        count(4);
        if !bench.node_behind(&behind, &["faults"]).finish().stderr.is_empty() {
            eprintln!("not tried: files cannot be mounted here; run the tests as root");
            return;
        }
        let state_dir = bench.state_dir();
        let node = bench.on(bench.node_behind(&behind, &["stops"]), &state_dir);
        let mut node = node.env("LIFEBOAT_METRICS", "127.0.0.1:0").spawn();
        node.wait_for("ready");
        // By the time of its first answer the monitor has looked.
        wait_until("the page is there", || {
            Page::get(&state_dir).value("lifeboat_cgroup_oom_kills_total") == 4.0
        });
        count(after);
        node.signal(Signal::KILL);
        assert!(!node.finish().succeeded());
        wait_until("there is a report", || files(&state_dir, "spool", ".envelope").len() == 1);
        let event = event(&state_dir);
        let death = &event["contexts"]["death"];
        assert_eq!((&event["tags"]["cause"], &death["cause"]), (&cause.into(), &cause.into()), "{death}");
        let evidence = death.get(told[0]).and_then(Value::as_str).unwrap_or_default();
        assert!(evidence.contains(told[1]) && evidence.is_empty() == (cause == "killed"), "{death}");
        wait_until("it is counted", || {
            let record = fs::read(&files(&state_dir, "nodes", ".json")[0]).unwrap();
            let record: Value = serde_json::from_slice(&record).unwrap();
            record["record"]["life"]["deaths"][cause] == 1
        });
        leave(&bench);
    }
}

/// The file in which the kernel counts for the memory group of this process.
fn counter_of_oom_kills() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = |begin: &str| {
        groups.lines().find_map(|line| line.split_once(begin)).map(|(_, group)| group.trim_start_matches('/'))
    };
    let second = || Some(Path::new("/sys/fs/cgroup").join(group("0::")?).join("memory.events"));
    let first =
        || Some(Path::new("/sys/fs/cgroup/memory").join(group(":memory:")?).join("memory.oom_control"));
    [second(), first()].into_iter().flatten().find(|path| path.is_file())
}

/// A page of metrics, by name and labels.
struct Page(HashMap<String, f64>);

impl Page {
    /// The page of the node that lives; one without a sample while it is not served.
    fn get(state_dir: &Path) -> Self {
        let Some(text) = read(state_dir) else { return Self(HashMap::new()) };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .filter_map(|line| {
                    Some((line.rsplit_once(' ')?.0.to_owned(), line.rsplit_once(' ')?.1.parse().ok()?))
                })
                .collect(),
        )
    }

    /// The value of a series; no number where there is none.
    fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

fn read(state_dir: &Path) -> Option<String> {
    let places = files(state_dir, "serve", ".json").into_iter();
    let places = places.filter_map(|path| serde_json::from_slice::<Value>(&fs::read(path).ok()?).ok());
    let place = places.into_iter().find(|place| place["has_ended"] == false)?;
    let mut stream = TcpStream::connect(place["address"].as_str()?).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// What tells of a death stays for the next life to come; here none does. As long as `watch` is there it puts another
/// in its place.
fn leave(bench: &Bench) {
    wait_until("nothing of this bench runs", || {
        let processes = processes_below(bench.scratch.path());
        for process in &processes {
            if process.command().get(1).is_some_and(|role| role == "serve") {
                process.signal(Signal::KILL);
            }
        }
        processes.is_empty()
    });
}
