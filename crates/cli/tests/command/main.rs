//! The command as its users run it: text and exit code of every answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod audit;
mod doctor;
mod fleet;
mod health;
mod html;
mod reports;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lifeboat_monitor::spool::{Spool, State};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a run said.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

fn lifeboat() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    let ours = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("LIFEBOAT"));
    for variable in ours.chain(["SENTRY_DSN", "NO_COLOR", "CLICOLOR_FORCE"].map(Into::into)) {
        command.env_remove(variable);
    }
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command.env("COLUMNS", "100");
    command
}

fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// A state directory with one report of each state, and a word that cannot be read.
struct Scene {
    dir: tempfile::TempDir,
    spool: Spool,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("state")).unwrap();
        Self { dir, spool }
    }

    fn state_dir(&self) -> &Path {
        self.spool.state_dir()
    }

    fn store(&self, number: u128, event: &Value) -> PathBuf {
        let id = Uuid::from_u128(number);
        let text = event.to_string();
        let header =
            json!({"event_id": id.simple().to_string(), "dsn": "https://secretkey@sentry.example/3"});
        let item = json!({"type": "event", "length": text.len()});
        self.spool.store(id, format!("{header}\n{item}\n{text}\n").as_bytes()).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(lifeboat().args(arguments).arg("--state-dir").arg(self.state_dir()))
    }
}

fn event() -> Value {
    serde_json::from_str(include_str!("../event.json")).unwrap()
}

#[test]
fn help_teaches_and_wrong_use_is_two() {
    let help = run(lifeboat().arg("--help"));
    assert_eq!(help.code, 0);
    assert!(
        help.stdout.contains("lifeboat show latest") && help.stdout.contains("Exit codes"),
        "{}",
        help.stdout
    );
    for arguments in [
        &[][..],
        &["unknown"],
        &["show"],
        &["reports", "--nonsense"],
        &["run"],
        &["run", "--log-breadcrumbs=0", "--", "true"],
        &["run", "--log-breadcrumbs", "5", "--", "true"],
    ] {
        let said = run(lifeboat().args(arguments));
        assert!(said.code == 2 && said.stdout.is_empty() && !said.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn run_refuses_what_was_meant_otherwise() {
    let detached = run(lifeboat().args(["run", "--log-breadcrumbs", "5", "--", "true"]));
    assert_eq!(detached.stderr, "lifeboat: write --log-breadcrumbs=5\n");
    // A program's own option is the program's.
    let own = run(lifeboat().args(["run", "--", "echo", "--log-breadcrumbs", "5"]).env("LIFEBOAT", "off"));
    assert_eq!((own.code, own.stdout.as_str()), (0, "--log-breadcrumbs 5\n"));
    let relative = run(lifeboat().args(["run", "--", "true"]).env("LIFEBOAT_STATE_DIR", "state"));
    assert_eq!(relative.code, 2);
    assert!(relative.stderr.contains("LIFEBOAT_STATE_DIR=state is not absolute"), "{}", relative.stderr);
}

#[test]
fn every_program_tells_the_commit_that_it_was_built_from() {
    let said = run(lifeboat().arg("--version")).stdout;
    assert_eq!(said, format!("lifeboat {}\n", lifeboat_monitor::VERSION));
    let version = env!("CARGO_PKG_VERSION");
    assert!(said.starts_with(&format!("lifeboat {version} (")) && said.ends_with(")\n"), "{said}");
}

#[test]
fn the_state_directory_is_found_as_a_node_finds_it() {
    let scene = Scene::new();
    scene.store(1, &event());
    let said = run(lifeboat().arg("reports").env("LIFEBOAT_STATE_DIR", scene.state_dir()));
    assert_eq!(said.code, 0);
    let absent = ["reports", "show"].map(|command| {
        let id: &[&str] = if command == "show" { &["latest"] } else { &[] };
        run(lifeboat().arg(command).args(id).args(["--state-dir", "/nowhere/at/all"]))
    });
    for said in absent {
        let told = "lifeboat: there is no state directory at /nowhere/at/all: has anything died yet? \
                    name another by --state-dir\n";
        assert_eq!((said.code, said.stderr.as_str()), (1, told));
    }
    assert!(scene.dir.path().read_dir().unwrap().count() == 1);
    assert!(scene.spool.folder(State::Pending).exists());
}
