//! The words of the command line, and the help that teaches them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::fleet;
use crate::output::Failure;
use crate::state;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  lifeboat reports                    what has died here, newest first
  lifeboat show latest                the newest report, as a page
  lifeboat show 9ec7                  the report whose id begins so
  lifeboat show latest --json | jq .tags
  lifeboat doctor                     can this machine capture, store and deliver?
  lifeboat health                     how is the node that runs here?
  lifeboat audit ./node               does this program hold telemetry code?
  lifeboat run -- ./node --port 9000  look after a program that knows nothing of Lifeboat

Exit codes: 0 done, 1 the answer is no (nothing found, a check failed), 2 wrong use.";

/// Reads what a node's lifeboat brought ashore: crash reports on this machine.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version = lifeboat_monitor::VERSION, styles = STYLES, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the reports on this machine, newest first
    #[command(after_help = "\
Examples:
  lifeboat reports
  lifeboat reports --json | jq -r 'select(.state == \"pending\") | .event_id'

A report is `pending` until a server takes it (`sent`; the last 20 are kept) or refuses it for good
(`set-aside`; `lifeboat show` says why). Without a server all stay pending, and that is no fault.

A report is on disk some milliseconds after a death: where there is none it is waited for, up to a second while a
monitor is at work on this machine. `lifeboat show` does so too.")]
    Reports {
        /// One JSON object a line: event_id, timestamp, cause, title, node, release, state
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateDir,
    },
    /// Show one report: what died, where, and what led to it
    #[command(after_help = "\
Examples:
  lifeboat show latest
  lifeboat show 9ec7 --json > event.json
  lifeboat show 9ec7 --html > report.html

In a stack the innermost function comes first. Bright frames are the program's own, dim ones belong to the
system; a frame marked `inlined` was compiled into the one below it; `libfoo.so+0x1a2b` stands where a
function has no name here.")]
    Show {
        /// The report's id, the beginning of it, or `latest`
        id: String,
        /// The Sentry event itself, as JSON
        #[arg(long)]
        json: bool,
        /// One HTML page for a browser: no script, nothing loaded from elsewhere
        #[arg(long, conflicts_with = "json")]
        html: bool,
        /// Show the last N breadcrumbs; a report has at most 100
        #[arg(long, value_name = "N", default_value_t = 40, conflicts_with_all = ["json", "html"])]
        breadcrumbs: usize,
        #[command(flatten)]
        state: StateDir,
    },
    /// Check that this machine can capture, store and deliver
    #[command(after_help = "\
Examples:
  lifeboat doctor
  LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so SENTRY_DSN=https://KEY@HOST/1 lifeboat doctor

Run it as the user that runs the node, with the node's environment. It makes the state directory if it is not
there, and sends nothing: it only connects to the DSN's server, unless --offline. Exit code 1 says that a check failed.")]
    Doctor {
        /// One JSON object a line: check, result, detail, remedy
        #[arg(long)]
        json: bool,
        /// Do not connect to the server
        #[arg(long)]
        offline: bool,
        #[command(flatten)]
        state: StateDir,
    },
    /// Find out whether a program holds telemetry code
    #[command(after_help = "\
Examples:
  lifeboat audit ./node
  lifeboat audit --json libmodule.so

The answer is `nothing`, `loader` (it can load the reporter when told to at run time) or `reporter` (the
reporter itself is in it), with what was found and where. Exit code 0 stands for `nothing`, 1 for the others,
2 for a file that is no ELF file or cannot be read. A stripped program is read as well as any other.")]
    Audit {
        /// The program or library (an ELF file)
        program: PathBuf,
        /// One JSON object: verdict, evidence, others
        #[arg(long)]
        json: bool,
    },
    /// Run a program that knows nothing of Lifeboat, and report its death
    #[command(after_help = "\
Examples:
  lifeboat run -- wakunode2 --config-file=/etc/waku.toml
  LIFEBOAT_NODE=relay-7 SENTRY_DSN=https://KEY@HOST/1 lifeboat run -- ./node
  lifeboat run --log-breadcrumbs=50 -- ./node
  ENTRYPOINT [\"lifeboat\", \"run\", \"--\", \"/usr/bin/wakunode\"]          in a Dockerfile

The program's output, the signals that it gets and its exit status are what they would be without. As the first
process of a container it hands signals on and reaps orphans. A death by a signal, an exception or an exit with
another status than 0 makes a report: cause, status, the stacks (by ptrace), and the reason where the last lines
of output tell one: a Nim exception, a Rust panic, a C++ exception, a failed assert. Nothing is reported where
somebody asked for the stop, by SIGTERM or SIGINT.

It reads the environment as a node with the reporter does: LIFEBOAT_STATE_DIR, LIFEBOAT_FLEET, LIFEBOAT_NODE,
LIFEBOAT_TAGS, LIFEBOAT_COMMIT, SENTRY_DSN, SENTRY_RELEASE (else the program's file name), SENTRY_ENVIRONMENT.
Where LIFEBOAT=on or LIFEBOAT_REPORTER is set the program has a reporter of its own, and with LIFEBOAT=off all is
off: then it only hands on signals, reaps, and returns the status. Unset them for a program that has none.

Only the program itself is looked after, not what it starts: let a shell script `exec` it. To a terminal it
writes directly, and its output is not read.

Exit codes: the program's own; by the same signal where one ended it. 127 there is no such program, 126 it
cannot be executed, 2 wrong use.")]
    Run {
        /// Do not trace: for a program that wants to be traced by others, or may not be. There will be no stack
        #[arg(long)]
        no_trace: bool,
        /// Put the last N lines of output into the report as breadcrumbs, scrubbed [without N: 100]
        #[arg(
            long,
            value_name = "N",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = "100",
            value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100)
        )]
        log_breadcrumbs: Option<usize>,
        #[command(flatten)]
        state: StateDir,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
        command: Vec<OsString>,
    },
    /// Ask how a running node is: for a container's health check
    #[command(after_help = "\
Examples:
  lifeboat health
  lifeboat health --address 127.0.0.1:9464
  lifeboat health --json | jq .score
  HEALTHCHECK CMD [\"lifeboat\", \"health\"]          in a Dockerfile

The node's monitor answers, where LIFEBOAT_METRICS is set in the node's environment, also for a node that hangs or
has died. Without --address it is asked at LIFEBOAT_METRICS, else where the monitors of the state directory serve;
of several nodes each is asked, and all must be well.

Exit codes: 0 well (or degraded, which is told), 1 not well, or nobody answers: standard error says why; 2 wrong use.")]
    Health {
        /// Where the monitor serves, as LIFEBOAT_METRICS says it: 127.0.0.1:9464
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
        /// How long to wait for the answer
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = 3,
            value_parser = clap::value_parser!(u64).range(1..=3600)
        )]
        timeout: u64,
        /// Every component, heartbeat and database: one JSON object a line, a line for each node
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateDir,
    },
    /// A fleet in one file: make dashboards, alerts and runbooks of its inventory
    #[command(after_help = "\
Exit codes: 0 done, 1 the inventory is wrong, or something could not be written, or `render --check` would change something,
2 wrong use: no such inventory, or none that can be read.")]
    Fleet {
        #[command(subcommand)]
        command: fleet::Command,
    },
    /// What `doctor` starts in order to read its memory
    #[command(hide = true, name = "doctor-probe")]
    Probe,
}

/// Where the reports lie.
#[derive(Args, Debug)]
pub(crate) struct StateDir {
    /// The state directory [default: $LIFEBOAT_STATE_DIR, for root /var/lib/lifeboat, else
    /// $XDG_STATE_HOME/lifeboat or ~/.local/state/lifeboat]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl StateDir {
    /// The one on the command line.
    pub(crate) fn named(self) -> Option<PathBuf> {
        self.state_dir
    }

    pub(crate) fn directory(self) -> Result<PathBuf, Failure> {
        self.state_dir.map_or_else(state::default_directory, Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::{CommandFactory, Parser};

    use super::Arguments;

    /// Our commands in a document, without the word `lifeboat`: in its blocks, and between code marks.
    fn commands(text: &str) -> impl Iterator<Item = &str> {
        let parts = text.split(['`', '\n', '|', ';', '>', '#']).map(str::trim);
        parts.filter_map(|part| {
            let (before, command) = part.split_once("lifeboat ")?;
            let is_command = before.is_empty() || before.ends_with("/bin/") || before.ends_with("&& ");
            let is_prose = command.starts_with(|letter: char| !letter.is_ascii_lowercase());
            (is_command && !is_prose).then_some(command)
        })
    }

    /// What is wrong with a command, if anything.
    fn fault(command: &str) -> Option<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let mut named = Some(Arguments::command());
        for word in &words {
            named = named.and_then(|command| command.find_subcommand(word).cloned());
        }
        if named.is_some() {
            // Named in a sentence, without what it needs.
            return None;
        }
        let parsed = Arguments::try_parse_from(std::iter::once("lifeboat").chain(words));
        parsed.err().map(|error| format!("{command}: {error}"))
    }

    #[test]
    fn runbooks_name_commands_that_there_are() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks");
        let mut faults = Vec::new();
        let mut seen = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for command in commands(&text) {
                seen += 1;
                faults.extend(fault(command).map(|fault| format!("{}: {fault}", path.display())));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(seen > 30, "only {seen} commands were found");
    }

    #[test]
    fn a_wrong_command_is_seen() {
        let text = "see `lifeboat show`, `x lifeboat in prose`\n lifeboat reports --all | jq .\n/opt/bin/lifeboat sink; lifeboat show latest > a";
        let found: Vec<&str> = commands(text).collect();
        assert_eq!(found, ["show", "reports --all", "sink", "show latest"]);
        let faults = found.into_iter().map(|command| fault(command).is_some());
        assert_eq!(faults.collect::<Vec<_>>(), [false, true, true, false]);
    }
}
