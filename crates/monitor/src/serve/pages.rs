//! What is served, out of the facts of one moment.

use lifeboat_recorder::component_state;
use serde_json::{Value, json};

use super::facts::{Facts, Monitor};
use super::families::{Families, Kind};
use super::health::{Assessment, Status, assess};
use super::http::Response;
use super::http::negotiate::Format;
use super::joined::Joined;
use super::node::State;
use crate::sample::{Ended, Life, ProcessSample, Sample};

/// The causes that deaths are known by, so that the first of a kind is an increase and not a new series.
const CAUSES: [&str; 8] =
    ["signal", "panic", "nim-exception", "cpp-exception", "exit", "oom-kill", "killed", "unknown"];
const STOPS: [&str; 3] = ["requested", "clean", "hard"];
/// What there is.
pub(super) const INDEX: &str = "there is no such page; there are

/metrics         metrics of the node, and of the monitor about it
/node/metrics    the node's own endpoint, where LIFEBOAT_SCRAPE names it
/health          200 where the node is well, 503 with the reason where it is not
/health/checks   every component, heartbeat and database
/livez           200: the monitor itself works";

/// `/metrics`.
pub(super) fn metrics(facts: &Facts<'_>, format: Format) -> String {
    let mut page = String::new();
    let mut is_whole = None;
    if facts.is_up() {
        let own = facts.own.iter().map(|own| (*own, b"".as_slice()));
        is_whole =
            Some(super::own::append(own.chain(facts.joined.iter().map(Joined::source)), format, &mut page));
    }
    let mut families = Families::new(format, &mut page);
    node(facts, &mut families);
    health(facts, &mut families);
    if facts.is_up() {
        if let Some(process) = facts.process() {
            self::process(process, &mut families);
        }
        registry(facts, &mut families);
        families
            .gauge(
                "lifeboat_metrics_truncated",
                "Whether the node has more metrics than a page has room for.",
            )
            .sample(&[], is_whole.filter(|_| facts.own.is_some()).map(|it| !it));
    }
    if let Some(sample) = facts.sample {
        if let Some(lives) = &sample.life {
            life(lives, &mut families);
        }
        if let Some(sample) = facts.fresh().filter(|_| facts.is_up()) {
            cgroup(sample, &mut families);
        }
        spool(sample, facts.now_seconds, &mut families);
        databases(sample, &mut families);
        if let Some(sample) = facts.fresh() {
            modules(sample, &mut families);
            exits(sample, &mut families);
        }
    }
    let age = facts.sample_age_seconds;
    families
        .gauge("lifeboat_sample_age_seconds", "Age of what the monitor saw of the process.")
        .sample(&[], age);
    scraped(facts, &mut families);
    families.end();
    page
}

fn node(facts: &Facts<'_>, families: &mut Families<'_>) {
    families.gauge("lifeboat_node_up", "Whether the node's process lives.").sample(&[], facts.is_up());
    // Once the node has ended it is done.
    let is_monitored = facts.is_up().then_some(facts.monitor == Monitor::Answers);
    families
        .gauge("lifeboat_monitor_up", "Whether the monitor's part that sees the node's end answers.")
        .sample(&[], is_monitored);
    let about = facts.about;
    let labels = [
        ("app", about.app.as_str()),
        ("version", &about.version),
        ("commit", &about.commit),
        ("fleet", &about.fleet),
        ("node", &about.node),
    ];
    families.begin(Kind::Info, "lifeboat_node", "Who the node is.").sample(&labels, true);
    let start = facts.view.start_seconds.filter(|_| facts.is_up());
    families
        .gauge("lifeboat_start_time_seconds", "When the reporter was started, since 1970.")
        .sample(&[], start);
}

fn health(facts: &Facts<'_>, families: &mut Families<'_>) {
    let Assessment { score, coverage, .. } = assess(facts);
    families.gauge("lifeboat_health_score", "How well the node is, 0 to 100.").sample(&[], f64::from(score));
    families
        .gauge("lifeboat_health_coverage_ratio", "What is known of the node's health, of what should be.")
        .sample(&[], coverage);
    let Some((components, heartbeats)) = facts.view.health.as_ref().filter(|_| facts.is_up()) else { return };
    let mut states = families
        .gauge("lifeboat_health_state", "State of a component: 0 ok, 1 degraded, 2 failing, -1 unknown.");
    for component in components {
        states.sample(&[("component", &component.name)], f64::from(component.state));
    }
    let mut ages = families.gauge("lifeboat_heartbeat_age_seconds", "Time since a loop's last heartbeat.");
    // A loop that has ended properly has no age.
    for heartbeat in heartbeats.iter().filter(|heartbeat| heartbeat.deadline_seconds.is_some()) {
        ages.sample(&[("name", &heartbeat.name)], heartbeat.age_seconds);
    }
    let mut deadlines = families
        .gauge("lifeboat_heartbeat_deadline_seconds", "The age by which a loop's next heartbeat is due.");
    for heartbeat in heartbeats {
        deadlines.sample(&[("name", &heartbeat.name)], heartbeat.deadline_seconds);
    }
}

fn process(process: &ProcessSample, families: &mut Families<'_>) {
    let cpu = process.user_seconds.zip(process.system_seconds).map(|(user, system)| user + system);
    families
        .counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.")
        .sample(&[], cpu);
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory size in bytes.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual_bytes),
        (
            "process_virtual_memory_max_bytes",
            "Maximum amount of virtual memory available in bytes.",
            process.virtual_max_bytes,
        ),
        ("process_open_fds", "Number of open file descriptors.", process.open_fds),
        ("process_max_fds", "Maximum number of open file descriptors.", process.max_fds),
        ("lifeboat_process_swapped_bytes", "Memory of the process in swap.", process.swapped_bytes),
        ("lifeboat_process_threads", "Threads of the process.", process.threads),
    ] {
        families.gauge(name, help).sample(&[], value);
    }
    families
        .gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
        .sample(&[], process.start_seconds);
    let mut modes = families.counter("lifeboat_process_cpu_seconds", "CPU time by mode.");
    modes.sample(&[("mode", "user")], process.user_seconds);
    modes.sample(&[("mode", "system")], process.system_seconds);
    let mut io = families.counter("lifeboat_process_io_bytes", "Bytes read from and written to storage.");
    io.sample(&[("direction", "read")], process.read_bytes);
    io.sample(&[("direction", "write")], process.written_bytes);
    let mut switches = families.counter("lifeboat_process_context_switches", "Context switches by kind.");
    switches.sample(&[("kind", "voluntary")], process.voluntary_switches);
    switches.sample(&[("kind", "involuntary")], process.involuntary_switches);
}

fn registry(facts: &Facts<'_>, families: &mut Families<'_>) {
    let Some(head) = facts.own.and_then(super::own::Own::head) else { return };
    families
        .gauge("lifeboat_metrics_series", "Series that the node registered.")
        .sample(&[], u64::from(head.series_used));
    families
        .gauge("lifeboat_metrics_series_max", "Series that there is room for.")
        .sample(&[], u64::from(head.plan().series_max()));
    families
        .counter("lifeboat_metrics_overflowed", "Series for which there was no room.")
        .sample(&[], head.overflowed);
    families
        .counter("lifeboat_metrics_refused", "Metrics whose name was wrong or meant something else already.")
        .sample(&[], head.refused);
}

fn life(life: &Life, families: &mut Families<'_>) {
    families.counter("lifeboat_restarts", "How often the node was started again.").sample(&[], life.restarts);
    let mut deaths = families.counter("lifeboat_deaths", "Deaths by cause.");
    for (cause, count) in with_zeros(&CAUSES, &life.deaths) {
        deaths.sample(&[("cause", cause)], count);
    }
    families
        .counter("lifeboat_hangs", "How often a loop gave no proof of life, and that was told.")
        .sample(&[], life.hangs);
    let mut last = families
        .gauge("lifeboat_last_death_timestamp_seconds", "When the node last died of a cause, since 1970.");
    for (cause, at) in &life.last_deaths {
        last.sample(&[("cause", cause)], *at);
    }
    let mut stops = families.counter("lifeboat_stops", "Ends that were asked for, by kind.");
    for (kind, count) in with_zeros(&STOPS, &life.stops) {
        stops.sample(&[("kind", kind)], count);
    }
}

fn cgroup(sample: &Sample, families: &mut Families<'_>) {
    let Some(group) = &sample.cgroup else { return };
    families
        .gauge("lifeboat_cgroup_memory_bytes", "Memory of the control group, page cache included.")
        .sample(&[], group.memory_bytes);
    families
        .gauge("lifeboat_cgroup_memory_max_bytes", "Memory that the control group may use.")
        .sample(&[], group.memory_max_bytes);
    families
        .counter(
            "lifeboat_cgroup_oom_kills",
            "Processes of the control group that the kernel killed for memory.",
        )
        .sample(&[], group.oom_kills);
    families
        .counter("lifeboat_cgroup_throttled_seconds", "Time for which the control group was denied the CPU.")
        .sample(&[], group.throttled_seconds);
    families
        .gauge(
            "lifeboat_cgroup_memory_pressure_ratio",
            "Share of the last ten seconds in which some thread of the control group waited for memory.",
        )
        .sample(&[], group.memory_pressure_ratio);
}

fn spool(sample: &Sample, now_seconds: u64, families: &mut Families<'_>) {
    let spool = &sample.spool;
    families
        .gauge(
            "lifeboat_spool_reports",
            "Reports in the spool: those that wait to be sent, or all where there is no server.",
        )
        .sample(&[], spool.reports);
    let age =
        spool.oldest_seconds.filter(|_| spool.reports > 0).map(|stored| now_seconds.saturating_sub(stored));
    families
        .gauge("lifeboat_spool_oldest_seconds", "Age of the oldest that waits for its server; 0 without one.")
        .sample(&[], age.unwrap_or(0));
    let mut reports = families.counter("lifeboat_reports", "Reports by what became of them.");
    for (state, count) in &spool.counts {
        reports.sample(&[("state", state)], *count);
    }
}

fn databases(sample: &Sample, families: &mut Families<'_>) {
    let mut each = |name, help, value: &dyn Fn(&crate::sample::DatabaseSample) -> Option<u64>| {
        let mut family = families.gauge(name, help);
        for database in &sample.databases {
            family.sample(&[("database", &database.name)], value(database));
        }
    };
    each("lifeboat_sqlite_size_bytes", "Size of a database's file.", &|it| it.size_bytes);
    each("lifeboat_sqlite_wal_bytes", "Size of a database's write-ahead log.", &|it| it.wal_bytes);
    each("lifeboat_sqlite_free_bytes", "Pages of a database's file that hold nothing.", &|it| {
        Some(it.free_pages?.saturating_mul(it.page_bytes?))
    });
    each("lifeboat_sqlite_check_ok", "Whether the last quick_check found a database whole.", &|it| {
        it.is_whole.map(u64::from)
    });
    each(
        "lifeboat_sqlite_last_good_check_timestamp_seconds",
        "When a database was last found whole, since 1970.",
        &|it| it.last_whole_seconds,
    );
}

fn modules(sample: &Sample, families: &mut Families<'_>) {
    let modules: Vec<_> =
        sample.processes.iter().filter_map(|process| Some((process.module.as_deref()?, process))).collect();
    let mut gauge = |name, help, value: &dyn Fn(&ProcessSample) -> Option<f64>| {
        let mut family = families.gauge(name, help);
        for (module, process) in &modules {
            family.sample(&[("module", module)], value(process));
        }
    };
    let number = |value: Option<u64>| value.map(|value| value as f64);
    gauge("logos_module_up", "Whether a module's process lives.", &|it| Some(f64::from(u8::from(it.is_up))));
    gauge("logos_module_resident_memory_bytes", "Resident memory of a module.", &|it| {
        number(it.resident_bytes)
    });
    gauge("logos_module_open_fds", "Open descriptors of a module.", &|it| number(it.open_fds));
    gauge("logos_module_threads", "Threads of a module.", &|it| number(it.threads));
    gauge("logos_module_start_time_seconds", "When a module's process was started.", &|it| it.start_seconds);
    let mut cpu = families.counter("logos_module_cpu_seconds", "CPU time of a module, user and system.");
    for (module, process) in &modules {
        let both = process.user_seconds.zip(process.system_seconds).map(|(user, system)| user + system);
        cpu.sample(&[("module", module)], both);
    }
    let mut count = |name, help, value: &dyn Fn(&ProcessSample) -> Option<u64>| {
        let mut family = families.counter(name, help);
        for (module, process) in &modules {
            family.sample(&[("module", module)], value(process));
        }
    };
    count("logos_module_read_bytes", "Bytes that a module had read from storage.", &|it| it.read_bytes);
    count("logos_module_written_bytes", "Bytes that a module had written to storage.", &|it| {
        it.written_bytes
    });
    let mut restarts = families.counter("logos_module_restarts", "How often a module was started again.");
    for (module, process) in &modules {
        restarts.sample(&[("module", module)], process.life.as_ref().map(|life| life.restarts));
    }
    let mut deaths = families.counter("logos_module_deaths", "Deaths of a module by cause.");
    for (module, life) in modules.iter().filter_map(|(module, it)| Some((module, it.life.as_ref()?))) {
        for (cause, count) in with_zeros(&CAUSES, &life.deaths) {
            deaths.sample(&[("module", module), ("cause", cause)], count);
        }
    }
}

/// How the processes of modules ended, as their parent was told.
fn exits(sample: &Sample, families: &mut Families<'_>) {
    let mut exits =
        families.counter("logos_module_exits", "Ends of a module's processes by status or signal.");
    let lives = sample.processes.iter().filter_map(|it| Some((it.module.as_deref()?, it.life.as_ref()?)));
    for (module, life) in lives {
        for (status, count) in &life.exits {
            exits.sample(&[("module", module), ("status", status)], *count);
        }
    }
}

fn scraped(facts: &Facts<'_>, families: &mut Families<'_>) {
    let Some(seen) = facts.scraped.filter(|seen| facts.is_up() && seen.tries > 0) else { return };
    families
        .gauge("lifeboat_scrape_up", "Whether the node's own endpoint could be read.")
        .sample(&[], !seen.is_down);
    families
        .counter("lifeboat_scrape_failures", "How often the node's own endpoint could not be read.")
        .sample(&[], seen.failures);
    let page = seen.page.as_ref();
    families
        .gauge("lifeboat_scrape_age_seconds", "Age of the node's own page.")
        .sample(&[], page.map(|page| page.at.elapsed().as_secs_f64()));
    families
        .gauge("lifeboat_scrape_duration_seconds", "How long the node took for its own page.")
        .sample(&[], page.map(|page| page.took.as_secs_f64()));
    families
        .gauge("lifeboat_scrape_page_bytes", "Size of the node's own page.")
        .sample(&[], page.map(|page| page.body.len() as u64));
}

/// Counts by label, those that never happened as 0.
fn with_zeros<'c>(
    known: &'c [&'c str],
    counts: &'c std::collections::BTreeMap<String, u64>,
) -> impl Iterator<Item = (&'c str, u64)> {
    let zeros = known.iter().filter(|name| !counts.contains_key(**name)).map(|name| (*name, 0));
    zeros.chain(counts.iter().map(|(name, count)| (name.as_str(), *count)))
}

/// `/health`.
pub(super) fn verdict(facts: &Facts<'_>) -> Response {
    let Assessment { status, reason, .. } = assess(facts);
    let document = match status {
        Status::Ok => json!({"status": status}),
        Status::Degraded | Status::Failing => {
            match facts.ended().filter(|ended| !ended.event_id.is_empty()) {
                Some(ended) => json!({"status": status, "reason": reason, "report": ended.event_id}),
                None => json!({"status": status, "reason": reason}),
            }
        }
    };
    Response::json(if status == Status::Failing { 503 } else { 200 }, &document)
}

/// `/health/checks`.
pub(super) fn checks(facts: &Facts<'_>) -> Response {
    let Assessment { status, reason, score, deductions, coverage, unknown } = assess(facts);
    let (components, heartbeats) = facts.view.health.clone().unwrap_or_default();
    let components: Vec<Value> = components
        .iter()
        .map(|it| {
            let since = it.since_ms as f64 / 1e3;
            let state = if facts.is_up() { word(it.state) } else { "ended" };
            json!({"name": it.name, "state": state, "since_timestamp_seconds": since, "detail": it.detail})
        })
        .collect();
    let heartbeats: Vec<Value> = heartbeats
        .iter()
        .map(|it| {
            let state = match it.deadline_seconds {
                _ if !facts.is_up() => "ended",
                None => "ended",
                Some(_) if it.is_overdue => "overdue",
                Some(_) => "ok",
            };
            json!({
                "name": it.name, "state": state, "age_seconds": it.age_seconds,
                "deadline_seconds": it.deadline_seconds, "count": it.count,
            })
        })
        .collect();
    let document = json!({
        "status": status, "reason": reason, "score": score, "deductions": deductions,
        "coverage": coverage, "unknown": unknown,
        "process": process_document(facts), "components": components, "heartbeats": heartbeats,
        "databases": facts.sample.map(database_documents).unwrap_or_default(), "spool": spool_document(facts.sample),
        "sample_age_seconds": facts.sample_age_seconds,
    });
    Response::json(if status == Status::Failing { 503 } else { 200 }, &document)
}

fn process_document(facts: &Facts<'_>) -> Value {
    let state = match facts.view.state {
        State::Alive => "alive",
        State::Stopped => "stopped",
        State::Waiting => "waiting",
        State::Ended => "ended",
        State::Unknown => "unknown",
    };
    let process = facts.process().cloned().unwrap_or_default();
    let memory_max = facts.fresh().and_then(|sample| sample.cgroup.as_ref()?.memory_max_bytes);
    json!({
        "pid": facts.pid, "state": state, "ended": facts.ended().map(ended_document),
        "resident_bytes": process.resident_bytes, "memory_max_bytes": memory_max,
        "open_fds": process.open_fds, "max_fds": process.max_fds, "threads": process.threads,
    })
}

fn ended_document(ended: &Ended) -> Value {
    json!({"cause": ended.cause, "at_timestamp_seconds": ended.at_seconds, "detail": ended.detail,
        "report": ended.event_id})
}

/// Nothing is known where there is no sample: then it has no members.
fn spool_document(sample: Option<&Sample>) -> Value {
    let Some(spool) = sample.map(|sample| &sample.spool) else { return json!({}) };
    json!({
        "reports": spool.reports, "oldest_timestamp_seconds": spool.oldest_seconds, "counts": spool.counts,
    })
}

fn database_documents(sample: &Sample) -> Vec<Value> {
    let documents = sample.databases.iter().map(|it| {
        let state = match it.is_whole {
            Some(true) => "ok",
            Some(false) => "failing",
            None => "unknown",
        };
        json!({
            "name": it.name, "state": state, "detail": it.detail, "size_bytes": it.size_bytes,
            "wal_bytes": it.wal_bytes, "last_good_check_timestamp_seconds": it.last_whole_seconds,
        })
    });
    documents.collect()
}

const fn word(state: i32) -> &'static str {
    match state {
        component_state::OK => "ok",
        component_state::DEGRADED => "degraded",
        component_state::FAILING => "failing",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::View;
    use super::*;
    use crate::sample::CgroupSample;

    #[test]
    fn what_watch_saw_long_ago_is_not_shown() {
        let group = CgroupSample { memory_pressure_ratio: Some(0.25), ..CgroupSample::default() };
        let node = ProcessSample { open_fds: Some(7), ..ProcessSample::default() };
        let module = ProcessSample { module: Some("a".into()), is_up: true, ..ProcessSample::default() };
        let sample = Sample { processes: vec![node, module], cgroup: Some(group), ..Sample::default() };
        let view = View { state: State::Alive, start_seconds: None, health: None };
        for (age, is_shown) in [(59.0, true), (61.0, false)] {
            let facts = Facts { sample: Some(&sample), sample_age_seconds: Some(age), ..Facts::of(&view) };
            let page = metrics(&facts, Format::Text);
            for line in [
                "process_open_fds 7\n",
                "lifeboat_cgroup_memory_pressure_ratio 0.25\n",
                "logos_module_up{module=\"a\"} 1\n",
            ] {
                assert_eq!(page.contains(line), is_shown, "{line} of {page}");
            }
            assert!(page.contains("lifeboat_spool_reports 0\n"), "{page}");
            let judged = assess(&facts);
            assert_eq!(
                (judged.status == Status::Degraded, judged.reason.contains("watch")),
                (!is_shown, !is_shown)
            );
        }
    }
}
