//! What the environment says, by the names that a node with a reporter reads too.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use lifeboat_recorder::Setting;

use crate::switch;
use crate::watch::roles::Destination;

/// What is written into the recorder, and where it comes from.
const TEXTS: [(Setting, &str); 5] = [
    (Setting::Release, "SENTRY_RELEASE"),
    (Setting::Commit, "LIFEBOAT_COMMIT"),
    (Setting::Environment, "SENTRY_ENVIRONMENT"),
    (Setting::Fleet, "LIFEBOAT_FLEET"),
    (Setting::Node, "LIFEBOAT_NODE"),
];
/// What the other roles need of the environment; the rest, secrets and all, is the program's.
const KEPT: [&str; 12] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
    "PATH",
];

/// And what is for them alone.
const OURS: &[u8] = b"LIFEBOAT_";

/// The environment, read once.
pub(super) struct Settings {
    /// Where reports go; nothing where no place is known.
    pub(super) destination: Option<Destination>,
    /// Texts for the recorder.
    pub(super) texts: Vec<(Setting, Vec<u8>)>,
    /// Tags.
    pub(super) tags: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Settings {
    /// Reads them; a state directory that was named on the command line wins. Without `SENTRY_RELEASE` the program's
    /// own name stands for the release.
    pub(super) fn read(state_dir: Option<PathBuf>, command: &[OsString]) -> Self {
        let dsn = variable("SENTRY_DSN").map(|dsn| dsn.to_string_lossy().into_owned());
        // We leave the folder that a relative path starts from.
        let state_dir = state_dir.or_else(default_state_dir).and_then(|path| std::path::absolute(path).ok());
        let destination = state_dir.map(|state_dir| Destination { state_dir, dsn });
        let text = |(setting, name): &(Setting, &str)| Some((*setting, variable(name)?.into_vec()));
        let tags = variable("LIFEBOAT_TAGS").map(|tags| pairs(tags.as_bytes())).unwrap_or_default();
        let app = command.first().and_then(|program| Path::new(program).file_name());
        let app = app.map(|name| (Setting::App, name.as_bytes().to_vec()));
        Self { destination, texts: TEXTS.iter().filter_map(text).chain(app).collect(), tags }
    }
}

/// Whether somebody else reports, or nobody is to: the program carries a reporter and it is on, or all is off.
pub(super) fn is_left_to_others() -> bool {
    switch::reporter() != switch::Reporter::NotNamed
}

/// Takes out of our own environment what only the program needs. No other thread of this process may read it meanwhile.
pub(super) fn forget_environment() {
    for (name, _) in std::env::vars_os() {
        let is_ours = name.as_bytes().starts_with(OURS);
        if !is_ours && !KEPT.iter().any(|kept| name == *kept) {
            // SAFETY: nobody else reads the environment, as the caller saw to.
            unsafe { std::env::remove_var(name) };
        }
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same rule by which a node finds it.
fn default_state_dir() -> Option<PathBuf> {
    if let Some(named) = variable("LIFEBOAT_STATE_DIR") {
        return Some(named.into());
    }
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/lifeboat".into());
    }
    let base = variable("XDG_STATE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    base.filter(|base| base.is_absolute()).map(|base| base.join("lifeboat"))
}

/// `dc=do-ams3,stage=sandbox` in its parts.
fn pairs(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pair = |part: &[u8]| {
        let at = part.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (part.get(..at)?.trim_ascii(), part.get(at + 1..)?.trim_ascii());
        (!key.is_empty()).then(|| (key.to_vec(), value.to_vec()))
    };
    text.split(|byte| *byte == b',').filter_map(pair).collect()
}
