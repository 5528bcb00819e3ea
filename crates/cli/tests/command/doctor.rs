//! `doctor`: each check as it should be, and each with what it is there to find.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{lifeboat, run};

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// A library with our one symbol and a monitor that knows its name.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Self { dir };
        machine.library("int lifeboat_api_v1(void) { return 0; }");
        machine.monitor(&format!("echo 'lifeboat-monitor {}'", lifeboat_monitor::VERSION));
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn library(&self, source: &str) {
        let file = self.path("library.c");
        fs::write(&file, source).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-nostdlib", "-o"]).arg(self.path("reporter.so")).arg(&file);
        assert!(cc.status().unwrap().success());
    }

    fn monitor(&self, script: &str) {
        let path = self.path("monitor");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn doctor(&self, dsn: &str) -> (i32, Vec<Value>) {
        let mut command = lifeboat();
        command.args(["doctor", "--json", "--state-dir"]).arg(self.path("state"));
        command
            .env("LIFEBOAT_REPORTER", self.path("reporter.so"))
            .env("LIFEBOAT_MONITOR", self.path("monitor"));
        let said = run(command.env("SENTRY_DSN", dsn));
        (said.code, said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The one check, and that the exit code follows it.
    fn finding(&self, check: &str, dsn: &str) -> (String, String) {
        let (code, findings) = self.doctor(dsn);
        let finding = findings.iter().find(|finding| finding["check"] == check).unwrap();
        let result = finding["result"].as_str().unwrap();
        assert_eq!(code, i32::from(result == "failed"), "{findings:?}");
        assert_eq!(result == "ok", finding["remedy"] == "", "{finding}");
        (result.to_owned(), finding["detail"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_sound_machine_is_told_so() {
    let machine = Machine::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!("http://key@{}/1", server.local_addr().unwrap());
    let (code, findings) = machine.doctor(&dsn);
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| (finding["check"].as_str().unwrap(), finding["result"].as_str().unwrap()))
        .collect();
    let expected =
        ["library", "monitor", "state", "ptrace", "kernel", "server", "metrics", "switch", "settings"]
            .map(|check| (check, "ok"));
    assert_eq!((code, checks), (0, expected.to_vec()), "{findings:?}");
    assert_eq!(machine.path("state").metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(Path::new(&machine.path("state/spool")).is_dir());
}

#[test]
fn the_switch_is_told_as_a_node_reads_it() {
    let machine = Machine::new();
    let switch = |word: &str| {
        let mut command = lifeboat();
        command.args(["doctor", "--json", "--state-dir"]).arg(machine.path("state"));
        command.env("LIFEBOAT_REPORTER", machine.path("reporter.so")).env("LIFEBOAT", word);
        let said = run(&mut command).stdout;
        let findings = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finding = findings.into_iter().find(|finding| finding["check"] == "switch").unwrap();
        (finding["result"] == "ok", finding["detail"].as_str().unwrap().to_owned())
    };
    for word in ["off", "OFF", "0", "False"] {
        assert_eq!(switch(word), (false, format!("LIFEBOAT={word} turns everything off")));
    }
    let told = "LIFEBOAT=of is no word for on or off: it turns everything off";
    assert_eq!(switch("of"), (false, told.to_owned()));
    for word in ["on", "Yes", ""] {
        assert!(switch(word).0, "{word}");
    }
}

#[test]
fn the_metrics_address_is_tried() {
    let machine = Machine::new();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let metrics = |address: &str| {
        let mut command = lifeboat();
        command.args(["doctor", "--json", "--state-dir"]).arg(machine.path("state"));
        let said = run(command.env("LIFEBOAT_METRICS", address)).stdout;
        let findings = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finding = findings.into_iter().find(|finding| finding["check"] == "metrics").unwrap();
        (finding["result"] == "ok", finding["detail"].as_str().unwrap().to_owned())
    };
    for (address, is_fine, told) in [
        ("", true, "LIFEBOAT_METRICS is not set"),
        ("127.0.0.1:0", true, "is free"),
        ("nonsense", false, "write 127.0.0.1:9464"),
        ("0.0.0.0:0", false, "LIFEBOAT_METRICS_PUBLIC=1"),
        (&taken, false, "in use"),
    ] {
        let (is, detail) = metrics(address);
        assert_eq!((is, detail.contains(told)), (is_fine, true), "{address}: {detail}");
    }
}

#[test]
fn who_holds_the_metrics_address_is_told() {
    let machine = Machine::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let metrics = || {
        let mut command = lifeboat();
        command.args(["doctor", "--json", "--offline", "--state-dir"]).arg(machine.path("state"));
        // The wildcard address meets the one that is held.
        command.env("LIFEBOAT_METRICS", format!("0.0.0.0:{port}")).env("LIFEBOAT_METRICS_PUBLIC", "1");
        let said = run(&mut command).stdout;
        let findings = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        findings.into_iter().find(|finding| finding["check"] == "metrics").unwrap()["detail"].to_string()
    };
    assert!(metrics().contains("another state directory may stay there for up to an hour"), "{}", metrics());
    let said = serde_json::json!({"node_pid": 4711, "node": "relay-7", "serve_pid": 9, "has_ended": true,
        "address": format!("127.0.0.1:{port}")});
    let _sign = super::health::sign(&machine.path("state"), 1, &said);
    assert!(
        metrics().contains("held by the server of process 4711 (relay-7), which has died"),
        "{}",
        metrics()
    );
}

#[test]
fn every_setting_is_read_as_a_node_reads_it() {
    let machine = Machine::new();
    fs::write(machine.path("store.db"), "").unwrap();
    let store = machine.path("store.db").to_str().unwrap().to_owned();
    let twice = format!("{store}:{store}");
    let many: Vec<_> = (0..17).map(|number| format!("{store}{number}")).collect();
    many.iter().for_each(|path| fs::write(path, "").unwrap());
    let many = many.join(":");
    let settings = |name: &str, value: &str| {
        let mut command = lifeboat();
        command.args(["doctor", "--json", "--offline", "--state-dir"]).arg(machine.path("state"));
        command.env("LIFEBOAT_REPORTER", machine.path("reporter.so"));
        let said = run(command.env("LIFEBOAT_MONITOR", machine.path("monitor")).env(name, value));
        let findings = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_settings: Vec<_> = findings.filter(|finding| finding["check"] == "settings").collect();
        let worst = of_settings.iter().find(|finding| finding["result"] != "ok").unwrap_or(&of_settings[0]);
        let result = worst["result"].as_str().unwrap();
        assert_eq!(result == "ok", worst["remedy"] == "", "{worst}");
        assert_eq!(said.code, i32::from(result == "failed"), "{worst}");
        (result.to_owned(), worst.to_string())
    };
    for (name, value, expected, told) in [
        ("LIFEBOAT_SCRAPE", "http://localhost:8008/metrics", "ok", ""),
        ("LIFEBOAT_SCRAPE", "http://[::1]", "ok", ""),
        ("LIFEBOAT_SCRAPE", "127.0.0.1:8008", "failed", "write http://127.0.0.1:8008/metrics"),
        ("LIFEBOAT_SCRAPE", "https://127.0.0.1:8008/", "failed", "is no address"),
        ("LIFEBOAT_SCRAPE", "http://192.0.2.1:8008/", "failed", "another machine's"),
        ("LIFEBOAT_SCRAPE_INTERVAL", "3600", "ok", ""),
        ("LIFEBOAT_SCRAPE_INTERVAL", "15s", "failed", "from 1 to 3600"),
        ("LIFEBOAT_SCRAPE_INTERVAL", "0", "failed", "from 1 to 3600"),
        ("LIFEBOAT_SERIES_MAX", "20000", "ok", ""),
        ("LIFEBOAT_SERIES_MAX", "20k", "failed", "10000 is usual"),
        ("LIFEBOAT_HANG_SIGNAL", "0", "ok", ""),
        ("LIFEBOAT_HANG_SIGNAL", "64", "ok", ""),
        ("LIFEBOAT_HANG_SIGNAL", "11", "failed", "from 35 to 64"),
        ("LIFEBOAT_HANG_SIGNAL", "SIGUSR1", "failed", "from 35 to 64"),
        ("LIFEBOAT_SQLITE", &store, "ok", ""),
        ("LIFEBOAT_SQLITE", &twice, "ok", ""),
        ("LIFEBOAT_SQLITE", "store.db", "failed", "is not absolute"),
        ("LIFEBOAT_SQLITE", "/no/such.db", "warning", "is no file"),
        ("LIFEBOAT_SQLITE", &many, "failed", "names 17 databases"),
        ("LIFEBOAT_SQLITE_CHECK_SECONDS", "0", "ok", ""),
        ("LIFEBOAT_SQLITE_CHECK_SECONDS", "6h", "failed", "21600 is taken"),
        ("LIFEBOAT_SQLITE_CHECK_BYTES_MAX", "1GB", "failed", "without a unit"),
        ("LIFEBOAT_MODULES", "on", "ok", ""),
        ("LIFEBOAT_MODULES", "ja", "failed", "no word for on or off"),
        ("LIFEBOAT_SHARED", "2", "failed", "no word for on or off"),
        ("LIFEBOAT_SYSTEMD", "onn", "failed", "no word for on or off"),
        ("LIFEBOAT_METRICS_PUBLIC", "ja", "failed", "no word for on or off"),
        ("LIFEBOAT_METRIC", "127.0.0.1:9464", "warning", "write LIFEBOAT_METRICS, if"),
        ("LIFEBOAT_SQLLITE", "/a", "warning", "write LIFEBOAT_SQLITE, if"),
        ("LIFEBOAT_SOMETHING_ELSE_ALTOGETHER", "1", "warning", "is no variable of Lifeboat's"),
    ] {
        let (result, finding) = settings(name, value);
        assert_eq!((result.as_str(), finding.contains(told)), (expected, true), "{name}={value}: {finding}");
    }
}

#[test]
fn versions_are_told_where_they_are_known() {
    let machine = Machine::new();
    assert!(machine.finding("library", "").1.contains("its version is not known"));
    machine.library("const char *lifeboat_api_v1(void) { return \"lifeboat-reporter 0.1.0 (abc)\"; }");
    assert!(machine.finding("library", "").1.contains(", lifeboat-reporter 0.1.0 (abc), "));
    assert!(machine.finding("monitor", "").1.ends_with(lifeboat_monitor::VERSION));
}

#[test]
fn the_page_shows_the_remedy_below_what_failed() {
    let machine = Machine::new();
    let said = run(lifeboat()
        .args(["doctor", "--state-dir"])
        .arg(machine.path("state"))
        .env("LIFEBOAT_REPORTER", "/none.so"));
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.contains("failed   library  /none.so")
            && said.stdout.contains("correct LIFEBOAT_REPORTER")
    );
    assert!(said.stderr.contains("failed"), "{}", said.stderr);
}

#[test]
fn a_foreign_missing_or_unsafe_library_fails() {
    let machine = Machine::new();
    machine.library("int something_else(void) { return 0; }");
    assert!(machine.finding("library", "").1.contains("does not export lifeboat_api_v1"));
    machine.library("int lifeboat_api_v1(void) { return 0; } int more(void) { return 0; }");
    assert!(machine.finding("library", "").1.contains("exports 2 symbols"));
    fs::write(machine.path("reporter.so"), "text").unwrap();
    assert!(machine.finding("library", "").1.contains("is not an ELF library"));
    fs::remove_file(machine.path("reporter.so")).unwrap();
    assert_eq!(machine.finding("library", "").0, "failed");
    machine.library("int lifeboat_api_v1(void) { return 0; }");
    fs::set_permissions(machine.path("reporter.so"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(machine.finding("library", "").1.contains("may be written by others"));
    fs::set_permissions(machine.path("reporter.so"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(machine.dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (_, findings) = machine.doctor("");
    assert_eq!(findings[0]["result"], "failed", "a folder above it counts");
}

#[test]
fn a_monitor_that_cannot_run_or_is_another_program_fails() {
    let machine = Machine::new();
    machine.monitor("echo lifeboat-monitor 9.9.9");
    assert_eq!(machine.finding("monitor", "").0, "warning");
    machine.monitor("echo hello");
    assert!(machine.finding("monitor", "").1.contains("not Lifeboat's monitor"));
    machine.monitor("exit 3");
    assert_eq!(machine.finding("monitor", "").0, "failed");
    fs::set_permissions(machine.path("monitor"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(machine.finding("monitor", "").1.contains("no executable file"));
}

#[test]
fn a_state_directory_that_cannot_be_used_fails() {
    let machine = Machine::new();
    fs::create_dir(machine.path("state")).unwrap();
    fs::set_permissions(machine.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let (code, findings) = machine.doctor("");
    assert_eq!((code, &findings[2]["result"]), (1, &Value::from("failed")));
    assert!(findings[2]["detail"].as_str().unwrap().contains("chmod go-w"));
    fs::remove_dir(machine.path("state")).unwrap();
    fs::write(machine.path("state"), "a file").unwrap();
    assert_eq!(machine.doctor("").1[2]["result"], "failed");
}

#[test]
fn a_dsn_is_read_and_its_server_tried_and_its_key_is_not_told() {
    let machine = Machine::new();
    let (result, detail) = machine.finding("server", "not a dsn with secretkey");
    assert!(result == "failed" && !detail.contains("secretkey"), "{detail}");
    // A port that was just free refuses.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (result, detail) = machine.finding("server", &format!("http://secretkey@127.0.0.1:{port}/1"));
    assert!(result == "failed" && !detail.contains("secretkey"), "{detail}");
    assert_eq!(machine.finding("server", "http://key@name.invalid/1").0, "failed");
    assert_eq!(machine.finding("server", "").0, "ok");
}
