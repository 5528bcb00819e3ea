//! `reports` and `show`: on real events, on planted ones, on what is no report at all.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Scene, event, lifeboat, run};

#[test]
fn reports_come_one_object_a_line_with_their_state() {
    let scene = Scene::new();
    let sent = scene.store(1, &event());
    let refused = scene.store(2, &json!({"message": "told", "timestamp": "2026-01-02T03:04:05Z"}));
    scene.store(3, &event());
    scene.spool.mark_sent(&sent).unwrap();
    scene.spool.set_aside(&refused, "the server answered 403: no").unwrap();
    let said = scene.run(&["reports", "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let mut rows: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.sort_by_key(|row| row["event_id"].as_str().unwrap().to_owned());
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sent", "set-aside", "pending"]);
    let expected = json!({
        "event_id": "00000000000000000000000000000003",
        "timestamp": "2025-11-22T08:26:40Z",
        "cause": "signal",
        "title": "SIGSEGV: null pointer dereference at 0x18",
        "node": "node-03.do-ams3",
        "release": "wakunode2@0.36.0",
        "state": "pending",
    });
    assert_eq!(rows[2], expected);
    assert_eq!((&rows[1]["title"], &rows[1]["timestamp"]), (&json!("told"), &json!("2026-01-02T03:04:05Z")));
}

#[test]
fn the_newest_comes_first_and_is_the_last_to_show() {
    let scene = Scene::new();
    for (number, age) in [(1, 30), (2, 10), (3, 20)] {
        let path = scene.store(number, &json!({"message": format!("number {number}")}));
        let when = SystemTime::now() - Duration::from_secs(age);
        File::options().append(true).open(path).unwrap().set_modified(when).unwrap();
    }
    let listed = scene.run(&["reports", "--json"]).stdout;
    let position = |title| listed.find(title).unwrap();
    assert!(position("number 2") < position("number 3") && position("number 3") < position("number 1"));
    for word in ["latest", "last"] {
        assert!(scene.run(&["show", word]).stdout.starts_with("number 2\n"), "{word}");
    }
}

#[test]
fn a_release_gives_way_to_the_title_and_a_pipe_has_room_for_all() {
    let scene = Scene::new();
    let title = "a title that goes on and on, with words and more words, to far beyond the end of any line";
    let release = format!("wakunode2@0.36.0-{}", "rc.".repeat(20));
    let node = "x".repeat(30);
    scene.store(1, &json!({"message": title, "release": release, "tags": {"node": node}}));
    let table = |columns: Option<&str>| {
        let mut command = lifeboat();
        command.args(["reports", "--state-dir"]).arg(scene.state_dir()).env_remove("COLUMNS");
        command.envs(columns.map(|columns| ("COLUMNS", columns)));
        run(&mut command).stdout
    };
    let whole = table(None);
    for text in [title, &release, &node] {
        assert!(whole.contains(text), "{text} in {whole}");
    }
    assert!(whole.lines().next().unwrap().contains("  RELEASE  "), "{whole}");
    let cut = table(Some("120"));
    assert!(
        cut.contains("  RELEASE") && cut.contains("rc.rc.  a title") && !cut.contains("wakunode2"),
        "{cut}"
    );
    let narrow = table(Some("90"));
    assert!(!narrow.contains("RELEASE") && narrow.contains("  a title"), "{narrow}");
    for (table, width) in [(cut, 120), (narrow, 90)] {
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
    }
}

#[test]
fn an_empty_state_directory_is_a_no() {
    let said = Scene::new().run(&["reports"]);
    assert!(
        said.code == 1 && said.stdout.is_empty() && said.stderr.contains("no reports"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_report_that_cannot_be_read_is_listed_and_its_show_says_why() {
    let scene = Scene::new();
    scene.spool.store(uuid::Uuid::from_u128(9), b"{}\n{\"type\":\"event\",\"length\":9}\nx").unwrap();
    assert!(scene.run(&["reports"]).stdout.contains("(cannot be read)"));
    let said = scene.run(&["show", "last"]);
    assert!(said.code == 1 && said.stderr.contains("cut off"), "{}", said.stderr);
}

#[test]
fn show_json_is_exactly_the_event() {
    let scene = Scene::new();
    let mut planted = event();
    planted["new_field"] = json!({"a": [1, 2.5, null, "esc \u{1b}[2J \u{9b} \u{7f}"], "big": u64::MAX});
    scene.store(1, &planted);
    let said = scene.run(&["show", "last", "--json"]);
    assert_eq!(said.code, 0);
    assert_eq!(serde_json::from_str::<Value>(&said.stdout).unwrap(), planted);
    assert!(!said.stdout.contains(|letter: char| letter.is_control() && letter != '\n'));
}

#[test]
fn the_page_says_what_died_where_and_what_becomes_of_the_report() {
    let scene = Scene::new();
    scene.store(1, &event());
    let said = scene.run(&["show", "last"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let page = said.stdout;
    for part in [
        "SIGSEGV: null pointer dereference at 0x18\n",
        "node      node-03.do-ams3",
        "fleet        waku.sandbox",
        "after 2 d 4 h up",
        "peer_address_length",
        "src/protocol/record.h:23  inlined",
        "libc.so.6+0xa81ca\n",
        "store-writer (4712)",
        "−400 ms  error",
        "stage=sandbox",
        "resident 488.6 MiB",
        "ptrace is refused by",
        "pending  waits for https://sentry.example:443, project 3",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    assert!(!page.contains('\x1b'), "no colours where no terminal is");
    assert!(!page.contains("secretkey"));
    assert!(page.lines().all(|line| line == line.trim_end()), "no blanks at the end of a line");
}

#[test]
fn colours_come_when_they_are_wanted_and_no_color_is_respected() {
    let scene = Scene::new();
    scene.store(1, &event());
    let show = |variable| {
        let mut command = lifeboat();
        command.args(["show", "last", "--state-dir"]).arg(scene.state_dir());
        run(command.env("TERM", "xterm").env(variable, "1")).stdout
    };
    assert!(show("CLICOLOR_FORCE").contains("\x1b[1m"));
    assert!(!show("NO_COLOR").contains('\x1b'));
}

#[test]
fn planted_escape_sequences_do_not_pass() {
    let scene = Scene::new();
    let evil = "\x1b[2J\x1b]0;owned\x07\u{9b}31m\rover\u{202e}";
    let mut planted = event();
    planted["exception"]["values"][0]["value"] = json!(evil);
    planted["exception"]["values"][0]["stacktrace"]["frames"][3]["function"] = json!(evil);
    planted["threads"]["values"][0]["name"] = json!(evil);
    planted["breadcrumbs"]["values"][55]["message"] = json!(evil);
    planted["tags"]["node"] = json!(evil);
    planted["contexts"]["death"][evil] = json!(evil);
    let path = scene.store(1, &planted);
    scene.spool.set_aside(&path, evil).unwrap();
    for arguments in
        [&["show", "last"][..], &["show", "last", "--json"], &["reports"], &["reports", "--json"]]
    {
        let said = scene.run(arguments);
        assert_eq!(said.code, 0);
        let bad =
            said.stdout.find(|letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}');
        assert_eq!(bad, None, "{arguments:?}: {}", said.stdout);
    }
    let unknown = scene.run(&["show", evil]);
    assert!(unknown.code == 1 && !unknown.stderr.contains('\x1b'), "{:?}", unknown.stderr);
}

#[test]
fn ids_are_found_by_their_beginning() {
    let scene = Scene::new();
    scene.store(0xabc1_u128 << 112, &event());
    scene.store(0xabc2_u128 << 112, &event());
    assert_eq!(scene.run(&["show", "abc1"]).code, 0);
    assert_eq!(scene.run(&["show", "ABC2-0000"]).code, 0);
    assert_eq!(scene.run(&["show", "abc"]).code, 2);
    assert_eq!(scene.run(&["show", "fff"]).code, 1);
}

#[test]
fn metrics_keep_their_names_and_labels() {
    let scene = Scene::new();
    let mut told = event();
    told["contexts"]["metrics"] = json!({
        "type": "metrics",
        "logos_module_threads{module=\"storage_module\"}": 1,
        "store_bytes": 2048,
        "gossip_delay_seconds": 28.199_999_999_999_974,
    });
    scene.store(1, &told);
    let page = scene.run(&["show", "latest"]).stdout;
    let section: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("METRICS"))
        .take_while(|line| !line.is_empty())
        .collect();
    let rows: Vec<String> =
        section.iter().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "logos_module_threads{module=\"storage_module\"} 1",
        "store_bytes 2048",
        "gossip_delay_seconds 28.2",
    ];
    assert_eq!(rows, expected, "{page}");
}

#[test]
fn what_a_node_outlived_is_not_called_a_death() {
    let scene = Scene::new();
    for (number, cause, heading) in [(1, "error", "ERROR"), (2, "hang", "HANG"), (3, "signal", "DEATH")] {
        let death = json!({"cause": cause, "thread_id": 7});
        scene.store(number, &json!({"message": "told", "contexts": {"death": death}}));
        let page = scene.run(&["show", &format!("{number:032x}")]).stdout;
        let headings: Vec<&str> =
            page.lines().filter(|line| matches!(*line, "ERROR" | "HANG" | "DEATH")).collect();
        assert_eq!(headings, [heading], "{page}");
    }
}

#[test]
fn a_report_that_a_monitor_still_writes_is_waited_for() {
    let scene = Scene::new();
    let monitor = scene.dir.path().join("lifeboat-monitor");
    std::fs::copy("/bin/sleep", &monitor).unwrap();
    let mut monitor = std::process::Command::new(monitor).arg("60").spawn().unwrap();
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            scene.store(1, &event());
        });
        scene.run(&["reports"])
    });
    monitor.kill().and_then(|()| monitor.wait()).unwrap();
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("SIGSEGV"), "{}", said.stdout);
}
