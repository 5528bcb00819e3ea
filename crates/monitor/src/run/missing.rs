//! Why a program could not be executed, in words that name what is missing: the kernel has one number for both.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use object::elf::ProgramHeader64;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, ReadCache};

/// The kernel reads no more of a script's first line. See <https://man7.org/linux/man-pages/man2/execve.2.html>.
const FIRST_LINE_MAX: u64 = 255;

/// The sentence's end: "not found in PATH".
#[must_use]
pub fn reason(program: &OsStr, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return error.to_string();
    }
    let Some(place) = place(program) else {
        return if is_path(program) { error.to_string() } else { "not found in PATH".to_owned() };
    };
    match interpreter(&place) {
        Some(interpreter) if !interpreter.exists() => {
            format!("its interpreter {} is missing", interpreter.display())
        }
        _ => error.to_string(),
    }
}

/// The file that a program's name stands for.
pub(super) fn place(program: &OsStr) -> Option<PathBuf> {
    if is_path(program) {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn is_path(program: &OsStr) -> bool {
    program.as_encoded_bytes().contains(&b'/')
}

/// What runs the file: as a script names it in its first line, or as a program names its loader.
fn interpreter(place: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(place).ok()?.take(FIRST_LINE_MAX).read_to_end(&mut head).ok()?;
    let named = match head.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|byte| *byte == b'\n').next()?.trim_ascii();
            line.split(u8::is_ascii_whitespace).next()?.to_vec()
        }
        None => loader(place)?,
    };
    (!named.is_empty()).then(|| PathBuf::from(OsString::from_vec(named)))
}

/// The dynamic loader of a program that needs one.
fn loader(place: &Path) -> Option<Vec<u8>> {
    let file = File::open(place).ok()?;
    let cache = ReadCache::new(&file);
    let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
    let named = |header: &ProgramHeader64<Endianness>| {
        header.interpreter(elf.endian(), &cache).ok().flatten().map(<[u8]>::to_vec)
    };
    elf.elf_program_headers().iter().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#! /nowhere/sh -e\nexit 0\n").unwrap();
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        let said = |program: &Path| reason(program.as_os_str(), &missing);
        assert_eq!(said(&script), "its interpreter /nowhere/sh is missing");
        assert_eq!(said(Path::new("not-in-path-at-all")), "not found in PATH");
        assert!(said(Path::new("/nowhere/at/all")).contains("No such file"));
        assert!(reason("sh".as_ref(), &io::Error::from_raw_os_error(libc::EACCES)).contains("denied"));
        let own = std::env::current_exe().unwrap();
        assert!(
            loader(&own).is_some_and(|loader| loader.starts_with(b"/lib")),
            "glibc's, as tests are linked"
        );
        // The loader's name in a copy of this very program is made one of a file that is not there.
        let mut bytes = std::fs::read(&own).unwrap();
        let name = loader(&own).unwrap();
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        bytes[at + 1] = b'X';
        let copy = folder.path().join("copy");
        std::fs::write(&copy, bytes).unwrap();
        assert!(said(&copy).starts_with("its interpreter /Xib"), "{}", said(&copy));
    }
}
