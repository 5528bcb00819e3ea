//! `lifeboat fleet check` and `fleet secrets`: what is right, what is wrong, what is not watched, and who may read a secret.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::Value;

use super::{lifeboat, run};

const RIGHT: &str = r#"[[fleet]]
name = "logos.test"
profile = ["libp2p-generic", "probes"]
[fleet.nodes]
"node-01.do-ams3.logos.test" = "10.1.0.1"
"node-02.do-ams3.logos.test" = "10.1.0.2"
[[destination]]
name = "chat"
type = "slack"
api_url_env = "LIFEBOAT_TEST_SLACK"
severities = ["P0", "P1"]
"#;

fn inventory(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn a_right_one_is_shown_with_what_is_not_watched_and_why() {
    let (_folder, path) = inventory(RIGHT);
    let said = run(lifeboat().args(["fleet", "check"]).arg(&path));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for line in [
        "logos.test  libp2p-generic, probes, for operators",
        "ok       nodes         2: do-ams3 2",
        "ok       node          the node's own metrics",
        "off                    without CertificateExpired, CertificateExpiresSoon: no node has the endpoint",
        "                       add tls = true, or its port, to [fleet.endpoints]",
        "off                    without VersionDrift: no `version` is named: nobody can tell which node runs",
        "ok       chat          slack: P0, P1; secret in $LIFEBOAT_TEST_SLACK, for `lifeboat fleet secrets`",
        "warning                nobody notices when Prometheus or Alertmanager themselves are down",
    ] {
        assert!(said.stdout.lines().any(|shown| shown.starts_with(line)), "{line}\n{}", said.stdout);
    }
    let widest = said.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}");
}

#[test]
fn it_is_told_to_programs_too() {
    let (_folder, path) = inventory(RIGHT);
    let said = run(lifeboat().args(["fleet", "check", "--json"]).arg(&path));
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, told["result"].as_str()), (0, Some("ok")));
    assert_eq!(told["fleets"][0]["nodes"][1]["endpoints"]["node"], "10.1.0.2:8008");
    assert_eq!(told["destinations"][0]["severities"][1], "P1");
    let wrong = RIGHT.replace("severities", "severites");
    let (_folder, path) = inventory(&wrong);
    let said = run(lifeboat().args(["fleet", "check", "--json"]).arg(&path));
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, said.stderr.as_str()), (1, "lifeboat: one mistake\n"));
    let problem = &told["problems"][0];
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(11), Some(1)));
    assert_eq!(problem["remedy"], "did you mean \"severities\"?");
}

#[test]
fn mistakes_are_told_all_at_once_by_every_command() {
    let (folder, path) =
        inventory(&RIGHT.replace("10.1.0.2", "http://x/\\u001b[2J").replace("slack", "slak"));
    for command in [vec!["check"], vec!["render", "--out", "nowhere"], vec!["secrets"]] {
        let said = run(lifeboat().current_dir(&folder).arg("fleet").args(command).arg(&path));
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
        assert!(said.stderr.contains(":6:32: ") && said.stderr.contains(":9:8: "), "{}", said.stderr);
        assert!(said.stderr.ends_with("lifeboat: 2 mistakes\n"), "{}", said.stderr);
        assert!(!said.stderr.contains('\u{1b}'), "{:?}", said.stderr);
    }
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn a_list_of_names_to_choose_from_is_whole() {
    let (_folder, path) = inventory(&RIGHT.replace("[[dest", "[fleet.thresholds]\nxyz = 1\n[[dest"));
    let said = run(lifeboat().env("COLUMNS", "60").args(["fleet", "check"]).arg(&path));
    assert!(said.stderr.contains("throttled_ratio_max"), "{}", said.stderr);
}

#[test]
fn what_is_no_file_to_be_read_is_wrong_use() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("around", folder.path().join("around")).unwrap();
    for (name, expected) in [
        ("nowhere.toml", "cannot be read: No such file or directory (os error 2): name a file that is there"),
        (".", "is a folder: name a file in it"),
        (
            "around",
            "cannot be read: Too many levels of symbolic links (os error 40): name a file that is there",
        ),
        ("/dev/null", "is no ordinary file: write what it gives to a file, and name that"),
    ] {
        for command in [
            vec!["check"],
            vec!["check", "--json"],
            vec!["render", "--out", "out"],
            vec!["render", "--out", "out", "--json"],
            vec!["secrets"],
        ] {
            let is_asked = command.contains(&"--json");
            let said = run(lifeboat().current_dir(&folder).arg("fleet").args(command).arg(name));
            let told: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
            let is_json = told["problems"][0]["file"] == name;
            assert_eq!((said.code, is_json), (2, is_asked), "{name}: {}", said.stdout);
            assert!(is_asked || said.stdout.is_empty(), "{}", said.stdout);
            assert_eq!(said.stderr, format!("lifeboat: {name}: {expected}\n"));
        }
    }
}

#[test]
fn a_folder_that_nobody_can_write_to_is_told_with_what_mends_it() {
    let (folder, path) = inventory(RIGHT);
    let out = folder.path().join("file");
    fs::write(&out, "").unwrap();
    for (place, expected) in [
        (out.clone(), "is a file: name a folder"),
        (out.join("out"), "what stands above it is a file: name another folder"),
        ("/proc/out".into(), "name another folder"),
    ] {
        let said = run(lifeboat().args(["fleet", "render", "--out"]).arg(&place).arg(&path));
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
        assert!(said.stderr.trim_end().ends_with(expected), "{}", said.stderr);
    }
}

#[test]
fn a_secret_of_the_environment_gets_to_a_file_that_nobody_else_reads() {
    let (folder, path) = inventory(RIGHT);
    let out = folder.path().join("secrets");
    let mut command = lifeboat();
    command.args(["fleet", "secrets", "--out"]).arg(&out).arg(&path);
    let said = run(command.env_remove("LIFEBOAT_TEST_SLACK"));
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (1, "lifeboat: nothing was written: set LIFEBOAT_TEST_SLACK in the environment\n")
    );
    assert!(!out.exists());
    for secret in ["https://hooks.example.org/first", "https://hooks.example.org/second"] {
        let said = run(command.env("LIFEBOAT_TEST_SLACK", format!("{secret}\n")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(
            !said.stdout.contains(secret) && said.stdout.contains("LIFEBOAT_TEST_SLACK"),
            "{}",
            said.stdout
        );
        let file = out.join("LIFEBOAT_TEST_SLACK");
        assert_eq!(fs::read_to_string(&file).unwrap(), secret);
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&out)), (0o600, 0o700));
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }
}

#[test]
fn one_secret_is_changed_alone_and_the_others_are_kept() {
    let pager = "[[destination]]\ntype = \"pagerduty\"\nrouting_key_env = \"LIFEBOAT_TEST_PAGER\"\n";
    let (folder, path) = inventory(&format!("{RIGHT}{pager}"));
    let out = folder.path().join("secrets");
    let write = |slack: Option<&str>, pager: Option<&str>| {
        let mut command = lifeboat();
        for (name, value) in [("LIFEBOAT_TEST_SLACK", slack), ("LIFEBOAT_TEST_PAGER", pager)] {
            command.env_remove(name);
            value.map(|value| command.env(name, value));
        }
        run(command.args(["fleet", "secrets", "--out"]).arg(&out).arg(&path))
    };
    let first = "https://hooks.example.org/first";
    assert_eq!(
        write(Some(first), None).stderr,
        "lifeboat: nothing was written: set LIFEBOAT_TEST_PAGER in the environment\n"
    );
    assert_eq!(write(Some(first), Some("k3y")).code, 0);
    let said = write(Some("https://hooks.example.org/next"), None);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("wrote LIFEBOAT_TEST_SLACK to "), "{}", said.stdout);
    assert!(said.stdout.contains("does not set them: LIFEBOAT_TEST_PAGER\n"), "{}", said.stdout);
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(text("LIFEBOAT_TEST_SLACK"), "https://hooks.example.org/next");
    assert_eq!(text("LIFEBOAT_TEST_PAGER"), "k3y");
    // What Alertmanager could not send with is refused, and not shown.
    for wrong in ["S3CRET no url", "\"https://a.b/S3CRET\"", "https://a.b/S3\nCRET", "https:///S3CRET"] {
        let said = write(Some(wrong), None);
        assert_eq!((said.code, text("LIFEBOAT_TEST_SLACK").as_str()), (1, "https://hooks.example.org/next"));
        assert!(
            said.stderr.contains("LIFEBOAT_TEST_SLACK is no secret of destination \"chat\": it "),
            "{}",
            said.stderr
        );
        assert!(!said.stderr.contains("S3CRET"), "{}", said.stderr);
    }
    let said = write(None, Some("S3\nCRET"));
    assert!(said.code == 1 && said.stderr.contains("line break"), "{}", said.stderr);
    assert_eq!(write(Some("https://user:word@a.b/c"), None).code, 0);
}

#[test]
fn a_secret_that_is_written_again_stays_readable_to_whom_it_belongs() {
    let (folder, path) = inventory(RIGHT);
    let out = folder.path().join("above/secrets");
    let mut command = lifeboat();
    command
        .env("LIFEBOAT_TEST_SLACK", "https://hooks.example.org/one")
        .args(["fleet", "secrets", "--out"])
        .arg(&out)
        .arg(&path);
    assert_eq!(run(&mut command).code, 0);
    let file = out.join("LIFEBOAT_TEST_SLACK");
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // Folders above are made as any other program makes them.
    assert_eq!(mode(&folder.path().join("above")) & 0o500, 0o500);
    assert_eq!(mode(&out), 0o700);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
    // Root alone can give a file away.
    let is_given = chown(&file, Some(65534), Some(65534)).is_ok();
    let said = run(command.env("LIFEBOAT_TEST_SLACK", "https://hooks.example.org/two"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(
        (fs::read_to_string(&file).unwrap().as_str(), mode(&file)),
        ("https://hooks.example.org/two", 0o440)
    );
    let found = fs::metadata(&file).unwrap();
    if is_given {
        assert_eq!((found.uid(), found.gid()), (65534, 65534));
        // The first file of a folder is of whom the folder is.
        fs::remove_file(&file).unwrap();
        chown(&out, Some(65534), Some(65534)).unwrap();
        assert_eq!(run(&mut command).code, 0);
        assert_eq!((fs::metadata(&file).unwrap().uid(), mode(&file)), (65534, 0o600));
    }
    let told = format!("LIFEBOAT_TEST_SLACK: of user {}, group {}, mode 0440", found.uid(), found.gid());
    assert!(said.stdout.contains(&told), "{}", said.stdout);
}

#[test]
fn what_was_changed_by_hand_is_told_a_line_for_each_and_as_json() {
    let (folder, path) = inventory(RIGHT);
    let out = folder.path().join("out");
    let render =
        |more: &[&str]| run(lifeboat().args(["fleet", "render", "--out"]).arg(&out).args(more).arg(&path));
    assert_eq!(render(&[]).code, 0);
    let files = ["alertmanager/alertmanager.yml", "prometheus/prometheus.yml"];
    files.iter().for_each(|file| fs::write(out.join(file), "by hand").unwrap());
    let said = render(&[]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stderr);
    for (line, file) in lines.iter().zip(files) {
        assert_eq!(*line, format!("not rendered, or changed since: {file}"));
    }
    assert!(
        lines[2].starts_with("lifeboat: nothing was written to ") && lines[2].contains("--force"),
        "{}",
        lines[2]
    );
    let said = render(&["--json"]);
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (said.code, &told["result"], &told["by_hand"]),
        (1, &"refused".into(), &files.to_vec().into())
    );
    fs::write(&path, RIGHT.replace("severities", "severites")).unwrap();
    let said = render(&["--json"]);
    let told: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, &told["problems"][0]["line"]), (1, &11.into()));
}

#[test]
fn a_rendering_names_the_engines_that_need_a_reload() {
    let (folder, path) = inventory(RIGHT);
    let out = folder.path().join("out");
    let render = |text: &str, more: &[&str]| {
        fs::write(&path, text).unwrap();
        run(lifeboat().args(["fleet", "render", "--out"]).arg(&out).args(more).arg(&path)).stdout
    };
    let last = |shown: &str| shown.lines().last().unwrap_or_default().to_owned();
    let need = "these need a reload, as README.md there says: ";
    assert_eq!(last(&render(RIGHT, &[])), format!("{need}Prometheus, Alertmanager, blackbox"));
    assert_eq!(last(&render(RIGHT, &[])).split_once(' ').unwrap().0, "0");
    // Without a node its rules still expect it until they are read again.
    let fewer = RIGHT.replace("\"node-02.do-ams3.logos.test\" = \"10.1.0.2\"\n", "");
    let would = render(&fewer, &["--check"]);
    assert_eq!(last(&would), "these would then need a reload, as README.md there says: Prometheus");
    let told: Value = serde_json::from_str(&render(&fewer, &["--json"])).unwrap();
    assert_eq!(told["reload"], serde_json::json!(["Prometheus"]));
    let told: Value = serde_json::from_str(&render(&fewer, &["--json"])).unwrap();
    assert_eq!(told["reload"], serde_json::json!([]));
}
