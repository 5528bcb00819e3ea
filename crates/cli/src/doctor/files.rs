//! The reporter's library and the monitor: are they there, ours, and safe from others' hands?

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lifeboat_monitor::switch::Switch;
use object::{Object, ObjectSymbol};

use crate::doctor::Finding;

const LIBRARY: &str = "liblifeboat_reporter.so";
const API_SYMBOL: &str = "lifeboat_api_v1";
const LIBRARY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The library that a node in load mode loads.
pub(super) fn library() -> Finding {
    const CHECK: &str = "library";
    let Some((path, is_named)) = library_path() else {
        return Finding::warning(CHECK, "no place is known", "set LIFEBOAT_REPORTER to its absolute path");
    };
    let place = path.display();
    if is_named && !path.is_absolute() {
        return Finding::failed(
            CHECK,
            format!("{place} is not absolute"),
            "write LIFEBOAT_REPORTER from the root on",
        );
    }
    let bytes = match read(&path) {
        Ok(bytes) => bytes,
        Err(error) if is_named => {
            return Finding::failed(
                CHECK,
                format!("{place}: {error}"),
                "correct LIFEBOAT_REPORTER or install it there",
            );
        }
        Err(error) => {
            let detail = format!("{place}: {error}");
            return Finding::warning(
                CHECK,
                detail,
                "set LIFEBOAT_REPORTER; a node in link mode needs no library",
            );
        }
    };
    if let Err(finding) = refuse_unsafe(CHECK, &path) {
        return finding;
    }
    match foreign(&bytes) {
        None => {
            let version = reporter_version(&bytes).unwrap_or("its version is not known");
            let size = bytes.len() / 1024;
            Finding::fine(CHECK, format!("{place}, {version}, {size} KiB, exports {API_SYMBOL}"))
        }
        Some(reason) => Finding::failed(
            CHECK,
            format!("{place} {reason}"),
            "install the library that was built with `scripts/build`",
        ),
    }
}

/// The program that captures and delivers.
pub(super) fn monitor() -> Finding {
    const CHECK: &str = "monitor";
    let remedy = "set LIFEBOAT_MONITOR to the absolute path of lifeboat-monitor";
    let Some(path) = monitor_path() else { return Finding::failed(CHECK, "no place is known", remedy) };
    let place = path.display();
    match fs::metadata(&path) {
        Err(error) => return Finding::failed(CHECK, format!("{place}: {error}"), remedy),
        Ok(metadata) if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 => {
            return Finding::failed(
                CHECK,
                format!("{place} is no executable file"),
                format!("chmod +x {place}"),
            );
        }
        Ok(_) => {}
    }
    if let Err(finding) = refuse_unsafe(CHECK, &path) {
        return finding;
    }
    let version = Command::new(&path).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let words = version
        .map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    match words {
        Ok((true, words)) if words.starts_with("lifeboat-monitor ") => {
            let own = lifeboat_monitor::VERSION;
            if words.ends_with(own) {
                return Finding::fine(CHECK, format!("{place}, {words}"));
            }
            Finding::warning(
                CHECK,
                format!("{place} is {words}, this is {own}"),
                "install both from one build",
            )
        }
        Ok(_) => Finding::failed(CHECK, format!("{place} is not Lifeboat's monitor"), remedy),
        Err(error) => Finding::failed(CHECK, format!("{place} cannot be run: {error}"), remedy),
    }
}

fn library_path() -> Option<(PathBuf, bool)> {
    if let Some(named) = std::env::var_os("LIFEBOAT_REPORTER").filter(|named| !named.is_empty()) {
        return Some((named.into(), true));
    }
    Some((beside_folder()?.join("lib").join(LIBRARY), false))
}

fn monitor_path() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LIFEBOAT_MONITOR").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    // As the reporter does: beside the library that is named, and only there.
    let (library, _) = library_path()?;
    Some(library.parent()?.parent()?.join("bin/lifeboat-monitor"))
}

/// Whether a node that is started in this environment would turn Lifeboat on.
pub(super) fn switch() -> Finding {
    const CHECK: &str = "switch";
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let (word, reporter) = (set("LIFEBOAT").unwrap_or_default(), set("LIFEBOAT_REPORTER"));
    let told = format!("LIFEBOAT={}", word.display());
    match (Switch::of(word.as_encoded_bytes()), reporter) {
        (Some(Switch::Off), _) => Finding::warning(CHECK, format!("{told} turns everything off"), "unset it"),
        (Some(Switch::Unknown), _) => Finding::warning(
            CHECK,
            format!("{told} is no word for on or off: it turns everything off"),
            "write LIFEBOAT=on or LIFEBOAT=off",
        ),
        (_, Some(_)) => Finding::fine(CHECK, "LIFEBOAT_REPORTER is set: nodes in load mode are on"),
        (Some(Switch::On), None) => {
            Finding::fine(CHECK, format!("{told}: nodes in link mode are on, those in load mode off"))
        }
        (None, None) => Finding::warning(
            CHECK,
            "off in this environment: neither LIFEBOAT_REPORTER nor LIFEBOAT=on is set",
            "run doctor with the node's own environment",
        ),
    }
}

/// The folder above the one that holds this program.
fn beside_folder() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    Some(own.parent()?.parent()?.to_path_buf())
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIBRARY_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Nobody but root and this user may write the file or a folder above it; a sticky folder is accepted when
/// what lies in it belongs to root or the user.
fn refuse_unsafe(check: &'static str, path: &Path) -> Result<(), Finding> {
    let user = rustix::process::geteuid().as_raw();
    let path = fs::canonicalize(path).map_err(|error| {
        Finding::failed(check, format!("{}: {error}", path.display()), "correct the path")
    })?;
    for place in path.ancestors() {
        let metadata = fs::metadata(place).map_err(|error| {
            Finding::failed(check, format!("{}: {error}", place.display()), "make the folder readable")
        })?;
        let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        let is_foreign = metadata.uid() != 0 && metadata.uid() != user;
        if is_foreign || (metadata.mode() & 0o022 != 0 && !is_sticky) {
            let detail = format!("{} may be written by others than root and this user", place.display());
            return Err(Finding::failed(
                check,
                detail,
                format!("chown root {0} && chmod go-w {0}", place.display()),
            ));
        }
    }
    Ok(())
}

/// Why these bytes are not Lifeboat's library for this machine.
fn foreign(bytes: &[u8]) -> Option<String> {
    let Ok(file) = object::File::parse(bytes) else { return Some("is not an ELF library".to_owned()) };
    if file.architecture() != own_architecture() {
        return Some(format!("is built for {:?}", file.architecture()));
    }
    let exported = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    let names: Vec<&str> = exported.filter_map(|symbol| symbol.name().ok()).collect();
    match names.as_slice() {
        [one] if *one == API_SYMBOL => None,
        names if names.contains(&API_SYMBOL) => Some(format!("exports {} symbols, not one", names.len())),
        _ => Some(format!("does not export {API_SYMBOL}")),
    }
}

/// "lifeboat-reporter 0.1.0 (3ec908a4f0d2)": the text that it writes into each recorder.
fn reporter_version(bytes: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"lifeboat-reporter ";
    const LENGTH_MAX: usize = 80;
    let at = bytes.windows(NAME.len()).position(|window| window == NAME)?;
    let rest = bytes.get(at..)?;
    let length = rest.iter().take(LENGTH_MAX).position(|byte| *byte == b')')?;
    std::str::from_utf8(rest.get(..=length)?).ok()
}

fn own_architecture() -> object::Architecture {
    if cfg!(target_arch = "aarch64") { object::Architecture::Aarch64 } else { object::Architecture::X86_64 }
}
