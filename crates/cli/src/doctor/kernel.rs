//! The kernel: its version, and the calls that the recorder and the monitor build on.

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::PidfdFlags;
use rustix::thread::futex;

use crate::doctor::Finding;

const CHECK: &str = "kernel";
const VERSION_MIN: (u32, u32) = (5, 10);

pub(super) fn check() -> Finding {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let missing: Vec<String> = [("memfd_create", memfd()), ("pidfd_open", pidfd()), ("futex", wake())]
        .into_iter()
        .filter_map(|(call, answer)| Some(format!("{call}: {}", answer.err()?)))
        .collect();
    if !missing.is_empty() {
        let detail = format!("Linux {release} refuses {}", missing.join(", "));
        return Finding::failed(
            CHECK,
            detail,
            "allow these calls in the seccomp profile, or use Linux 5.10 or newer",
        );
    }
    if version(&release).is_some_and(|version| version < VERSION_MIN) {
        return Finding::warning(
            CHECK,
            format!("Linux {release}"),
            "Lifeboat is made for Linux 5.10 or newer",
        );
    }
    Finding::fine(CHECK, format!("Linux {release}: memfd, pidfd and futex work"))
}

fn memfd() -> Result<(), Errno> {
    rustix::fs::memfd_create("lifeboat-doctor", MemfdFlags::CLOEXEC).map(drop)
}

fn pidfd() -> Result<(), Errno> {
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).map(drop)
}

fn wake() -> Result<(), Errno> {
    let word = std::sync::atomic::AtomicU32::new(0);
    futex::wake(&word, futex::Flags::empty(), 1).map(drop)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn releases_of_all_makers_are_read() {
        let cases = [("6.8.0-31-generic", Some((6, 8))), ("5.10", Some((5, 10))), ("6", None), ("", None)];
        for (release, expected) in cases {
            assert_eq!(version(release), expected);
        }
    }
}
